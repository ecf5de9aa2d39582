/* base/enc. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdlib.h>
#include <cjson/cJSON.h>
#include <cmocka.h>
#include "base/enc.h"
#include "../guard.h"

typedef int (*enc_fn)(struct buf *out, struct slice in);

/* The result of f on n guarded bytes; "(refused)" if it refuses. */
static void gives(enc_fn f, const char *in, size_t n, const char *want, size_t want_n)
{
	unsigned char *p = guard_copy(in, n);
	struct buf b;

	buf_init(&b, 1000);
	buf_add_str(&b, "before");
	assert_int_equal(f(&b, slice_of(p, n)), 0);
	buf_drop_front(&b, 6);
	assert_int_equal(b.n, want_n);
	assert_memory_equal(buf_cstr(&b), want, want_n);
	buf_free(&b);
	/* all or nothing when there is no room */
	for (size_t max = 0; max < want_n; max++) {
		buf_init(&b, max);
		assert_int_equal(f(&b, slice_of(p, n)), -1);
		assert_int_equal(b.n, 0);
		buf_free(&b);
	}
	guard_free(p, n);
}

#define GIVES(f, in, want) gives((f), (in), sizeof(in) - 1, (want), sizeof(want) - 1)

static void refuses(enc_fn f, const char *in, size_t n)
{
	unsigned char *p = guard_copy(in, n);
	struct buf b;

	buf_init(&b, 1000);
	buf_add_str(&b, "before");
	assert_int_equal(f(&b, slice_of(p, n)), -1);
	assert_string_equal(buf_cstr(&b), "before");
	buf_free(&b);
	guard_free(p, n);
}

static void hex(void **state)
{
	(void)state;
	GIVES(enc_hex, "", "");
	GIVES(enc_hex, "\x00\x0f\xf0\xff\xa5", "000ff0ffa5");
}

static void base64(void **state)
{
	(void)state; /* RFC 4648 section 10 */
	GIVES(enc_base64, "", "");
	GIVES(enc_base64, "f", "Zg==");
	GIVES(enc_base64, "fo", "Zm8=");
	GIVES(enc_base64, "foo", "Zm9v");
	GIVES(enc_base64, "foobar", "Zm9vYmFy");
	GIVES(enc_base64, "\xff\xef\xbe", "/+++");
	GIVES(enc_base64url, "", "");
	GIVES(enc_base64url, "f", "Zg");
	GIVES(enc_base64url, "fo", "Zm8");
	GIVES(enc_base64url, "foo", "Zm9v");
	GIVES(enc_base64url, "\xff\xef\xbe", "_---");
	GIVES(enc_base64_decode, "", "");
	GIVES(enc_base64_decode, "Zg==", "f");
	GIVES(enc_base64_decode, "Zm8=", "fo");
	GIVES(enc_base64_decode, "Zm9vYmFy", "foobar");
	GIVES(enc_base64_decode, "/+++", "\xff\xef\xbe");
	GIVES(enc_base64_decode, "AAAA09az", "\0\0\0\xd3\xd6\xb3");
}

