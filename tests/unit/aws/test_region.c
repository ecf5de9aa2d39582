/* Where the region comes from: what is configured, the profile's, the instance's. */
#include "fake_http.h"
#include "home.h"

#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>
#include "aws/aws.h"
#include "aws/cache.h"
#include "aws/imds.h"
#include "aws/profile_load.h"
#include "aws/provider_profile.h"
#include "aws/redshift.h"
#include "aws/region_finder.h"
#include "aws/secret_walk.h"
#include "aws/source_token.h"
#include "aws/sts.h"

#define PUT_URL "http://169.254.169.254/latest/api/token"
#define GET_URL "http://169.254.169.254/latest/meta-data/placement/region"

struct fixture {
	struct fake_clock clock;
	struct loop *loop;
	struct fake_http http;
	struct provider_deps deps;
	struct region_finder *finder;
	struct home home;
	const char *env[4]; /* HOME, and what a test adds */
	/* the answers */
	unsigned told, refused;
	char region[64];
	struct err e;
};

static int setup(void **state)
{
	struct fixture *f = mem_zalloc(sizeof(*f));

	f->clock = fake_clock_make();
	f->loop = loop_new(&f->clock.base, NULL, NULL);
	fake_http_init(&f->http);
	home_make(&f->home);
	f->env[0] = f->home.variable;
	f->deps = (struct provider_deps){.loop = f->loop, .env = f->env, .http = &f->http.base};
	f->finder = region_finder_new(&f->deps);
	f->deps.region = f->finder;
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	region_finder_free(f->finder);
	assert_int_equal(fake_http_pending(&f->http), 0);
	loop_free(f->loop);
	home_remove(&f->home);
	free(f);
	return 0;
}

/* ---- the profile's ---- */

static void profiles(void **state)
{
	struct fixture *f = *state;
	char region[64] = "untouched";
	struct err e;

	assert_int_equal(profile_load_region(f->env, NULL, region, &e), 1);
	assert_string_equal(e.msg, "there is no profile \"default\"");
	home_write(&f->home, "config",
		   "[default]\nregion = eu-west-1\n[profile bare]\noutput = json\n[profile wrong]\nregion = Frankfurt\n"
		   "[profile broken]\nnonsense\nregion = eu-west-2\n[profile prod]\nregion = eu-west-3\n");
	assert_int_equal(profile_load_region(f->env, "bare", region, &e), 1);
	assert_string_equal(e.msg, "profile \"bare\" has no region");
	assert_int_equal(profile_load_region(f->env, "wrong", region, &e), -1);
	assert_int_equal(e.code, ERR_REGION);
	assert_int_equal(profile_load_region(f->env, "broken", region, &e), -1);
	assert_int_equal(e.code, ERR_REGION);
	assert_non_null(strstr(e.msg, "line 8"));
	assert_int_equal(profile_load_region(f->env, "none", region, NULL), 1);
	assert_string_equal(region, "untouched");
	assert_int_equal(profile_load_region(f->env, NULL, region, &e), 0);
	assert_string_equal(region, "eu-west-1");
	f->env[1] = "AWS_PROFILE=prod";
	assert_int_equal(profile_load_region(f->env, NULL, region, &e), 0);
	assert_string_equal(region, "eu-west-3");
	assert_int_equal(profile_load_region(f->env, "default", region, &e), 0);
	assert_string_equal(region, "eu-west-1");
	home_write(&f->home, "credentials", "[prod]\nregion = eu-north-1\n"); /* goes before the same of the config file */
	assert_int_equal(profile_load_region(f->env, NULL, region, &e), 0);
	assert_string_equal(region, "eu-north-1");
	f->env[2] = "AWS_CONFIG_FILE=/"; /* somebody named it, and it is no file */
	assert_int_equal(profile_load_region(f->env, NULL, region, &e), -1);
	assert_int_equal(e.code, ERR_REGION);
}

#define RDS    "a.h.us-east-2.rds.amazonaws.com"
#define GLOBAL "g.global-h.global.rds.amazonaws.com"

