/* base/err. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <ctype.h>
#include <errno.h>
#include <string.h>
#include <cmocka.h>
#include "base/enc.h"
#include "base/err.h"

static bool is_utf8(const char *s)
{
	return enc_is_utf8(slice_str(s));
}

static void every_row_is_whole(void **state)
{
	(void)state;
	for (int c = 0; c < ERR_CODE_COUNT; c++) {
		const struct err_info *i = err_info((enum err_code)c);

		assert_int_equal(strncmp(i->name, "ERR_", 4), 0);
		assert_int_equal(strlen(i->sqlstate), 5);
		for (const char *p = i->sqlstate; *p; p++)
			assert_true(isdigit((unsigned char)*p) || isupper((unsigned char)*p));
		assert_true(i->label[0] != '\0');
		for (const char *p = i->label; *p; p++)
			assert_true(islower((unsigned char)*p) || *p == '_');
		for (int d = 0; d < c; d++)
			assert_string_not_equal(i->label, err_info((enum err_code)d)->label);
	}
	assert_ptr_equal(err_info((enum err_code)9999), err_info(ERR_INTERNAL));
}

static void classes(void **state)
{
	static const struct {
		const char *sqlstate;
		enum err_class class;
	} rows[] = {
		{"28P01", ERR_CLASS_REFUSED},  {"3D000", ERR_CLASS_REFUSED}, {"42704", ERR_CLASS_REFUSED},
		{"53300", ERR_CLASS_FULL},     {"53200", ERR_CLASS_FULL},    {"57P01", ERR_CLASS_AWAY},
		{"57P02", ERR_CLASS_AWAY},     {"57P03", ERR_CLASS_STARTING}, {"57014", ERR_CLASS_BUSY},
		{"57P04", ERR_CLASS_FINAL},    {"58030", ERR_CLASS_FINAL},   {"XX000", ERR_CLASS_FINAL},
		{"08006", ERR_CLASS_FINAL},    {"", ERR_CLASS_REFUSED},      {"5", ERR_CLASS_REFUSED},
	};
	struct err e;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		err_set(&e, ERR_LOGIN_REFUSED, "no");
		memcpy(e.sqlstate, rows[i].sqlstate, strlen(rows[i].sqlstate) + 1);
		assert_int_equal(err_class(&e), ERR_CLASS_FINAL); /* not its own words */
		e.from_server = true;
		assert_int_equal(err_class(&e), rows[i].class);
		e.code = ERR_AUTH_IAM; /* known better */
		assert_int_equal(err_class(&e), ERR_CLASS_REFUSED);
	}
}

static void sets(void **state)
{
	struct err e;

	(void)state;
	memset(&e, 0xff, sizeof(e));
	assert_int_equal(err_set(&e, ERR_TLS, "bad %d", 7), -1);
	assert_int_equal(e.code, ERR_TLS);
	assert_string_equal(e.sqlstate, "08001");
	assert_string_equal(e.msg, "bad 7");
	assert_string_equal(e.detail, "");
	assert_string_equal(e.hint, "");
	assert_false(e.from_server);
	assert_int_equal(err_set(&e, ERR_IO, "again: %s", e.msg), -1); /* from itself */
	assert_string_equal(e.msg, "again: bad 7");
	errno = ENOENT;
	err_set(&e, ERR_IO, "%m");
	assert_string_equal(e.msg, "No such file or directory");
}

static void prefixes(void **state)
{
	struct err e;

	(void)state;
	err_set(&e, ERR_CONFIG, "unknown option");
	assert_int_equal(err_prefix(&e, "line %d", 3), -1);
	assert_int_equal(err_prefix(&e, "pgiam.ini"), -1);
	assert_string_equal(e.msg, "pgiam.ini: line 3: unknown option");
	err_detail(&e, "One.");
	err_detail(&e, "%s.", "Two");
	assert_string_equal(e.detail, "One. Two.");
	err_hint(&e, "Do %s.", "this");
	assert_string_equal(err_hint_text(&e), "Do this.");
	err_hint(&e, "%s Now.", e.hint);
	assert_string_equal(err_hint_text(&e), "Do this. Now.");
}