static void base64_is_strict(void **state)
{
	static const char *const bad[] = {
		"Z",    "Zg",    "Zg=",    "Zg===",    "====",     "Z===",     "=Zg=", "Zg=a",
		"Zh==", "Zm9=",  "Zm9v\n", "Zm 9",     "Zg==Zg==", "Zm8=Zm9v", "Zm9-", "Zm9_",
		"Zm9!", "Zm9v=", "Z=g=",   "Zm9vZ===", "Zm9vZh==", "\x80m9v",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		refuses(enc_base64_decode, bad[i], strlen(bad[i]));
	refuses(enc_base64_decode, "Zm\0v", 4);
}

static void base64_round_trip(void **state)
{
	unsigned char all[256];

	(void)state;
	for (int i = 0; i < 256; i++)
		all[i] = (unsigned char)i;
	for (size_t n = 0; n <= sizeof(all); n++) {
		struct buf text, back;

		buf_init(&text, 1000);
		buf_init(&back, 1000);
		assert_int_equal(enc_base64(&text, slice_of(all, n)), 0);
		assert_int_equal(enc_base64_decode(&back, buf_slice(&text)), 0);
		assert_true(slice_eq(buf_slice(&back), slice_of(all, n)));
		buf_free(&text);
		buf_free(&back);
	}
}

static void percent(void **state)
{
	(void)state;
	GIVES(enc_percent, "", "");
	GIVES(enc_percent, "AZaz09-._~", "AZaz09-._~");
	GIVES(enc_percent, " +/=&%*", "%20%2B%2F%3D%26%25%2A");
	GIVES(enc_percent, "\x00\x7f\x80\xff[@`{:", "%00%7F%80%FF%5B%40%60%7B%3A");
}

static void utf8(void **state)
{
	static const struct {
		const char *s;
		size_t n;
		uint32_t cp;
	} good[] = {
		{"\0",               1, 0       },
		{"A",                1, 'A'     },
		{"\x7f",             1, 0x7f    },
		{"\xc2\x80",         2, 0x80    },
		{"\xdf\xbf",         2, 0x7ff   },
		{"\xe0\xa0\x80",     3, 0x800   },
		{"\xed\x9f\xbf",     3, 0xd7ff  },
		{"\xee\x80\x80",     3, 0xe000  },
		{"\xef\xbf\xbf",     3, 0xffff  },
		{"\xf0\x90\x80\x80", 4, 0x10000 },
		{"\xf4\x8f\xbf\xbf", 4, 0x10ffff},
	};
	static const char *const bad[] = {
		"\x80",
		"\xbf",
		"\xc0\x80",
		"\xc1\xbf",
		"\xe0\x80\x80",
		"\xe0\x9f\xbf",
		"\xed\xa0\x80",
		"\xed\xbf\xbf",
		"\xf0\x8f\xbf\xbf",
		"\xf4\x90\x80\x80",
		"\xf5\x80\x80\x80",
		"\xf8\x88\x80\x80\x80",
		"\xff",
		"\xfe",
		"\xc2"
		"A",
		"\xe2\x82"
		"A",
		"\xe2"
		"A\x82",
	};
	uint32_t cp;

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		size_t n = good[i].n;

		for (size_t cut = 0; cut <= n; cut++) {
			unsigned char *p = guard_copy(good[i].s, cut);

			cp = 77;
			assert_int_equal(enc_utf8_next(slice_of(p, cut), &cp), cut == n ? n : 0);
			assert_int_equal(cp, cut == n ? good[i].cp : 77);
			assert_int_equal(enc_is_utf8(slice_of(p, cut)),
					 cut == 0 || (cut == n && good[i].cp != 0));
			guard_free(p, cut);
		}
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(enc_utf8_next(slice_str(bad[i]), &cp), 0);
		assert_false(enc_is_utf8(slice_str(bad[i])));
	}
	assert_true(enc_is_utf8(slice_str("gr\xc3\xbc\xc3\x9f"
					  "e \xf0\x9f\x90\x98")));
	assert_false(enc_is_utf8(slice_of("a\0b", 3)));
}

static int printable_100(struct buf *out, struct slice in)
{
	return enc_printable(out, in, 100);
}

static int json_100(struct buf *out, struct slice in)
{
	return enc_json(out, in, 100);
}

static void printable(void **state)
{
	(void)state;
	GIVES(printable_100, "", "");
	GIVES(printable_100,
	      "plain gr\xc3\xbc\xc3\x9f"
	      "e",
	      "plain gr\xc3\xbc\xc3\x9f"
	      "e");
	GIVES(printable_100, "a\"b\\c\nd\re\tf", "a\\\"b\\\\c\\nd\\re\\tf");
	GIVES(printable_100, "\x00\x1b[31m\x7f", "\\x00\\x1b[31m\\x7f");
	GIVES(printable_100,
	      "\xff"
	      "a\xe2\x82",
	      "\\xffa\\xe2\\x82");
	GIVES(printable_100,
	      "\xc2\x9b"
	      "31m",
	      "\\xc2\\x9b31m"); /* C1: a terminal takes it for ESC [ */
	GIVES(printable_100,
	      "\xe2\x80\xae"
	      "abc",
	      "\\xe2\\x80\\xae"
	      "abc");                                                     /* right-to-left override */
	GIVES(printable_100, "\xf3\xa0\x81\x81", "\\xf3\\xa0\\x81\\x81"); /* an invisible tag character */
}

