/* Whose credentials: how settings are judged and told, the role provider, and several identities side by
 * side. */
#include "fake_http.h"
#include "aws/aws.h"
#include "aws/chain.h"
#include "aws/identity.h"
#include "aws/skew.h"
#include "base/secret_source.h"

#define ROLE "arn:aws:iam::123456789012:role/db"

/* ---- settings ---- */

static void same(void **state)
{
	static const struct aws_identity all[] = {
		{.profile = NULL},
		{					    .profile = "a"                         },
		{			       .profile = "b"          },
		{					   .role_arn = ROLE           },
		{						 .role_arn = ROLE,       .profile = "a"},
		{						  .role_arn = ROLE, .external_id = "x1"},
		{ .role_arn = ROLE,					    .role_session_name = "x1"},
	};
	const size_t n = sizeof(all) / sizeof(all[0]);

	(void)state;
	for (size_t i = 0; i < n; i++)
		for (size_t j = 0; j < n; j++) {
			struct aws_identity copy = all[j];

			copy.region = "eu-west-1"; /* says where STS is asked, not whose they are */
			assert_int_equal(identity_same(&all[i], &copy), i == j);
		}
}

static void told(void **state)
{
	static const struct {
		struct aws_identity who;
		const char *text;
	} cases[] = {
		{{.profile = NULL},							"default"   },
		{{.profile = "a"},					      "profile a" },
		{{.role_arn = ROLE, .external_id = "x1"},                       "role " ROLE},
		{{.role_arn = ROLE, .profile = "a", .role_session_name = "me"},
		 "role " ROLE " of profile a as me"                                         },
	};
	struct buf text;

	(void)state;
	buf_init(&text, 4096);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		buf_clear(&text);
		identity_text(&cases[i].who, &text);
		assert_string_equal(buf_cstr(&text), cases[i].text);
	}
	buf_free(&text);
}

static void forms(void **state)
{
	static const char *const good[] = {ROLE, "arn:aws-us-gov:iam::000000000000:role/path/to/a_+=,.@-Z"};
	static const char *const bad[] = {
		"",
		"db",
		"arn:aws:iam::123456789012:role/",
		"arn:aws:iam::123456789012:role/path/",
		"arn:aws:iam::12345678901:role/db",
		"arn:aws:iam::1234567890123:role/db",
		"arn:aws:iam:us-east-1:123456789012:role/db",
		"arn:aws:iam::123456789012:user/db",
		"arn:aws:sts::123456789012:assumed-role/db/s",
		"arn:other:iam::123456789012:role/db",
		"arn:aws:iam::123456789012:role/d b",
		"arn:aws:iam::123456789012:role/d\"b",
		"Arn:aws:iam::123456789012:role/db",
	};
	char cut[] = ROLE, text[2048];
	struct err e;

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		assert_int_equal(identity_check_role(good[i], &e), 0);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(identity_check_role(bad[i], &e), -1);
		assert_int_equal(e.code, ERR_CONFIG);
	}
	for (size_t n = sizeof(cut) - 3; n > 0; n--) { /* at every truncation before the name */
		cut[n] = '\0';
		if (n < sizeof(ROLE) - sizeof("db"))
			assert_int_equal(identity_check_role(cut, NULL), -1);
	}
	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	memcpy(text, ROLE, sizeof(ROLE) - 1);
	assert_int_equal(identity_check_role(text, NULL), -1);
	text[sizeof(ROLE) - sizeof("db") + 576] = '\0';
	assert_int_equal(identity_check_role(text, NULL), 0);

	assert_int_equal(identity_check_external_id("a:b/c-1", NULL), 0);
	assert_int_equal(identity_check_external_id("a", NULL), -1);
	assert_int_equal(identity_check_external_id("a b", NULL), -1);
	assert_int_equal(identity_check_session_name("pgiam@host", NULL), 0);
	assert_int_equal(identity_check_session_name("a/b", NULL), -1);
}

/* ---- the role ---- */

struct fixture {
	struct fake_clock clock;
	struct loop *loop;
	struct fake_http http;
	struct fake_provider source;
	struct skew skew;
	struct provider *provider;
	struct provider_op *op;
	unsigned times;
	struct provider_answer a; /* without what was borrowed */
	char key[64], by[32], skipped[128];
	struct err e;
};

static int setup(void **state)
{
	struct fixture *f = mem_zalloc(sizeof(*f));

	f->clock = fake_clock_make();
	f->loop = loop_new(&f->clock.base, NULL, NULL);
	fake_http_init(&f->http);
	fake_provider_init(&f->source);
	skew_init(&f->skew);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(fake_http_pending(&f->http), 0);
	provider_free(f->provider);
	assert_true(!f->provider || f->source.freed);
	loop_free(f->loop);
	free(f);
	return 0;
}

