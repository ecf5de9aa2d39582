/* Credentials, the environment provider and the chain. */
#include "fake.h"
#include "aws/chain.h"
#include <stdio.h>
#include "aws/env.h"

static const struct {
	const char *env[6];
	const char *key;  /* NULL: none */
	const char *said; /* in the error, where there is one */
	bool failed;
	const char *session, *account;
	int64_t expires_us;
} env_cases[] = {
	{{NULL},											     NULL,    "AWS_ACCESS_KEY_ID is not set", false, NULL,  NULL, 0 },
	{{"AWS_ACCESS_KEY_ID=", "AWS_SECRET_ACCESS_KEY="},                                                   NULL,    "is not set",                   false, NULL,  NULL, 0 },
	{{"AWS_SESSION_TOKEN=t"},									    NULL,    "is not set",                   false, NULL,  NULL, 0 },
	{{"AWS_ACCESS_KEY_ID=AKIAX", "AWS_SECRET_ACCESS_KEY=s"},                                             "AKIAX", NULL,                           false, NULL,  NULL, 0 },
	{{"AWS_ACCESS_KEY_ID=AKIAX"},									NULL,    "AWS_SECRET_ACCESS_KEY is not", true,  NULL,  NULL, 0 },
	{{"AWS_ACCESS_KEY_ID=AKIAX", "AWS_SECRET_ACCESS_KEY="},
	 NULL,													"AWS_SECRET_ACCESS_KEY is not",
	 true,																	       NULL,
	 NULL,																			    0 },
	{{"AWS_SECRET_ACCESS_KEY=s"},									NULL,    "AWS_ACCESS_KEY_ID is not",     true,  NULL,  NULL, 0 },
	{{"AWS_ACCESS_KEY_ID=A", "AWS_SECRET_ACCESS_KEY=s", "AWS_SESSION_TOKEN=new",
	  "AWS_SECURITY_TOKEN=old"},
	 "A",													 NULL,
	 false,																	      "new",
	 NULL,																			    0 },
	{{"AWS_ACCESS_KEY_ID=A", "AWS_SECRET_ACCESS_KEY=s", "AWS_SESSION_TOKEN=", "AWS_SECURITY_TOKEN=old"},
	 "A",													 NULL,
	 false,																	      "old",
	 NULL,																			    0 },
	{{"AWS_ACCESS_KEY_ID=A", "AWS_SECRET_ACCESS_KEY=s", "AWS_ACCOUNT_ID=123456789012",
	  "AWS_CREDENTIAL_EXPIRATION=2026-01-15T12:34:56Z"},
	 "A",													 NULL,
	 false,																	      NULL,
	 "123456789012",																		  T0},
	{{"AWS_ACCESS_KEY_ID=A", "AWS_SECRET_ACCESS_KEY=s", "AWS_CREDENTIAL_EXPIRATION=tomorrow"},
	 NULL,													"AWS_CREDENTIAL_EXPIRATION",
	 true,																	       NULL,
	 NULL,																			    0 },
	{{"AWS_ACCESS_KEY_ID=A", "AWS_SECRET_ACCESS_KEY=topsecret\n"},                                       NULL,    "newline",                      true,  NULL,  NULL, 0 },
	{{"AWS_ACCESS_KEY_ID=A B", "AWS_SECRET_ACCESS_KEY=topsecret"},
	 NULL,													"position 2",
	 true,																	       NULL,
	 NULL,																			    0 },
	{{"AWS_ACCESS_KEY_ID=A", "AWS_SECRET_ACCESS_KEY=s", "AWS_SESSION_TOKEN=topsecret\r\n"},
	 NULL,													"session token",
	 true,																	       NULL,
	 NULL,																			    0 },
	{{"AWS_ACCESS_KEY_ID=A", "AWS_SECRET_ACCESS_KEY=s", "AWS_ACCOUNT_ID=12345678901x"},
	 "A",													 NULL,
	 false,																	      NULL,
	 NULL,																			    0 },
	{{"AWS_ACCESS_KEY_ID=A", "AWS_SECRET_ACCESS_KEY=s", "AWS_ACCOUNT_ID=1234567890123"},
	 "A",													 NULL,
	 false,																	      NULL,
	 NULL,																			    0 },
};

