/* Which Host headers are ours. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "http/host.h"

static const char *const own[] = {"metrics.example", "pgiam.default.svc", NULL};

static void check(enum host_verdict want, const char *const *values, const char *const *names)
{
	for (; *values; values++) {
		enum host_verdict got = host_check(slice_str(*values), names);

		if (got != want)
			print_error("Host: %s\n", *values);
		assert_int_equal(got, want);
	}
}

static void ours(void **state)
{
	static const char *const values[] = {
		"localhost", "localhost:9127", "LocalHost:1",  "localhost.",
		"127.0.0.1", "127.0.0.1:9127", "127.9.9.9:80", "10.0.0.7:9127",
		"[::1]",     "[::1]:9127",     "[fe80::1]:80", NULL,
	};
	static const char *const named[] = {"metrics.example", "METRICS.example:80", "pgiam.default.svc.",
					    NULL};

	(void)state;
	check(HOST_OK, values, NULL);
	check(HOST_OK, values, own);
	check(HOST_OK, named, own);
}

static void foreign(void **state)
{
	static const char *const values[] = {
		"evil.example",
		"evil.example:9127",
		"localhost.evil.example",
		"127.0.0.1.evil.example",
		"xlocalhost",
		"metrics.example.evil",
		"127.0.0.1.",
		"0x7f.1",
		"2130706433",
		"pgiam",
		NULL,
	};
	static const char *const named[] = {"metrics.example", NULL};

	(void)state;
	check(HOST_FOREIGN, values, NULL);
	check(HOST_FOREIGN, values, own);
	check(HOST_FOREIGN, named, NULL);
}

static void bad(void **state)
{
	static const char *const values[] = {
		"",
		":80",
		"localhost:",
		"localhost:x",
		"localhost:123456",
		"local host",
		"user@localhost",
		"localhost/",
		"localhost,evil",
		"[::1",
		"[]",
		"[localhost]",
		"[127.0.0.1]",
		"[::1]x",
		"[::1]:",
		"::1",
		"[::1%lo]x",
		"localhost\t",
		NULL,
	};
	char big[400];

	(void)state;
	check(HOST_BAD, values, own);
	memset(big, 'a', sizeof big);
	assert_int_equal(host_check(slice_of(big, sizeof big), own), HOST_BAD);
	assert_int_equal(host_check(slice_of("localhost\0", 10), own), HOST_BAD);
	assert_int_equal(host_check(slice_of("[::\0001]", 6), own), HOST_BAD); /* as text it ends before */
	assert_int_equal(host_check(slice_str("[::%lo]"), own), HOST_BAD);
	assert_int_equal(host_check(slice_str("[::%lo:?/]"), own), HOST_BAD); /* a name of lo to the kernel */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ours),
		cmocka_unit_test(foreign),
		cmocka_unit_test(bad),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
