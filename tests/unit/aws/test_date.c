#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <cmocka.h>
#include "aws/date.h"

#define SEC INT64_C(1000000)

static void parsed(void **state)
{
	static const struct {
		const char *text;
		int64_t us; /* -1: refused */
	} cases[] = {
		{"1970-01-01T00:00:00Z",           0                        },
		{"2026-01-15T12:34:56Z",           1768480496 * SEC         },
		{"2026-01-15t12:34:56z",           1768480496 * SEC         },
		{"2026-01-15 12:34:56+00:00",      1768480496 * SEC         },
		{"2026-01-15T14:34:56+02:00",      1768480496 * SEC         },
		{"2026-01-15T07:04:56-05:30",      1768480496 * SEC         },
		{"2026-01-15T12:34:56.5Z",         1768480496 * SEC + 500000},
		{"2026-01-15T12:34:56.123456789Z", 1768480496 * SEC + 123456},
		{"2000-02-29T00:00:00Z",           951782400 * SEC          },
		{"2028-02-29T23:59:59Z",           1835481599 * SEC         },
		{"2016-12-31T23:59:60Z",           1483228800 * SEC         },
		{"9999-12-31T23:59:59Z",           253402300799 * SEC       },
		{"1970-01-01T00:00:00+00:01",      -1                       },
		{"9999-12-31T23:59:59-00:01",      -1                       },
		{"1969-12-31T23:59:59Z",           -1                       },
		{"2100-02-29T00:00:00Z",           -1                       },
		{"2026-02-29T00:00:00Z",           -1                       },
		{"2026-00-15T12:34:56Z",           -1                       },
		{"2026-13-15T12:34:56Z",           -1                       },
		{"2026-01-00T12:34:56Z",           -1                       },
		{"2026-01-32T12:34:56Z",           -1                       },
		{"2026-01-15T24:00:00Z",           -1                       },
		{"2026-01-15T12:60:00Z",           -1                       },
		{"2026-01-15T12:34:61Z",           -1                       },
		{"2026-01-15T12:34:56",            -1                       },
		{"2026-01-15T12:34:56.Z",          -1                       },
		{"2026-01-15T12:34:56Zx",          -1                       },
		{"2026-01-15T12:34:56+24:00",      -1                       },
		{"2026-01-15T12:34:56+0200",       -1                       },
		{"2026-1-15T12:34:56Z",            -1                       },
		{"+026-01-15T12:34:56Z",           -1                       },
		{" 2026-01-15T12:34:56Z",          -1                       },
		{"20260115T123456Z",               -1                       },
		{"",			       -1		       },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		int64_t us = -7;
		int rc = date_parse_rfc3339(slice_str(cases[i].text), &us);

		if (rc != (cases[i].us < 0 ? -1 : 0) || us != (cases[i].us < 0 ? -7 : cases[i].us))
			fail_msg("%s: %d, %lld", cases[i].text, rc, (long long)us);
	}
}

static void truncated(void **state)
{
	const char *text = "2026-01-15T12:34:56.25+02:00";
	int64_t us;

	(void)state;
	for (size_t n = 0; n < strlen(text); n++) {
		char *exact = malloc(n ? n : 1); /* so that ASan sees a byte read behind it */

		memcpy(exact, text, n);
		assert_int_equal(date_parse_rfc3339(slice_of(exact, n), &us), -1);
		free(exact);
	}
}

/* Against the C library, a prime number of seconds apart, over all years there are. */
static void formatted(void **state)
{
	(void)state;
	for (int64_t sec = 0; sec < INT64_C(253402300800); sec += 2500009) {
		char amz[DATE_AMZ_SIZE], rfc[DATE_RFC3339_SIZE], want[64];
		time_t t = (time_t)sec;
		struct tm tm;
		int64_t back;

		gmtime_r(&t, &tm);
		date_format_amz(sec * SEC + 999999, amz);
		strftime(want, sizeof(want), "%Y%m%dT%H%M%SZ", &tm);
		assert_string_equal(amz, want);
		date_format_rfc3339(sec * SEC, rfc);
		strftime(want, sizeof(want), "%Y-%m-%dT%H:%M:%SZ", &tm);
		assert_string_equal(rfc, want);
		assert_int_equal(date_parse_rfc3339(slice_str(rfc), &back), 0);
		assert_true(back == sec * SEC);
	}
}

static void ends(void **state)
{
	char when[DATE_RFC3339_SIZE];

	(void)state;
	assert_null(date_of_end(0, when));
	assert_ptr_equal(date_of_end(SEC, when), when);
	assert_string_equal(when, "1970-01-01T00:00:01Z");
}

static void outside(void **state)
{
	char amz[DATE_AMZ_SIZE];

	(void)state;
	date_format_amz(-1, amz);
	assert_string_equal(amz, "19700101T000000Z");
	date_format_amz(INT64_MIN, amz);
	assert_string_equal(amz, "19700101T000000Z");
	date_format_amz(INT64_MAX, amz);
	assert_string_equal(amz, "99991231T235959Z");
}

static void spans(void **state)
{
	static const struct {
		int64_t us;
		const char *text;
	} cases[] = {
		{0,                 "0 s"            },
		{59 * SEC + 999999, "59 s"           },
		{-45 * SEC,         "45 s"           },
		{60 * SEC,          "1 min"          },
		{3599 * SEC,        "59 min"         },
		{3600 * SEC,        "1 h 00 min"     },
		{86399 * SEC,       "23 h 59 min"    },
		{86400 * SEC,       "1 d 0 h"        },
		{INT64_MIN,         "106751991 d 4 h"},
	};
	char out[DATE_SPAN_SIZE];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		date_format_span(cases[i].us, out);
		assert_string_equal(out, cases[i].text);
	}
}

static void http(void **state)
{
	static const struct {
		const char *text;
		int64_t us; /* -1: refused */
	} cases[] = {
		{"Thu, 15 Jan 2026 12:34:56 GMT",    1768480496 * SEC},
		{"Sun, 06 Nov 1994 08:49:37 GMT",    784111777 * SEC },
		{"Thu, 01 Jan 1970 00:00:00 GMT",    0               },
		{"Thu, 15 Jan 2026 12:34:56 UTC",    -1              },
		{"Thu, 15 Jan 2026 12:34:56 GMT ",   -1              },
		{"Thu, 32 Jan 2026 12:34:56 GMT",    -1              },
		{"Thu, 15 Jam 2026 12:34:56 GMT",    -1              },
		{"thu, 15 Jan 2026 12:34:56 GMT",    -1              },
		{"Thursday, 15-Jan-26 12:34:56 GMT", -1              },
		{"Thu Jan 15 12:34:56 2026",         -1              },
		{"Wed, 31 Dec 1969 23:59:59 GMT",    -1              },
		{"",				 -1              },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		int64_t us = -7;
		int rc = date_parse_http(slice_str(cases[i].text), &us);

		assert_int_equal(rc, cases[i].us < 0 ? -1 : 0);
		assert_true(us == (cases[i].us < 0 ? -7 : cases[i].us));
		for (size_t n = 0; cases[i].us >= 0 && n < strlen(cases[i].text); n++)
			assert_int_equal(date_parse_http(slice_of(cases[i].text, n), &us), -1);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(parsed),    cmocka_unit_test(http),    cmocka_unit_test(truncated),
		cmocka_unit_test(formatted), cmocka_unit_test(ends), cmocka_unit_test(outside), cmocka_unit_test(spans),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
