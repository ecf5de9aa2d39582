#include "pg_test.h"
#include <time.h>
#include "pg/saslprep.h"
#include "pg/unicode.h"

/* out NULL: does not apply, the raw bytes are the password. Each of these was compared with what PostgreSQL
 * 15 stored. */
static void prepared(void **state)
{
	static const struct {
		const char *in, *out;
	} cases[] = {
  /* RFC 4013 section 3 */
		{"I\xc2\xadX",                           "IX"                              },
		{"user",				 "user"                            },
		{"USER",				 "USER"                            },
		{"\xc2\xaa",			     "a"                               },
		{"\xe2\x85\xa8",                         "IX"                              },
		{"\xd8\xa7\x31",                         NULL                              }, /* right to left, then a digit */
  /* ASCII passes, control characters included; beside other characters they do not */
		{"\x01\x7f tab\t",                       "\x01\x7f tab\t"                  },
		{"\xc3\xa9\x07",                         NULL                              },
 /* what is typed on other systems */
		{"Mu\xcc\x88ller",                       "M\xc3\xbcller"                   },
		{"M\xc3\xbcller",                        "M\xc3\xbcller"                   },
		{"m\xc2\xb2 \xc2\xb5",                   "m2 \xce\xbc"                     },
		{"\xef\xbc\xa1\xef\xbd\x82\xef\xbc\x91", "Ab1"                             },
		{"\xef\xac\x81\xe2\x84\xa2",             "fiTM"                            },
		{"\xe2\x82\xac",                         "\xe2\x82\xac"                    },
		{"a\xc2\xa0\xe3\x80\x80\xe2\x80\x8b.",   "a   ."                           },
		{"\xe1\x84\x92\xe1\x85\xa1\xe1\x86\xab", "\xed\x95\x9c"                    }, /* Hangul */
		{"\xed\x95\x98\xe1\x86\xab",             "\xed\x95\x9c"                    },
		{"\xed\x95\x9c",                         "\xed\x95\x9c"                    },
		{"q\xcc\xa3\xcc\x87",                    "q\xcc\xa3\xcc\x87"               },
		{"q\xcc\x87\xcc\xa3",                    "q\xcc\xa3\xcc\x87"               }, /* marks in order */
		{"a\xcc\xa3\xcc\x82",                    "\xe1\xba\xad"                    },
		{"a\xcc\x82\xcc\xa3",                    "\xe1\xba\xad"                    },
		{"\xe2\x84\xab",                         "\xc3\x85"                        },
		{"\xf0\x9d\x94\x98",                     "U"                               },
		{"\xd7\xa9\xd7\x9c\xd7\x95\xd7\x9d",     "\xd7\xa9\xd7\x9c\xd7\x95\xd7\x9d"},
		{"\xd7\xa9"
		 "1\xd7\x9d",           "\xd7\xa9"
		 "1\xd7\x9d"                 },
 /* refused: mixed directions, unassigned in Unicode 3.2 (emoji), private use, no UTF-8,
  nothing left */
		{"\xd7\xa9"
		 "a\xd7\x9d",           NULL			      },
		{"1\xd7\xa9",                            NULL                              },
		{"\xf0\x9f\x98\x80",                     NULL                              },
		{"\xee\x80\x80",                         NULL                              },
		{"x\xe2\x80\x8e",                        NULL                              },
		{"\xc3",				 NULL			      },
		{"\xc3\xa9\xff",                         NULL                              },
		{"\xed\xa0\x80",                         NULL                              },
		{"\xc2\xad\xe2\x80\x8d",                 NULL                              },
		{"",				     NULL			      },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		size_t n = strlen(cases[i].in);
		void *copy = guard_copy(cases[i].in, n);
		struct buf b;

		buf_init(&b, 100);
		assert_int_equal(saslprep(&b, slice_of(copy, n)), cases[i].out ? 0 : -1);
		assert_string_equal(buf_cstr(&b), cases[i].out ? cases[i].out : "");
		buf_free(&b);
		guard_free(copy, n);
	}
}

/* The character that becomes the longest text: 18 characters, 33 bytes. */
static void longest(void **state)
{
	struct buf b;

	(void)state;
	for (size_t max = 0; max < 40; max++) {
		buf_init(&b, max);
		assert_int_equal(saslprep(&b, BYTES("\xef\xb7\xba")), max >= 33 ? 0 : -1);
		assert_int_equal(b.n, max >= 33 ? 33 : 0);
		buf_free(&b);
	}
}

static void check_cut(struct slice cut, bool whole)
{
	struct buf b;

	(void)whole;
	buf_init(&b, 1000);
	/* good exactly at the ends of characters: 1, 3, 6, 10 bytes */
	assert_int_equal(saslprep(&b, cut), cut.n == 1 || cut.n == 3 || cut.n == 6 || cut.n == 10 ? 0 : -1);
	buf_free(&b);
}