static void env_read(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(env_cases) / sizeof(env_cases[0]); i++) {
		struct credentials *c;
		struct err e;
		int rc = provider_env_read(env_cases[i].env, &c, &e);

		assert_int_equal(rc, env_cases[i].failed ? -1 : 0);
		if (!env_cases[i].key) {
			assert_null(c);
			assert_int_equal(e.code, ERR_CREDENTIALS);
			assert_non_null(strstr(e.msg, env_cases[i].said));
			assert_null(strstr(e.msg, "topsecret"));
			continue;
		}
		assert_non_null(c);
		assert_string_equal(c->access_key, env_cases[i].key);
		assert_string_equal(c->provider, "env");
		assert_false(c->renewable);
		assert_true(c->expires_wall_us == env_cases[i].expires_us);
		assert_true(slice_eq(secret_slice(&c->session_token), slice_str(env_cases[i].session)));
		assert_true(slice_eq(slice_str(c->account_id), slice_str(env_cases[i].account)));
		credentials_unref(c);
	}
}

static void env_copies(void **state)
{
	char changing[] = "AWS_REGION=us-east-1";
	const char *env[] = {"HOME=/",	      changing,	     "AWS_X=",	 "AWSX=1",
			     "HTTPS_PROXY=p", "HTTP_PROXY=q", "AWS_Y=TRUE", NULL};
	const char *const *copy = env_copy(env);

	(void)state;
	changing[sizeof(changing) - 2] = '2';
	assert_string_equal(env_get(copy, "AWS_REGION"), "us-east-1");
	assert_string_equal(env_get(copy, "HOME"), "/");
	assert_string_equal(env_get(copy, "HTTPS_PROXY"), "p");
	assert_null(env_get(copy, "HTTP_PROXY")); /* what a CGI's client can set */
	assert_true(env_is_true(copy, "AWS_Y"));
	assert_false(env_is_true(copy, "AWS_REGION"));
	assert_false(env_is_true(copy, "AWS_X"));
	assert_null(env_get(copy, "AWS_X"));
	assert_null(env_get(copy, "AWS_REGIO"));
	assert_null(env_get(copy, "AWSX"));
	env_free(copy);
	env_free(NULL);
}

static void masks(void **state)
{
	static const struct {
		const char *key, *masked;
	} cases[] = {
		{"AKIAIOSFODNN7EXAMPLE", "AKIA****MPLE"},
		{"AKIAIOSFODNN",         "AKIA****ODNN"},
		{"AKIAIOSFODN",          "AK****"      },
		{"A",                    "A****"       }
        };

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct credentials_parts parts = {
			.provider = "p", .access_key = slice_str(cases[i].key), .secret_key = slice_str("s")};
		struct credentials *c = credentials_new(&parts, NULL);
		char mask[CREDENTIALS_MASK_SIZE];

		credentials_mask(c, mask);
		assert_string_equal(mask, cases[i].masked);
		assert_true(credentials_valid_at(c, INT64_MAX));
		assert_ptr_equal(credentials_ref(c), c);
		credentials_unref(c);
		credentials_unref(c);
	}
	assert_null(credentials_ref(NULL));
	credentials_unref(NULL);
}

static void part_limits(void **state)
{
	char *text = mem_zalloc(CREDENTIALS_SESSION_TOKEN_MAX + 2);
	struct credentials_parts parts = {
		.provider = "p", .access_key = slice_str("a"), .secret_key = slice_str("s")};
	struct credentials *c;
	struct err e;

	(void)state;
	memset(text, 'x', CREDENTIALS_SESSION_TOKEN_MAX + 1);
	parts.session_token = slice_of(text, CREDENTIALS_SESSION_TOKEN_MAX);
	c = credentials_new(&parts, &e);
	assert_non_null(c);
	credentials_unref(c);
	parts.session_token.n++;
	assert_null(credentials_new(&parts, &e));
	parts.session_token.n = 0;
	parts.secret_key = slice_of(text, CREDENTIALS_KEY_MAX + 1);
	assert_null(credentials_new(&parts, &e));
	parts.secret_key = slice_of(text, 0);
	assert_null(credentials_new(&parts, &e));
	free(text);
}

/* ---- the chain ---- */

struct heard {
	unsigned times;
	enum provider_result result;
	char *key;
	char skipped[256];
	uint64_t retry_after_us;
	struct err e;
};