static void order(void **state)
{
	struct fixture *f = *state;
	static const struct {
		const char *named, *host, *variable, *config;
		int rc;
		const char *region, *said;
	} cases[] = {
		{"eu-west-1", RDS, "AWS_REGION=eu-west-2", "[default]\nregion = eu-west-3\n", 0, "eu-west-1", NULL},
		{NULL, RDS, "AWS_REGION=eu-west-2", "[default]\nregion = eu-west-3\n", 0, "us-east-2", NULL},
		{NULL, "db.example", "AWS_REGION=eu-west-2", "[default]\nregion = eu-west-3\n", 0, "eu-west-2", NULL},
		{NULL, "db.example", NULL, "[default]\nregion = eu-west-3\n", 0, "eu-west-3", NULL},
		{NULL, GLOBAL, NULL, "[default]\nregion = eu-west-3\n", 0, "eu-west-3", NULL},
		{NULL, "db.example", NULL, "[default]\n", 1, NULL, "profile \"default\" has no region"},
		{NULL, "db.example", "AWS_EC2_METADATA_DISABLED=true", "[default]\n", -1, NULL, "METADATA_DISABLED forbids"},
		{NULL, "db.example", "AWS_REGION=Frankfurt", "[default]\nregion = eu-west-3\n", -1, NULL, ""},
		{NULL, "db.example", NULL, "[default]\nregion = Frankfurt\n", -1, NULL, ""},
		{NULL, GLOBAL, NULL, "[default]\n", -1, NULL, "global database"},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct aws_region_from from = {cases[i].named, cases[i].host, f->env, NULL};
		char region[64], warning[256];
		struct err e;

		f->env[1] = cases[i].variable;
		home_write(&f->home, "config", cases[i].config);
		assert_int_equal(aws_region_find(&from, region, warning, &e), cases[i].rc);
		if (cases[i].region)
			assert_string_equal(region, cases[i].region);
		else
			assert_int_equal(e.code, ERR_REGION);
		if (cases[i].said)
			assert_non_null(strstr(e.msg, cases[i].said));
		assert_int_equal(aws_region_find(&from, region, NULL, NULL), cases[i].rc);
	}
}

/* ---- the finder ---- */

static void hear(void *arg, const char *region, const struct err *e)
{
	struct fixture *f = arg;

	assert_true(!region == !!e);
	if (region) {
		f->told++;
		snprintf(f->region, sizeof(f->region), "%s", region);
	} else {
		f->refused++;
		assert_int_equal(e->code, ERR_REGION);
		f->e = *e;
	}
}

static struct region_finder_op *get(struct fixture *f)
{
	f->told = f->refused = 0;
	return region_finder_get(f->finder, NULL, hear, f);
}

static void configured(void **state)
{
	struct fixture *f = *state;

	home_write(&f->home, "config", "[default]\nregion = eu-west-2\n[profile p]\nregion = eu-west-3\n");
	f->env[1] = "AWS_DEFAULT_REGION=eu-west-1"; /* goes before the profile's */
	get(f);
	assert_int_equal(f->told, 0);
	fake_settle(f->loop);
	assert_string_equal(f->region, "eu-west-1");
	f->env[1] = "AWS_DEFAULT_REGION=Frankfurt";
	get(f);
	fake_settle(f->loop);
	assert_int_equal(f->refused, 1);
	f->env[1] = NULL;
	get(f);
	fake_settle(f->loop);
	assert_string_equal(f->region, "eu-west-2");
	region_finder_get(f->finder, "p", hear, f);
	fake_settle(f->loop);
	assert_string_equal(f->region, "eu-west-3");
	region_finder_cancel(get(f));
	region_finder_cancel(NULL);
	fake_settle(f->loop);
	assert_int_equal(f->told, 0);
	assert_int_equal(f->http.starts, 0);
}