static void hints(void **state)
{
	struct err e;

	(void)state;
	err_set(&e, ERR_NONE, "x");
	assert_string_equal(err_hint_text(&e), "");
	err_set(&e, ERR_REGION, "x");
	assert_string_equal(err_hint_text(&e), err_info(ERR_REGION)->hint);
}

static void null_is_fine(void **state)
{
	(void)state;
	assert_int_equal(err_set(NULL, ERR_IO, "x"), -1);
	assert_int_equal(err_prefix(NULL, "x"), -1);
	err_detail(NULL, "x");
	err_hint(NULL, "x");
}

static void cuts_at_a_character(void **state)
{
	static const char *const chars[] = {"a", "\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x90\x98"};
	struct err e;

	(void)state;
	for (size_t c = 0; c < 4; c++)
		for (size_t shift = 0; shift < 4; shift++) {
			char text[3000] = "";

			memset(text, 'x', shift);
			while (strlen(text) < 2000)
				memcpy(text + strlen(text), chars[c], strlen(chars[c]));
			err_set(&e, ERR_IO, "%s", text);
			assert_true(strlen(e.msg) < sizeof(e.msg) && strlen(e.msg) > sizeof(e.msg) - 5);
			assert_true(is_utf8(e.msg));
			err_prefix(&e, "context %.*s", (int)shift, text);
			assert_true(strlen(e.msg) < sizeof(e.msg) && strlen(e.msg) > sizeof(e.msg) - 5);
			assert_true(is_utf8(e.msg));
			err_detail(&e, "%s", text);
			err_detail(&e, "%s", text);
			assert_true(strlen(e.detail) < sizeof(e.detail) &&
				    strlen(e.detail) > sizeof(e.detail) - 5);
			assert_true(is_utf8(e.detail));
			err_hint(&e, "%s", text);
			assert_true(is_utf8(e.hint));
			/* a prefix that leaves no room for the message */
			err_prefix(&e, "%s", text);
			assert_true(is_utf8(e.msg));
		}
	/* what was no character is cut too, but nothing breaks */
	char junk[1000];
	memset(junk, 0x80, sizeof(junk) - 1);
	junk[sizeof(junk) - 1] = '\0';
	err_set(&e, ERR_IO, "%s", junk);
	assert_int_equal(strlen(e.msg), sizeof(e.msg) - 1);
}

static void news(void **state)
{
	const uint64_t sec = 1000000;
	struct err a, b;
	uint64_t told = 0;

	(void)state;
	err_set(&a, ERR_IO, "no disk");
	err_set(&b, ERR_IO, "no disk");
	assert_true(err_is_news(&a, NULL, 100 * sec, &told));
	assert_int_equal(told, 100 * sec);
	err_detail(&b, "5 s ago"); /* told of each time anew */
	assert_false(err_is_news(&b, &a, 109 * sec, &told));
	assert_int_equal(told, 100 * sec);
	assert_true(err_is_news(&b, &a, 110 * sec, &told));
	assert_int_equal(told, 110 * sec);
	err_set(&b, ERR_IO, "no paper");
	assert_true(err_is_news(&b, &a, 111 * sec, &told));
	err_set(&b, ERR_CONFIG, "no disk");
	assert_true(err_is_news(&b, &a, 112 * sec, &told));
	assert_true(err_is_news(&a, NULL, 113 * sec, &told)); /* all was well between */
	assert_int_equal(told, 113 * sec);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_row_is_whole), cmocka_unit_test(sets),
		cmocka_unit_test(prefixes),           cmocka_unit_test(hints),
		cmocka_unit_test(classes), cmocka_unit_test(null_is_fine),       cmocka_unit_test(cuts_at_a_character),
		cmocka_unit_test(news),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