static void make(struct fixture *f, const char *const *env, const struct aws_identity *who)
{
	struct provider_deps d = {
		.loop = f->loop, .env = env, .http = &f->http.base, .skew = &f->skew, .region_else = who->region};

	f->provider = provider_role_new(&d, &f->source.base, who);
}

static void hear(void *arg, const struct provider_answer *a)
{
	struct fixture *f = arg;

	f->times++;
	f->op = NULL;
	f->a = *a;
	snprintf(f->key, sizeof(f->key), "%s", a->creds ? a->creds->access_key : "");
	snprintf(f->by, sizeof(f->by), "%s", a->creds ? a->creds->provider : "");
	snprintf(f->skipped, sizeof(f->skipped), "%s", a->skipped ? a->skipped : "");
	if (a->e)
		f->e = *a->e;
}

static void ask(struct fixture *f)
{
	f->op = provider_start(f->provider, hear, f);
	assert_int_equal(f->times, 0);
	assert_non_null(f->source.cb);
}

static const char *const in_region[] = {"AWS_REGION=us-west-2", NULL}, *const nowhere[] = {NULL};

static void role(void **state)
{
	struct fixture *f = *state;
	const struct aws_identity who = {
		.role_arn = ROLE, .external_id = "x:1", .role_session_name = "me", .region = "eu-west-1"};

	make(f, in_region, &who);
	ask(f);
	fake_give(&f->source, "AKIASOURCE", 0, true);
	assert_int_equal(f->http.starts, 1);
	assert_string_equal(f->http.last->url,
			    "https://sts.us-west-2.amazonaws.com/"); /* not the database's */
	assert_non_null(strstr(f->http.last->body, "Action=AssumeRole&"));
	assert_non_null(strstr(f->http.last->body, "&RoleArn=arn%3Aaws%3Aiam%3A%3A123456789012%3Arole%2Fdb"));
	assert_non_null(strstr(f->http.last->body, "&ExternalId=x%3A1"));
	assert_non_null(strstr(f->http.last->body, "&RoleSessionName=me"));
	assert_non_null(strstr(f->http.last->headers, "Credential=AKIASOURCE/"));
	assert_int_equal(f->times, 0);
	fake_http_reply(&f->http, 200,
			"{\"AssumeRoleResponse\":{\"AssumeRoleResult\":{\"Credentials\":{\"AccessKeyId\":"
			"\"ASIAROLE\",\"SecretAccessKey\":\"s\",\"SessionToken\":\"t\",\"Expiration\":"
			"1768484096}}}}");
	fake_settle(f->loop);
	assert_int_equal(f->times, 1);
	assert_int_equal(f->a.result, PROVIDER_CREDENTIALS);
	assert_string_equal(f->key, "ASIAROLE");
	assert_string_equal(f->by, "role");
}

static void region_of_the_database(void **state)
{
	struct fixture *f = *state;

	make(f, nowhere, &(struct aws_identity){.role_arn = ROLE, .region = "eu-west-1"});
	ask(f);
	fake_give(&f->source, "AKIASOURCE", 0, true);
	assert_string_equal(f->http.last->url, "https://sts.eu-west-1.amazonaws.com/");
	assert_null(strstr(f->http.last->body, "ExternalId"));
	provider_cancel(f->op); /* while STS is asked */
	assert_int_equal(f->http.cancels, 1);
	fake_settle(f->loop);
	assert_int_equal(f->times, 0);
}

static void refused(void **state)
{
	struct fixture *f = *state;

	make(f, in_region, &(struct aws_identity){.role_arn = ROLE});
	ask(f);
	fake_give(&f->source, "AKIASOURCE", 0, true);
	fake_http_reply(
		&f->http, 403,
		"{\"Error\":{\"Code\":\"AccessDenied\",\"Message\":\"not you\"},\"RequestId\":\"r\"}");
	fake_settle(f->loop);
	assert_int_equal(f->times, 1);
	assert_int_equal(f->a.result, PROVIDER_FAILED);
	assert_int_equal(f->a.cause, PROVIDER_CAUSE_REFUSED);
	assert_int_equal(strncmp(f->e.msg, "role: ", 6), 0);
	assert_non_null(strstr(f->e.msg, "AccessDenied"));
}