/* One question for all who wait, none once it is known. */
static void instance(void **state)
{
	struct fixture *f = *state;
	struct region_finder_op *gone;

	get(f);
	gone = region_finder_get(f->finder, NULL, hear, f);
	region_finder_get(f->finder, NULL, hear, f);
	assert_int_equal(f->http.starts, 1);
	assert_string_equal(f->http.last->method, "PUT");
	assert_string_equal(f->http.last->url, PUT_URL);
	region_finder_cancel(gone);
	fake_http_reply(&f->http, 200, "session-token");
	assert_string_equal(f->http.last->method, "GET");
	assert_string_equal(f->http.last->url, GET_URL);
	assert_non_null(strstr(f->http.last->headers, "x-aws-ec2-metadata-token: session-token\n"));
	fake_http_reply(&f->http, 200, "us-west-2\n");
	fake_settle(f->loop);
	assert_int_equal(f->told, 2);
	assert_string_equal(f->region, "us-west-2");
	get(f);
	fake_settle(f->loop);
	assert_int_equal(f->told, 1);
	assert_int_equal(f->http.starts, 2);
}

static void instance_fails(void **state)
{
	struct fixture *f = *state;
	static const char *const bad[] = {"", "Frankfurt", "<html>", "us-east-1 or so",
					  "us-east-1-and-so-on-and-on-and-on-until-it-does-not-fit-any-more"};

	get(f);
	fake_http_fault(&f->http, HTTP_FAULT_CONNECT);
	fake_settle(f->loop);
	assert_int_equal(f->refused, 1);
	assert_non_null(strstr(f->e.msg, "no AWS region"));
	assert_non_null(strstr(f->e.msg, "this is no EC2 instance"));
	/* the same again for a while, without asking; then it is asked */
	get(f);
	fake_settle(f->loop);
	assert_int_equal(f->refused, 1);
	assert_int_equal(f->http.starts, 1);
	/* meanwhile somebody writes it down */
	home_write(&f->home, "config", "[default]\nregion = eu-west-2\n");
	get(f);
	fake_settle(f->loop);
	assert_int_equal(f->told, 1);
	home_write(&f->home, "config", "");
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		fake_pass(&f->clock, f->loop, (int64_t)REGION_FINDER_PAUSE_US + 1);
		get(f);
		if (i == 0)
			fake_http_reply(&f->http, 200, "session-token");
		fake_http_reply(&f->http, 200, bad[i]);
		fake_settle(f->loop);
		assert_int_equal(f->refused, 1);
		assert_non_null(strstr(f->e.msg, "no region's name"));
	}
	fake_pass(&f->clock, f->loop, (int64_t)REGION_FINDER_PAUSE_US + 1);
	get(f);
	fake_http_reply(&f->http, 404, "");
	fake_settle(f->loop);
	assert_int_equal(f->refused, 1);
	fake_pass(&f->clock, f->loop, (int64_t)REGION_FINDER_PAUSE_US + 1);
	f->env[1] = "AWS_EC2_METADATA_DISABLED=true";
	get(f);
	fake_settle(f->loop);
	assert_non_null(strstr(f->e.msg, "AWS_EC2_METADATA_DISABLED"));
	/* freed while it asks */
	f->env[1] = NULL;
	fake_pass(&f->clock, f->loop, (int64_t)REGION_FINDER_PAUSE_US + 1);
	region_finder_cancel(get(f));
	assert_int_equal(fake_http_pending(&f->http), 1);
}

/* ---- who asks it ---- */

static void hear_sts(void *arg, const struct sts_answer *a)
{
	struct fixture *f = arg;

	f->told += !a->e;
	f->refused += !!a->e;
	if (a->e)
		f->e = *a->e;
}

