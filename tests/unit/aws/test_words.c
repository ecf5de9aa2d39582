#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "aws/words.h"
#include "base/buf.h"
#include "base/mem.h"

/* As Python's shlex.split has them; words are shown in |...|. */
static const struct {
	const char *line, *words; /* NULL: refused */
} cases[] = {
	{"a",			      "|a|"		    },
	{" a\tb  c\n",                     "|a|b|c|"                },
	{"/opt/x --user 'a b'",            "|/opt/x|--user|a b|"    },
	{"a\"b c\"d",		      "|ab cd|"                },
	{"'' \"\" x",		      "|||x|"                  },
	{"a\\ b \\\"c \\\\",               "|a b|\"c|\\|"           },
	{"'a\\b' \"a\\b\" \"a\\\"b\\\\\"", "|a\\b|a\\b|a\"b\\|"     },
	{"\"\\$X \\`y\\`\"",               "|$X `y`|"               },
	{"a;b | c > $HOME `d` *",          "|a;b|||c|>|$HOME|`d`|*|"},
	{"# a",			    "|#|a|"                  },
	{"'a",			     NULL		     },
	{"\"a",			    NULL		     },
	{"a\\",			    NULL		     },
	{"\"a\\",			  NULL                     },
	{"",			       NULL		     },
	{" \t ",			   NULL		     },
};

static void splits(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct err e;
		char **w = words_split(cases[i].line, &e);
		struct buf got;

		buf_init(&got, 4096);
		buf_add_char(&got, '|');
		for (char **p = w; p && *p; p++)
			buf_printf(&got, "%s|", *p);
		if (!w)
			assert_int_equal(e.code, ERR_CREDENTIALS);
		if (!w != !cases[i].words || (w && strcmp(buf_cstr(&got), cases[i].words) != 0))
			fail_msg("case %zu: %s", i, w ? buf_cstr(&got) : e.msg);
		buf_free(&got);
		words_free(w);
	}
}

static void limits(void **state)
{
	struct buf line;
	struct err e;
	char **w;

	(void)state;
	buf_init(&line, 2 * WORDS_MAX_BYTES);
	for (int i = 0; i < WORDS_MAX; i++)
		buf_add_str(&line, "a ");
	w = words_split(buf_cstr(&line), &e);
	assert_non_null(w);
	assert_null(w[WORDS_MAX]);
	words_free(w);
	buf_add_str(&line, "a");
	assert_null(words_split(buf_cstr(&line), &e));
	buf_clear(&line);
	while (line.n < WORDS_MAX_BYTES)
		buf_add_char(&line, 'a');
	w = words_split(buf_cstr(&line), &e);
	assert_int_equal(strlen(w[0]), WORDS_MAX_BYTES);
	words_free(w);
	buf_add_char(&line, 'a');
	assert_null(words_split(buf_cstr(&line), &e));
	buf_free(&line);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(splits), cmocka_unit_test(limits)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
