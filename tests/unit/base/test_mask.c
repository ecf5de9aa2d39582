/* Secrets that others say back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <cmocka.h>
#include "../guard.h"
#include "base/mask.h"

#define TOKEN    "IQoJb3JpZ2luX2VjE/rAbCdEfGhIjKlM+oPqRsTuVwXyZ0123456789=="
#define PASSWORD "p4ssw:rd"

static void masked(void **state)
{
	static const struct {
		const char *text, *shown;
	} cases[] = {
		{"",						"" },
		{"the token is expired",                        "the token is expired" },
		{TOKEN,						"***" },
		{"x-amz-security-token:" TOKEN "\nhost",        "x-amz-security-token:***\\nhost" },
		{TOKEN TOKEN,					"***" },
		{TOKEN " and " TOKEN,                           "*** and ***" },
		/* pieces, from anywhere in it: what is shorter tells too little */
		{"(IQoJb3JpZ2luX2Vj)",				"(***)" },
		{"(QoJb3JpZ2luX2VjE/)",                         "(***)" },
		{"(XyZ0123456789==)",                           "(XyZ0123456789==)" },
		{"(wXyZ0123456789==)",                          "(***)" },
		{"(IQoJb3JpZ2luX2V)",				"(IQoJb3JpZ2luX2V)" },
		{"IQoJb3JpZ2luX2VjXbCdEfGhIjKlM+oP",            "***XbCdEfGhIjKlM+oP" },
		/* written otherwise */
		{"iqojb3jpz2lux2vje/rabcdefghijklm",            "***" },
		{"t=IQoJb3JpZ2luX2VjE%2FrAbCdEfGhIjKlM%2BoPq&", "t=***&" },
		{"t=ojb3jpz2lux2vje%2frabcdef&",                "t=***&" },
		/* a short one only as a whole */
		{"as " PASSWORD "!",				"as ***!" },
		{"as P4SSW%3ard!",				"as ***!" },
		{"as p4ssw:r",					"as p4ssw:r" },
		{"as 4ssw:rd",					"as 4ssw:rd" },
		/* one that may be any word */
		{"a secret word",				"a secret word" },
		{"a\tb\x01\xff\"",                              "a\\tb\\x01\\xff\\\"" },
	};
	struct mask also = {NULL, NULL}, m = {NULL, &also};

	(void)state;
	mask_add(&also, slice_str(PASSWORD));
	mask_add(&m, slice_str(TOKEN));
	mask_add(&m, slice_str("secret"));
	mask_add(&m, slice_of(NULL, 0));
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		size_t n = strlen(cases[i].text);
		unsigned char *g = guard_copy(cases[i].text, n);
		char out[256];

		mask_printable(&m, slice_of(g, n), out, sizeof(out));
		assert_string_equal(out, cases[i].shown);
		assert_int_equal(mask_finds(&m, slice_of(g, n)), strstr(cases[i].shown, "***") != NULL);
		mask_printable(NULL, slice_of(g, n), out, sizeof(out));
		assert_null(strstr(out, "***"));
		assert_false(mask_finds(NULL, slice_of(g, n)));
		guard_free(g, n);
	}
	mask_fini(&m);
	mask_fini(&also);
	mask_fini(&also);
	assert_false(mask_finds(&m, slice_str(TOKEN)));
}

/* What is cut is masked before: no end of it is short enough to be shown. */
static void cut(void **state)
{
	struct mask m = {NULL, NULL};
	char text[2 * MASK_TEXT_MAX], out[64];
	struct buf b;

	(void)state;
	mask_add(&m, slice_str(TOKEN));
	for (size_t at = 0; at < 70; at++) {
		memset(text, '.', sizeof(text));
		memcpy(text + at, TOKEN, sizeof(TOKEN) - 1);
		mask_printable(&m, slice_of(text, at + sizeof(TOKEN) - 1), out, sizeof(out));
		assert_null(strchr(out, 'I'));
		assert_true(strlen(out) < sizeof(out));
	}
	buf_init(&b, SIZE_MAX);
	for (size_t at = MASK_TEXT_MAX - sizeof(TOKEN); at < MASK_TEXT_MAX + 2; at++) {
		memset(text, '.', sizeof(text));
		memcpy(text + at, TOKEN, sizeof(TOKEN) - 1);
		buf_clear(&b);
		mask_text(&m, slice_of(text, sizeof(text)), &b);
		assert_null(memchr(b.p, 'I', b.n));
		assert_true(b.n <= MASK_TEXT_MAX);
	}
	buf_free(&b);
	mask_fini(&m);
}

/* Of the time that masking a text takes, in the processor. */
static clock_t takes(const struct mask *m, struct slice text)
{
	clock_t began = clock();

	assert_int_equal(mask_finds(m, text), text.p[0] == 'a');
	return clock() - began;
}

/* Who may choose both secret and text cannot have it work for long: a text that is longer by 16 costs no more than its
 * length's logarithm. (It cost 16 times as much: a hundred milliseconds for a token of one letter.) */
static void secrets_that_repeat_themselves(void **state)
{
	static char secret[1 << 20], text[MASK_TEXT_MAX];
	struct mask m = {NULL, NULL};

	(void)state;
	memset(secret, 'a', sizeof(secret));
	mask_add(&m, slice_of(secret, sizeof(secret)));
	for (int alike = 0; alike < 2; alike++) {
		clock_t little, much;

		memset(text, 'a', sizeof(text));
		for (size_t i = 0; !alike && i < sizeof(text); i += MASK_PIECE_BYTES)
			text[i] = 'b';
		little = takes(&m, slice_of(text, sizeof(text) / 16));
		much = takes(&m, slice_of(text, sizeof(text)));
		assert_true(much / 6 <= little);
	}
	mask_fini(&m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(masked),
		cmocka_unit_test(cut),
		cmocka_unit_test(secrets_that_repeat_themselves),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