static void sts(void **state)
{
	struct fixture *f = *state;
	struct sts_request rq = {
		.action = STS_WEB_IDENTITY, .provider = "p", .role_arn = "arn", .web_token = slice_str("t")};

	sts_start(&f->deps, &rq, hear_sts, f);
	fake_http_fault(&f->http, HTTP_FAULT_CONNECT);
	fake_settle(f->loop);
	assert_int_equal(f->refused, 1);
	assert_int_equal(f->e.code, ERR_CREDENTIALS);
	assert_non_null(strstr(f->e.msg, "p: sts AssumeRoleWithWebIdentity: no AWS region"));
	assert_non_null(strstr(f->e.hint, "AWS_REGION"));
	fake_pass(&f->clock, f->loop, (int64_t)REGION_FINDER_PAUSE_US + 1);
	sts_cancel(sts_start(&f->deps, &rq, hear_sts, f)); /* the question goes on */
	sts_start(&f->deps, &rq, hear_sts, f);
	fake_http_reply(&f->http, 200, "session-token");
	fake_http_reply(&f->http, 200, "eu-west-1");
	fake_settle(f->loop);
	assert_string_equal(f->http.last->url, "https://sts.eu-west-1.amazonaws.com/");
	assert_non_null(strstr(f->http.last->body, "WebIdentityToken=t"));
	fake_http_reply(&f->http, 403, "{}");
	assert_int_equal(f->refused, 2);
}

static void hear_provider(void *arg, const struct provider_answer *a)
{
	struct fixture *f = arg;

	f->told += !a->e;
	f->refused += !!a->e;
	if (a->e)
		f->e = *a->e;
}

/* A role of a role: where each is asked for. The SDKs have the environment's region, then that of the profile that was asked
 * for; a source that says its own while that says none needs no more. */
static void profile_roles(void **state)
{
	struct fixture *f = *state;
	static const char form[] =
		"[profile x]\nrole_arn = arn:aws:iam::1:role/a\nsource_profile = y\n%s[profile y]\nregion = us-west-2\n"
		"role_arn = arn:aws:iam::1:role/b\nsource_profile = z\n[profile z]\naws_access_key_id = A\n"
		"aws_secret_access_key = s\n";
	static const struct {
		const char *variable, *setting, *first, *second;
	} cases[] = {
		{"AWS_REGION=eu-west-1", "region = us-east-1\n", "https://sts.eu-west-1.amazonaws.com/",
		 "https://sts.eu-west-1.amazonaws.com/"},
		{"AWS_DEFAULT_REGION=eu-west-1", "", "https://sts.eu-west-1.amazonaws.com/",
		 "https://sts.eu-west-1.amazonaws.com/"},
		{NULL, "region = us-east-1\n", "https://sts.us-east-1.amazonaws.com/", "https://sts.us-east-1.amazonaws.com/"},
		{NULL, "", "https://sts.us-west-2.amazonaws.com/", PUT_URL},
	};
	struct provider *p = provider_profile_new(&f->deps, "x");
	char config[400];

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct provider_op *op;

		snprintf(config, sizeof(config), form, cases[i].setting);
		home_write(&f->home, "config", config);
		f->env[1] = cases[i].variable;
		op = provider_start(p, hear_provider, f);
		assert_string_equal(f->http.last->url, cases[i].first);
		fake_http_reply(&f->http, 200,
				"{\"AssumeRoleResponse\":{\"AssumeRoleResult\":{\"Credentials\":{\"AccessKeyId\":\"B\","
				"\"SecretAccessKey\":\"s\",\"SessionToken\":\"t\",\"Expiration\":1768484096}}}}");
		fake_settle(f->loop);
		assert_string_equal(f->http.last->url, cases[i].second);
		provider_cancel(op);
		assert_int_equal(f->told + f->refused, 0);
	}
	fake_http_fault(&f->http, HTTP_FAULT_CONNECT); /* the question to the instance goes on */
	fake_settle(f->loop);
	f->env[1] = "AWS_REGION=Frankfurt"; /* is told, and no other taken */
	provider_start(p, hear_provider, f);
	fake_settle(f->loop);
	assert_int_equal(f->refused, 1);
	assert_non_null(strstr(f->e.msg, "AWS_REGION has not the form of a region name"));
	provider_free(p);
}

