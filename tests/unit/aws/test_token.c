#include "vectors.h"
#include "aws/token.h"

typedef int (*mint_fn)(const struct token_request *rq, struct buf *out, struct err *e);

static void check_token(const cJSON *item, mint_fn mint, const struct token_request *rq, const char *expected)
{
	struct buf out;
	struct err e;

	buf_init_secret(&out, TOKEN_MAX);
	if (mint(rq, &out, &e) != 0)
		fail_msg("%s: %s", vectors_str(item, "name"), e.msg);
	assert_string_equal(buf_cstr(&out), expected);
	buf_free(&out);
}

static void rds_token(const cJSON *item)
{
	struct credentials *creds = vectors_credentials(item);
	struct token_request rq = {
		.host = vectors_str(item, "host"),
		.port = (uint16_t)vectors_uint(item, "port"),
		.user = vectors_str(item, "user"),
		.region = vectors_str(item, "region"),
		.creds = creds,
		.wall_us = vectors_time(item),
	};

	assert_int_equal(vectors_uint(item, "expires"), TOKEN_LIFE_SEC);
	check_token(item, token_rds, &rq, vectors_str(item, "expected_token"));
	assert_int_equal(strlen(vectors_str(item, "expected_token")),
			 vectors_uint(item, "expected_token_length"));
	credentials_unref(creds);
}

static void rds_tokens(void **state)
{
	(void)state;
	vectors_each("rds_tokens", NULL, 33, rds_token);
}

static void dsql_token(const cJSON *item)
{
	struct credentials *creds = vectors_credentials(item);
	struct token_request rq = {
		.host = vectors_str(item, "host"),
		.port = 5432,
		.user = strcmp(vectors_str(item, "action"), "DbConnectAdmin") == 0 ? "admin" : "app",
		.region = vectors_str(item, "region"),
		.creds = creds,
		.wall_us = vectors_time(item),
		.expires_sec = vectors_uint(item, "expires"),
	};

	check_token(item, token_dsql, &rq, vectors_str(item, "expected_token"));
	credentials_unref(creds);
}

static void dsql_tokens(void **state)
{
	(void)state;
	vectors_each("dsql_tokens", NULL, 6, dsql_token);
}

/* Signatures published by another SDK. */
static void other_sdk_token(const cJSON *item)
{
	struct credentials *creds = vectors_keys(vectors_str(item, "access_key_id"),
						 vectors_str(item, "secret_access_key"), NULL);
	bool rds = strcmp(vectors_str(item, "service"), "rds-db") == 0;
	bool admin = strstr(vectors_str(item, "token_in_botocore_order"), "DbConnectAdmin") != NULL;
	struct token_request rq = {
		.host = vectors_str(item, "host"),
		.port = rds ? (uint16_t)vectors_uint(item, "port") : 0,
		.user = rds     ? "peccy"
			: admin ? "admin"
				: "app",
		.region = vectors_str(item, "region"),
		.creds = creds,
		.wall_us = vectors_time(item),
		.expires_sec = vectors_uint(item, "expires"),
	};

	check_token(item, rds ? token_rds : token_dsql, &rq,
		    vectors_str(item, "token_in_botocore_order"));
	credentials_unref(creds);
}

static void cross_sdk(void **state)
{
	(void)state;
	vectors_each("cross_sdk", NULL, 3, other_sdk_token);
}

static void bare_ipv6_gets_brackets(void **state)
{
	struct credentials *creds = vectors_keys("AKIDEXAMPLE", "secret", NULL);
	struct token_request bare = {"::1", 5432, "u", "us-east-1", creds, 0, 0};
	struct token_request bracketed = {"[::1]", 5432, "u", "us-east-1", creds, 0, 0};
	struct buf a, b;

	(void)state;
	buf_init(&a, TOKEN_MAX);
	buf_init(&b, TOKEN_MAX);
	assert_int_equal(token_rds(&bare, &a, NULL), 0);
	assert_int_equal(token_rds(&bracketed, &b, NULL), 0);
	assert_string_equal(buf_cstr(&a), buf_cstr(&b));
	buf_free(&a);
	buf_free(&b);
	credentials_unref(creds);
}

static void refused(void **state)
{
	static const char *const hosts[] = {"",    "a/b",  "a?b",       "a#b", "u@h",
					    "a b", "a\nb", "h\xc3\xbc", "a%b"};
	static const char *const regions[] = {"", "us east", "us-east-1/x", "US-EAST-1", "us-east-1\n", "x"};
	struct credentials *creds = vectors_keys("AKIDEXAMPLE", "secret", NULL);
	struct token_request rq = {"h", 5432, "u", "us-east-1", creds, 0, 0};
	char *longest = mem_zalloc(257);
	struct buf out;
	struct err e;

	(void)state;
	buf_init(&out, TOKEN_MAX);
	for (size_t i = 0; i < sizeof(hosts) / sizeof(hosts[0]); i++) {
		rq.host = hosts[i];
		assert_int_equal(token_rds(&rq, &out, &e), -1);
		assert_int_equal(e.code, ERR_CONFIG);
	}
	memset(longest, 'a', 256);
	rq.host = longest;
	assert_int_equal(token_rds(&rq, &out, &e), -1);
	longest[255] = '\0';
	assert_int_equal(token_rds(&rq, &out, &e), 0);
	rq.host = "h";
	for (size_t i = 0; i < sizeof(regions) / sizeof(regions[0]); i++) {
		rq.region = regions[i];
		assert_int_equal(token_rds(&rq, &out, &e), -1);
		assert_int_equal(e.code, ERR_REGION);
	}
	buf_free(&out);
	free(longest);
	credentials_unref(creds);
}

/* Session tokens of 16 KiB, each byte of which needs three, still fit; what cannot fit is refused, not cut.
 */
static void long_session_token(void **state)
{
	char *text = mem_zalloc(20001);
	struct credentials *creds;
	struct token_request rq = {"h.example", 5432, "u", "us-east-1", NULL, 0, 0};
	struct buf out;
	struct err e;

	(void)state;
	memset(text, '/', 16384);
	creds = vectors_keys("ASIAEXAMPLE", "secret", text);
	rq.creds = creds;
	buf_init_secret(&out, TOKEN_MAX);
	assert_int_equal(token_rds(&rq, &out, &e), 0);
	assert_true(out.n > 3 * 16384);
	buf_free(&out);
	buf_init_secret(&out, 40000);
	assert_int_equal(token_rds(&rq, &out, &e), -1);
	assert_int_equal(e.code, ERR_LIMIT);
	buf_free(&out);
	credentials_unref(creds);
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rds_tokens), cmocka_unit_test(dsql_tokens),
		cmocka_unit_test(cross_sdk),  cmocka_unit_test(bare_ipv6_gets_brackets),
		cmocka_unit_test(refused),    cmocka_unit_test(long_session_token),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
