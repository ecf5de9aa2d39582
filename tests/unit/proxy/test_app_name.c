/* PostgreSQL's own answers: of 15 by asking one, of 16 and later by its source. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <cmocka.h>
#include "proxy/app_name.h"

#define E10 "\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9" /* 20 bytes */
#define X2  "\\xc3\\xa9"
#define Q10 "??????????"
#define A10 "aaaaaaaaaa"

static void shows(const char *version, const char *encoding, const char *name, const char *shown)
{
	struct params server;
	char *got;

	params_init(&server);
	if (version)
		params_set(&server, slice_str("server_version"), slice_str(version));
	if (encoding)
		params_set(&server, slice_str("server_encoding"), slice_str(encoding));
	got = app_name_shown(name, &server);
	assert_string_equal(got, shown);
	free(got);
	params_free(&server);
}

static void what_each_version_shows(void **state)
{
	static const char *const old[] = {NULL, "", "devel", "8.0.2", "9.6.24", "13.14", "15.20 (Debian 15.20-0+deb12u1)"};
	static const char *const new[] = {"16.4", "16beta1", "16devel", "17.2 (Debian 17.2-1)", "18.0"};

	(void)state;
	for (size_t i = 0; i < sizeof(old) / sizeof(*old); i++)
		shows(old[i], "UTF8", "a\xc3\xa9\t\x7f ~\xff", "a???? ~?");
	for (size_t i = 0; i < sizeof(new) / sizeof(*new); i++)
		shows(new[i], "UTF8", "a\xc3\xa9\t\x7f ~\xff", "a\\xc3\\xa9\\x09\\x7f ~\\xff");
	shows("16.4", "UTF8", "", "");
	shows("16.4", "UTF8", "it's \\x41", "it's \\x41");
}

static void where_a_name_is_cut(void **state)
{
	(void)state;
	shows("15.1", "UTF8", A10 A10 A10 A10 A10 A10 "abc", A10 A10 A10 A10 A10 A10 "abc");
	shows("15.1", "UTF8", A10 A10 A10 A10 A10 A10 "abcd", A10 A10 A10 A10 A10 A10 "abc");
	/* before a character, where the server knows what one is */
	shows("15.1", "UTF8", E10 E10 E10 E10, Q10 Q10 Q10 Q10 Q10 Q10 "??");
	shows("15.1", "LATIN1", E10 E10 E10 E10, Q10 Q10 Q10 Q10 Q10 Q10 "???");
	shows("15.1", NULL, E10 E10 E10 E10, Q10 Q10 Q10 Q10 Q10 Q10 "???");
	shows("15.1", "UTF8", "\xf0\x9f\x98\x80" E10 E10 E10, Q10 Q10 Q10 Q10 Q10 Q10 "??");
	shows("15.1", "UTF8", E10 E10 E10 "\xf0\x9f\x98\x80", Q10 Q10 Q10 Q10 Q10 Q10);
	/* what is no UTF-8 as well: the first byte tells (pg_utf_mblen) */
	shows("15.1", "UTF8", A10 A10 A10 A10 A10 A10 "ab\xe0" "cd", A10 A10 A10 A10 A10 A10 "ab");
	shows("15.1", "UTF8", E10 E10 E10 "\x80\xff\x80\xff", Q10 Q10 Q10 Q10 Q10 Q10 "???");
	/* and what became of it, before an escape */
	shows("16.4", "UTF8", E10 E10, X2 X2 X2 X2 X2 X2 X2 "\\xc3");
	shows("16.4", "UTF8", E10 "aaa" E10, X2 X2 X2 X2 X2 X2 X2 "\\xc3");
	shows("16.4", "UTF8", A10 A10 A10 A10 A10 "aaaaaaaaa\n\n", A10 A10 A10 A10 A10 "aaaaaaaaa\\x0a");
	shows("16.4", "UTF8", A10 A10 A10 A10 A10 A10 "\na", A10 A10 A10 A10 A10 A10);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_each_version_shows),
		cmocka_unit_test(where_a_name_is_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