static void json(void **state)
{
	(void)state;
	GIVES(json_100, "", "");
	GIVES(json_100, "a\"b\\c\nd\re\tf", "a\\\"b\\\\c\\nd\\re\\tf");
	GIVES(json_100, "\x00\x1b\x7f", "\\u0000\\u001b\\u007f");
	GIVES(json_100,
	      "\xff"
	      "a\xe2\x82",
	      "\\ufffda\\ufffd\\ufffd");
	GIVES(json_100, "\xe2\x80\xae", "\\u202e");
	GIVES(json_100, "\xf3\xa0\x81\x81", "\\udb40\\udc41");
	GIVES(json_100, "\xf0\x9f\x90\x98", "\xf0\x9f\x90\x98");
}

static void cuts(void **state)
{
	static const struct {
		size_t max;
		const char *want;
	} rows[] = {
		{0,  ""			},
		{1,  "."		       },
		{2,  ".."                      },
		{3,  "..."                     },
		{4,  "a..."                    },
		{5,  "a..."                    },
		{6,  "a\\n..."                 },
		{7,  "a\\nb..."                },
		{8,  "a\\nb..."                },
		{9,  "a\\nb\xc3\xbc..."        },
		{10, "a\\nb\xc3\xbc"
		     "cdef"},
		{11, "a\\nb\xc3\xbc"
		     "cdef"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct buf b;

		buf_init(&b, 100);
		assert_int_equal(enc_printable(&b,
					       slice_str("a\nb\xc3\xbc"
							 "cdef"),
					       rows[i].max),
				 0);
		assert_string_equal(buf_cstr(&b), rows[i].want);
		buf_free(&b);
	}
	/* cut to something that does not fit the buffer */
	struct buf b;
	buf_init(&b, 4);
	assert_int_equal(enc_printable(&b, slice_str("abcdefgh"), 5), -1);
	assert_int_equal(b.n, 0);
	buf_free(&b);
}

static uint32_t next_random(uint32_t *x)
{
	*x = *x * 1664525 + 1013904223;
	return *x >> 8;
}

static void whatever_comes_is_printable_and_json(void **state)
{
	uint32_t x = 1;

	(void)state;
	for (int round = 0; round < 3000; round++) {
		unsigned char raw[40];
		size_t n = next_random(&x) % sizeof(raw), max = next_random(&x) % 80;
		struct buf b, doc;
		unsigned char *p;

		for (size_t i = 0; i < n; i++)
			raw[i] = (unsigned char)(next_random(&x) % 3 ? next_random(&x)
								     : 0xc0 | next_random(&x));
		p = guard_copy(raw, n);
		buf_init(&b, 1000);
		buf_init(&doc, 1000);
		assert_int_equal(enc_printable(&b, slice_of(p, n), max), 0);
		assert_true(b.n <= max && enc_is_utf8(buf_slice(&b)));
		for (size_t i = 0; i < b.n; i++)
			assert_true(b.p[i] >= 0x20 && b.p[i] != 0x7f);
		buf_clear(&b);
		assert_int_equal(enc_json(&b, slice_of(p, n), max), 0);
		assert_true(b.n <= max && enc_is_utf8(buf_slice(&b)));
		buf_printf(&doc, "\"%s\"", buf_cstr(&b));
		cJSON *v = cJSON_ParseWithOpts(buf_cstr(&doc), NULL, 1);
		/* cJSON has no NUL in strings: such a text it may refuse */
		assert_true(v != NULL || strstr(buf_cstr(&doc), "\\u0000"));
		cJSON_Delete(v);
		buf_free(&b);
		buf_free(&doc);
		guard_free(p, n);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(hex),
		cmocka_unit_test(base64),
		cmocka_unit_test(base64_is_strict),
		cmocka_unit_test(base64_round_trip),
		cmocka_unit_test(percent),
		cmocka_unit_test(utf8),
		cmocka_unit_test(printable),
		cmocka_unit_test(json),
		cmocka_unit_test(cuts),
		cmocka_unit_test(whatever_comes_is_printable_and_json),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