static void every_cut(void **state)
{
	(void)state;
	each_cut(BYTES("a\xc3\xa9\xe2\x82\xac\xf0\x9d\x94\x98"), check_cut);
}

/* Every code point alone: what it becomes stays as it is. */
static void idempotent(void **state)
{
	struct unicode *u = unicode_new();
	struct buf in, once, twice;
	uint32_t nine = 0x2168; /* becomes I and X */
	size_t changed = 0;

	(void)state;
	buf_init(&in, 4);
	buf_init(&once, 100);
	buf_init(&twice, 100);
	for (uint32_t cp = 0; cp < 0x110000; cp++) {
		enum unicode_class class = unicode_class_of(u, cp);

		if (class == UNICODE_BAD || class == UNICODE_SPACE || class == UNICODE_NOTHING)
			continue;
		buf_clear(&in);
		buf_clear(&once);
		buf_clear(&twice);
		buf_add(&in, &cp, sizeof(cp));
		assert_int_equal(unicode_nfkc(u, &in, &once), 0);
		assert_int_equal(unicode_nfkc(u, &once, &twice), 0);
		assert_true(slice_eq(buf_slice(&once), buf_slice(&twice)));
		changed += !slice_eq(buf_slice(&in), buf_slice(&once));
	}
	assert_int_equal(changed, 4221); /* as many as Python's unicodedata changes */
	/* nothing in, nothing out; and no room */
	buf_clear(&in);
	buf_clear(&once);
	assert_int_equal(unicode_nfkc(u, &in, &once), 0);
	assert_int_equal(once.n, 0);
	buf_clear(&twice);
	buf_add(&twice, &nine, sizeof(nine));
	assert_int_equal(unicode_nfkc(u, &twice, &in), -1);
	buf_free(&in);
	buf_free(&once);
	buf_free(&twice);
	unicode_free(u);
	unicode_free(NULL);
}

static void classes(void **state)
{
	static const struct {
		uint32_t cp;
		enum unicode_class class;
	} cases[] = {
		{0,        UNICODE_BAD          },
		{0x1f,     UNICODE_BAD          },
		{' ',      UNICODE_OTHER        },
		{'A',      UNICODE_LEFT_TO_RIGHT},
		{'0',      UNICODE_OTHER        },
		{0x7f,     UNICODE_BAD          },
		{0xa0,     UNICODE_SPACE        },
		{0xad,     UNICODE_NOTHING      },
		{0x221,    UNICODE_BAD          },
		{0x5d0,    UNICODE_RIGHT_TO_LEFT},
		{0x200b,   UNICODE_SPACE        },
		{0x200d,   UNICODE_NOTHING      },
		{0xac00,   UNICODE_LEFT_TO_RIGHT},
		{0xd800,   UNICODE_BAD          },
		{0xfeff,   UNICODE_NOTHING      },
		{0x10ffff, UNICODE_BAD          },
	};
	struct unicode *u = unicode_new();

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_int_equal(unicode_class_of(u, cases[i].cp), cases[i].class);
	unicode_free(u);
}

/* A stranger's password of nothing but marks in the worst order: time grows with its length, not with the square of it,
 * which at this length would be five seconds, or a minute with a sanitizer. */
static void many_marks(void **state)
{
	enum { EACH = 16384 };
	struct buf in, out;
	clock_t begin;

	(void)state;
	buf_init(&in, 8 * EACH);
	buf_init(&out, 64 * EACH);
	for (int i = 0; i < EACH; i++)
		buf_add_str(&in, "\xcd\x84"); /* U+0344: two marks of class 230 */
	for (int i = 0; i < EACH; i++)
		buf_add_str(&in, "\xcc\xb4"); /* U+0334: one of class 1, which goes in front of all of those */
	begin = clock();
	assert_int_equal(saslprep(&out, buf_slice(&in)), 0);
	assert_true(clock() - begin < 3 * CLOCKS_PER_SEC);
	assert_int_equal(out.n, 6 * EACH);
	for (int i = 0; i < EACH; i++)
		assert_memory_equal(out.p + 2 * i, "\xcc\xb4", 2);
	for (int i = 0; i < EACH; i++)
		assert_memory_equal(out.p + 2 * EACH + 4 * i, "\xcc\x88\xcc\x81", 4);
	buf_free(&in);
	buf_free(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(prepared),   cmocka_unit_test(longest), cmocka_unit_test(every_cut),
		cmocka_unit_test(idempotent), cmocka_unit_test(classes),  cmocka_unit_test(many_marks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