static void hear(void *arg, const struct provider_answer *a)
{
	struct heard *h = arg;

	h->times++;
	h->result = a->result;
	h->retry_after_us = a->retry_after_us;
	snprintf(h->skipped, sizeof(h->skipped), "%s", a->skipped ? a->skipped : "");
	assert_int_equal(a->creds != NULL, a->result == PROVIDER_CREDENTIALS);
	assert_int_equal(a->e != NULL, a->result != PROVIDER_CREDENTIALS);
	if (a->creds)
		h->key = mem_strdup(a->creds->access_key);
	else
		h->e = *a->e;
}

static void chain_order(void **state)
{
	struct fake_provider one, two, three;
	struct provider *list[] = {&one.base, &two.base, &three.base};
	struct heard h = {0};
	struct provider *chain;

	(void)state;
	fake_provider_init(&one);
	fake_provider_init(&two);
	fake_provider_init(&three);
	chain = chain_new(list, 3);
	provider_start(chain, hear, &h);
	assert_int_equal(one.starts, 1);
	assert_int_equal(two.starts, 0);
	fake_fail(&one, PROVIDER_NOT_CONFIGURED, "nothing here");
	assert_int_equal(two.starts, 1);
	assert_int_equal(h.times, 0);
	fake_give(&two, "TWO", 0, true);
	assert_int_equal(h.times, 1);
	assert_string_equal(h.key, "TWO");
	assert_string_equal(h.skipped, "nothing here\n");
	assert_int_equal(three.starts, 0);
	free(h.key);

	/* a failure is final */
	memset(&h, 0, sizeof(h));
	provider_start(chain, hear, &h);
	fake_fail(&one, PROVIDER_FAILED, "half a key");
	assert_int_equal(h.times, 1);
	assert_int_equal(h.result, PROVIDER_FAILED);
	assert_string_equal(h.e.msg, "half a key");
	assert_int_equal(two.starts, 1);

	/* nothing anywhere: every reason is told */
	memset(&h, 0, sizeof(h));
	provider_start(chain, hear, &h);
	fake_fail(&one, PROVIDER_NOT_CONFIGURED, "reason one");
	fake_fail(&two, PROVIDER_NOT_CONFIGURED, "reason two");
	fake_fail(&three, PROVIDER_NOT_CONFIGURED, "reason three");
	assert_int_equal(h.result, PROVIDER_NOT_CONFIGURED);
	assert_string_equal(h.e.detail, "reason one. reason two. reason three.");
	assert_string_equal(h.skipped, "reason one\nreason two\nreason three\n");

	/* cancelled in the middle */
	memset(&h, 0, sizeof(h));
	struct provider_op *op = provider_start(chain, hear, &h);
	fake_fail(&one, PROVIDER_NOT_CONFIGURED, "no");
	provider_cancel(op);
	assert_int_equal(two.cancels, 1);
	assert_int_equal(h.times, 0);
	provider_free(chain);
	assert_true(one.freed && two.freed && three.freed);
}

/* The real one, on a loop: answers after start, and not after cancel. */
static void default_chain(void **state)
{
	const char *env[] = {"AWS_ACCESS_KEY_ID=AKIAX", "AWS_SECRET_ACCESS_KEY=s", NULL};
	const char *empty[] = {"AWS_EC2_METADATA_DISABLED=true", NULL};
	struct loop *l = loop_new(clock_system(), NULL, NULL);
	struct provider *chain = chain_default(&(struct provider_deps){.loop = l, .env = env});
	struct heard h = {0};

	(void)state;
	provider_start(chain, hear, &h);
	assert_int_equal(h.times, 0);
	fake_settle(l);
	assert_int_equal(h.times, 1);
	assert_string_equal(h.key, "AKIAX");
	provider_cancel(provider_start(chain, hear, &h));
	fake_settle(l);
	assert_int_equal(h.times, 1);
	provider_free(chain);
	free(h.key);

	memset(&h, 0, sizeof(h));
	chain = chain_default(&(struct provider_deps){.loop = l, .env = empty});
	provider_start(chain, hear, &h);
	fake_settle(l);
	assert_int_equal(h.result, PROVIDER_NOT_CONFIGURED);
	provider_free(chain);
	provider_free(NULL);
	provider_cancel(NULL);
	loop_free(l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(env_read),    cmocka_unit_test(env_copies),  cmocka_unit_test(masks),
		cmocka_unit_test(part_limits), cmocka_unit_test(chain_order), cmocka_unit_test(default_chain),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