/* Where nothing of theirs names a region, a profile's roles and those of a web identity are asked for in that of what they are
 * for, whichever way they were found. */
static void roles_for_something(void **state)
{
	static const struct {
		const char *env[3], *profile;
	} ways[] = {
		{{NULL}, "x"},
		{{"AWS_PROFILE=x"}, NULL},
		{{"AWS_ROLE_ARN=arn:aws:iam::1:role/a", "AWS_WEB_IDENTITY_TOKEN_FILE=/proc/self/comm"}, NULL},
	};
	struct fixture *f = *state;

	home_write(&f->home, "config",
		   "[profile x]\nrole_arn = arn:aws:iam::1:role/a\nsource_profile = z\n[profile z]\nregion = us-west-2\n"
		   "aws_access_key_id = A\naws_secret_access_key = s\n");
	for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
		struct provider_op *op;
		struct provider *p;

		memcpy(&f->env[1], ways[i].env, sizeof(ways[i].env));
		p = identity_provider(&f->deps, &(struct aws_identity){.profile = ways[i].profile, .region = "eu-north-1"}, NULL);
		op = provider_start(p, hear_provider, f);
		fake_settle(f->loop);
		assert_string_equal(f->http.last->url, "https://sts.eu-north-1.amazonaws.com/");
		provider_cancel(op);
		provider_free(p);
	}
}

static void hear_reader(void *arg, const struct secret_reader_answer *a)
{
	struct fixture *f = arg;

	f->told += !a->e;
	f->refused += !!a->e;
	if (a->e)
		f->e = *a->e;
}

/* Takes both readers: nothing here tells instance's region, the profile prod the other's. */
static void reads_in(struct fixture *f, struct secret_reader *instance, struct secret_reader *prod, const char *service)
{
	struct credentials *signer = credentials_new(
		&(struct credentials_parts){.provider = "t", .access_key = slice_str("A"), .secret_key = slice_str("s")}, NULL);
	char url[128];

	f->refused = 0;
	home_write(&f->home, "config", "[profile prod]\nregion = eu-west-3\n");
	fake_pass(&f->clock, f->loop, (int64_t)REGION_FINDER_PAUSE_US + 1);
	instance->ops->read(instance, signer, NULL, hear_reader, f);
	assert_int_equal(f->refused, 0);
	fake_http_fault(&f->http, HTTP_FAULT_CONNECT);
	fake_settle(f->loop);
	assert_int_equal(f->refused, 1);
	assert_non_null(strstr(f->e.msg, ": no AWS region"));
	assert_non_null(strstr(f->e.hint, "AWS_REGION"));
	fake_pass(&f->clock, f->loop, (int64_t)REGION_FINDER_PAUSE_US + 1);
	instance->ops->read(instance, signer, NULL, hear_reader, f);
	instance->ops->cancel(instance); /* the question goes on */
	instance->ops->read(instance, signer, NULL, hear_reader, f);
	fake_http_reply(&f->http, 200, "session-token");
	fake_http_reply(&f->http, 200, "eu-west-1");
	fake_settle(f->loop);
	snprintf(url, sizeof(url), "https://%s.eu-west-1.amazonaws.com/", service);
	assert_string_equal(f->http.last->url, url);
	assert_non_null(strstr(f->http.last->headers, "/eu-west-1/"));
	fake_http_reply(&f->http, 400, "{}");
	assert_int_equal(f->refused, 2);
	prod->ops->read(prod, signer, NULL, hear_reader, f);
	fake_settle(f->loop);
	snprintf(url, sizeof(url), "https://%s.eu-west-3.amazonaws.com/", service);
	assert_string_equal(f->http.last->url, url);
	prod->ops->cancel(prod);
	instance->ops->free(instance);
	prod->ops->free(prod);
	credentials_unref(signer);
}

static void secret(void **state)
{
	struct fixture *f = *state;

	reads_in(f, secret_walk_new(&f->deps, &(struct secret_walk_opts){.id = "a"}),
		 secret_walk_new(&f->deps, &(struct secret_walk_opts){.id = "a", .profile = "prod"}), "secretsmanager");
}

