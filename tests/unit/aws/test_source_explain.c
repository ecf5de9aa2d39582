#include "fake.h"
#include "aws/source_explain.h"

static void explain(const struct secret_request *rq, const char *key, const char *session, int64_t expires_us,
		    struct err *e)
{
	struct credentials_parts parts = {
		.provider = "env",
		.access_key = slice_str(key),
		.secret_key = slice_str("topsecret"),
		.session_token = slice_str(session),
		.account_id = slice_str("123456789012"),
		.expires_wall_us = expires_us,
	};
	struct credentials *c = credentials_new(&parts, NULL);

	err_set(e, ERR_AUTH_IAM, "PAM authentication failed");
	source_explain_refusal(rq, AWS_TOKEN_RDS, "cn-north-1", c, T0, e);
	credentials_unref(c);
}

static void explained_findings(void **state)
{
	/* the longest user name there is, and one that tries to draw lines of its own */
	static const char longest[] = "uuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuu";
	struct secret_request proxy = {"p.proxy-xyz.rds.cn-north-1.amazonaws.com.cn", 5432, longest};
	struct secret_request astray = {"mydb.c9akciq32rgw.eu-west-1.rds.amazonaws.com", 5432, "joe"};
	struct secret_request tunnel = {"localhost", 15432, "a\n\"b"};
	struct err e;

	(void)state;
	explain(&proxy, "ASIAIOSFODNN7EXAMPLE", NULL, T0 - 60 * SEC, &e);
	assert_non_null(strstr(e.detail, "expired 1 min ago"));
	assert_non_null(strstr(e.detail, "ASIA key"));
	assert_non_null(strstr(e.hint, "arn:aws-cn:rds-db:cn-north-1:123456789012:dbuser:RESOURCE-ID/uuuu"));
	assert_non_null(strstr(e.hint, "prx-...).")); /* not cut */
	assert_null(strstr(e.detail, "The host name says"));
	explain(&astray, "AKIAIOSFODNN7EXAMPLE", NULL, 0, &e);
	assert_non_null(strstr(e.detail, "The host name says eu-west-1: region= is probably wrong."));
	explain(&tunnel, "AKIAIOSFODNN7EXAMPLE", "topsecret", 0, &e);
	assert_non_null(strstr(e.detail, "no known expiry"));
	assert_non_null(strstr(e.detail, "is this machine"));
	assert_null(strchr(e.detail, '\n'));
	assert_null(strchr(e.hint, '\n'));
	assert_null(strstr(e.detail, "topsecret"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(explained_findings)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
