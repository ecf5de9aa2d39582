/* app/connstr. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include "app/connstr.h"
#include "base/buf.h"
#include "../guard.h"

static int pair(void *arg, const char *key, const char *value, struct err *e)
{
	if (strcmp(key, "stop") == 0)
		return err_set(e, ERR_CONFIG, "stopped");
	buf_printf(arg, "%s=%s|", key, value);
	return 0;
}

static int parse(const char *text, struct buf *out, struct err *e)
{
	char *copy = guard_copy(text, strlen(text) + 1);
	int rc;

	buf_init(out, 10000);
	rc = connstr_parse(copy, pair, out, e);
	guard_free(copy, strlen(text) + 1);
	return rc;
}

static void gives(const char *text, const char *want)
{
	struct buf out;
	struct err e;

	assert_int_equal(parse(text, &out, &e), 0);
	assert_string_equal(buf_cstr(&out), want);
	buf_free(&out);
}

static void refuses(const char *text, const char *words)
{
	struct buf out;
	struct err e;

	assert_int_equal(parse(text, &out, &e), -1);
	assert_int_equal(e.code, ERR_CONFIG);
	if (!strstr(e.msg, words))
		fail_msg("%s: %s", text, e.msg);
	buf_free(&out);
}

static void reads(void **state)
{
	(void)state;
	gives("", "");
	gives(" \t ", "");
	gives("host=a", "host=a|");
	gives("  host=a   port=5432 ", "host=a|port=5432|");
	gives("host = a port=1", "host=a|port=1|");
	gives("password='it''s'", "password=it's|");
	gives("a='' b=''''  c='x = y'", "a=|b='|c=x = y|");
	gives("connect_query='SELECT ''a'', 1' user=\"u\"", "connect_query=SELECT 'a', 1|user=\"u\"|");
	gives("a=b=c", "a=b=c|");
}

static void mistakes(void **state)
{
	(void)state;
	refuses("host", "no =");
	refuses("=a", "expected name=value at character 1");
	refuses("host=a b", "expected name=value at character 9");
	refuses("host=a -x=1", "at character 8");
	refuses("user= host=x", "user has no value");
	refuses("host=", "host has no value");
	refuses("host='a", "the quote of host is not closed");
	refuses("host='", "the quote of host is not closed");
	refuses("host='a''", "the quote of host is not closed");
	refuses("host='a'b=c", "no blank behind the value of host");
	refuses("host=a'b'", "a quote inside the value of host");
	refuses("stop=1", "stopped");
	refuses("kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk=1",
		"expected name=value");
}

/* A value may be a password: no message has it in it. */
static void no_values_in_messages(void **state)
{
	static const char *const texts[] = {"password=s3cr3t s3cr3t", "password='s3cr3t",
					    "password='x's3cr3t=1", "password=x's3cr3t'",
					    "password='s3cr3t' =s3cr3t"};

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct buf out;
		struct err e;
		assert_int_equal(parse(texts[i], &out, &e), -1);
		assert_null(strstr(e.msg, "s3cr3t"));
		buf_free(&out);
	}
}

static void truncated(void **state)
{
	char text[] = "host='a ''b''' port = 1 user=x";

	(void)state;
	for (size_t n = sizeof(text) - 1; n > 0; n--) {
		struct buf out;
		text[n] = '\0';
		parse(text, &out, NULL);
		buf_free(&out);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads),
		cmocka_unit_test(mistakes),
		cmocka_unit_test(no_values_in_messages),
		cmocka_unit_test(truncated),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