/* The role was asked for: without credentials to assume it with, that is a failure. */
static void without_source(void **state)
{
	static const struct {
		enum provider_result result;
		enum provider_cause given, cause;
	} cases[] = {
		{PROVIDER_NOT_CONFIGURED, PROVIDER_CAUSE_SETTINGS,  PROVIDER_CAUSE_ABSENT   },
		{PROVIDER_FAILED,         PROVIDER_CAUSE_THROTTLED, PROVIDER_CAUSE_THROTTLED},
	};
	struct fixture *f = *state;

	make(f, in_region, &(struct aws_identity){.role_arn = ROLE});
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct err e;

		err_set(&e, ERR_CREDENTIALS, "no AWS credentials found");
		f->times = 0;
		ask(f);
		fake_answer(&f->source, &(struct provider_answer){.result = cases[i].result,
								  .e = &e,
								  .cause = cases[i].given,
								  .skipped = "env: none\n",
								  .retry_after_us = 7});
		assert_int_equal(f->times, 1);
		assert_int_equal(f->a.result, PROVIDER_FAILED);
		assert_int_equal(f->a.cause, cases[i].cause);
		assert_int_equal(f->a.retry_after_us, 7);
		assert_string_equal(f->skipped, "env: none\n");
		assert_string_equal(f->e.msg,
				    "role: nothing to assume " ROLE " with: no AWS credentials found");
	}
	f->times = 0;
	ask(f);
	provider_cancel(f->op);
	assert_int_equal(f->source.cancels, 1);
	fake_settle(f->loop);
	assert_int_equal(f->times, 0);
	assert_int_equal(f->http.starts, 0);
}

/* ---- one member of the chain ---- */

static void one_member(void **state)
{
	static const char *const keys[] = {"AWS_ACCESS_KEY_ID=AKIAENV", "AWS_SECRET_ACCESS_KEY=s",
					   "AWS_EC2_METADATA_DISABLED=true", NULL};
	static const struct {
		const char *only, *says;
	} cases[] = {
		{NULL,           ""			   },
		{"env",          ""			   },
		{"ENV",          ""			   },
		{"web-identity", "AWS_WEB_IDENTITY_TOKEN_FILE"},
		{"container",    "AWS_CONTAINER_CREDENTIALS"  },
		{"imds",         "AWS_EC2_METADATA_DISABLED"  },
		{"profile",      "profile"                    },
	};
	struct fixture *f = *state;
	struct provider_deps d = {.loop = f->loop, .env = keys, .http = &f->http.base, .skew = &f->skew};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct provider *p = identity_provider(&d, &(struct aws_identity){.profile = NULL}, cases[i].only);

		f->times = 0;
		f->e = (struct err){0};
		provider_start(p, hear, f);
		fake_settle(f->loop);
		assert_int_equal(f->times, 1);
		if (*cases[i].says) {
			assert_int_equal(f->a.result, PROVIDER_FAILED); /* somebody asked for it */
			assert_int_equal(f->a.cause, PROVIDER_CAUSE_ABSENT);
			assert_non_null(strstr(f->e.detail, cases[i].says));
		} else {
			assert_string_equal(f->key, "AKIAENV");
		}
		provider_free(p);
	}
}

/* ---- several ---- */

static void several(void **state)
{
	static const char *const env[] = {"AWS_ACCESS_KEY_ID=AKIAENV", "AWS_SECRET_ACCESS_KEY=s",
					  "AWS_CONFIG_FILE=/nonexistent/c",
					  "AWS_SHARED_CREDENTIALS_FILE=/nonexistent/s", NULL};
	static const struct aws_identity who[] = {
		{.profile = "missing"},
		{.profile = NULL},
                { .profile = "missing",                    .external_id = "no text"}
        };
	struct fixture *f = *state;
	struct mailbox *mail = mailbox_new(f->loop, NULL, NULL);
	struct aws *aws = aws_new(
		&(struct aws_opts){
			.control = f->loop, .mail = mail, .env = env, .identities = who, .identity_count = 3},
		NULL);
	struct aws_stats s;

	fake_settle(f->loop);
	aws_collect(aws, 0, &s);
	assert_string_equal(s.identity, "profile missing");
	assert_false(s.valid);
	assert_non_null(strstr(s.why.msg, "missing"));
	aws_collect(aws, 1, &s);
	assert_string_equal(s.identity, "default");
	assert_true(s.valid);
	assert_string_equal(s.provider, "env");
	aws_collect(aws, 2, &s);
	assert_string_equal(s.identity, "profile missing #2"); /* or two series would be one */
	aws_free(aws);
	mailbox_close(mail);
	mailbox_unref(mail);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(same),
		cmocka_unit_test(told),
		cmocka_unit_test(forms),
		T(role),
		T(region_of_the_database),
		T(refused),
		T(without_source),
		T(one_member),
		T(several),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