static void redshift(void **state)
{
	struct fixture *f = *state;
	const struct redshift_request rq = {.call = REDSHIFT_SERVERLESS, .name = "wg"};
	struct buf text;

	reads_in(f, redshift_reader_new(&f->deps, &rq, NULL), redshift_reader_new(&f->deps, &rq, "prod"), "redshift-serverless");
	buf_init(&text, 256);
	redshift_text(&rq, &text);
	assert_string_equal(buf_cstr(&text), "the Redshift workgroup wg in the instance's region");
	buf_free(&text);
}

struct taken {
	unsigned times;
	char token[2048];
	struct err e;
};

static void take(void *arg, const struct secret_answer *a, const struct err *e)
{
	struct taken *t = arg;

	t->times++;
	if (a)
		snprintf(t->token, sizeof(t->token), "%.*s", SLICE_FMT(a->secret));
	else
		t->e = *e;
}

static void settle(struct fixture *f, struct loop *worker)
{
	for (int i = 0; i < 3; i++) {
		fake_settle(worker);
		fake_settle(f->loop);
	}
}

/* A source on a worker's loop waits for credentials and for the region, in whatever order they come. */
static void source(void **state)
{
	struct fixture *f = *state;
	static const struct secret_request rq = {"db.example.com", 5432, "u"}, told = {RDS, 5432, "u"};
	struct loop *worker = loop_new(&f->clock.base, NULL, NULL);
	struct mailbox *mail = mailbox_new(f->loop, NULL, NULL), *worker_mail = mailbox_new(worker, NULL, NULL);
	struct fake_provider provider;
	struct region_seat seat = {f->finder, NULL};
	struct source_token_opts o = {.source = {.worker = worker, .worker_mail = worker_mail}, .env = f->env};
	struct cache *cache;
	struct secret_source *s;
	struct taken a = {0}, b = {0}, c = {0};

	fake_provider_init(&provider);
	cache = cache_new(f->loop, &provider.base, NULL);
	o.source.desk = desk_new(cache, mail);
	o.region_desk = region_finder_desk(&seat, mail);
	s = source_token_new(&o);
	s->ops->start(s, &rq, take, &a); /* neither is there; the region fails first */
	settle(f, worker);
	fake_http_fault(&f->http, HTTP_FAULT_CONNECT);
	settle(f, worker);
	assert_int_equal(a.times, 1);
	assert_int_equal(a.e.code, ERR_REGION);
	fake_give(&provider, "ONE", 0, true);
	settle(f, worker);
	s->ops->start(s, &told, take, &b); /* the host's name tells */
	settle(f, worker);
	assert_non_null(strstr(b.token, "us-east-2"));
	f->clock.mono_us += REGION_FINDER_PAUSE_US;
	s->ops->start(s, &rq, take, &c);
	s->ops->start(s, &rq, take, &c);
	s->ops->cancel(s->ops->start(s, &rq, take, &c));
	settle(f, worker);
	assert_int_equal(c.times, 0);
	fake_http_reply(&f->http, 200, "session-token");
	fake_http_reply(&f->http, 200, "eu-south-1");
	settle(f, worker);
	assert_int_equal(c.times, 2);
	assert_non_null(strstr(c.token, "%2Feu-south-1%2F"));
	s->ops->start(s, &rq, take, &c); /* known from now on, here as well */
	fake_settle(worker);
	assert_int_equal(c.times, 3);
	assert_int_equal(f->http.starts, 3);
	s->ops->free(s);
	desk_close(o.region_desk);
	desk_close(o.source.desk);
	cache_free(cache);
	mailbox_close(worker_mail);
	mailbox_close(mail);
	mailbox_unref(worker_mail);
	mailbox_unref(mail);
	loop_free(worker);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(profiles), T(order), T(configured), T(instance), T(instance_fails), T(sts), T(secret), T(redshift), T(profile_roles), T(roles_for_something),
		T(source),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
