/* Answers that say our secrets back: nothing of them is in what people will see. */
#include "config.h"
#include "fake_http.h"
#include "aws/call.h"
#include "aws/redshift.h"
#include "aws/region_finder.h"
#include "aws/secret_walk.h"
#include "aws/skew.h"
#include "aws/sts.h"

#define KEY      "wJalrXUtnFEMIK7MDENGbPxRfiCYEXAMPLEKEY"
#define SESSION  "IQoJb3JpZ2luX2VjEXrAbCdEfGhIjKlMOPqRsTuVwXyZ0123456789"
#define WEB      "eyJhbGciOiJSUzI1NiIsImtpZCI6IjEifQ.eyJpc3MiOiJodHRwcyJ9.c2lnbmF0dXJl"
#define POD      "k8s-aws-v1.aHR0cHM6Ly9zdHMuYW1hem9uYXdzLmNvbS8"
#define IMDS     "AQAEAHqZ3yXkVbN8w7P6sDfGhJkL0qWeRtYuIoPaSdFgHjKlZxCvBnM"
#define PASSWORD "correct-horse-battery"
#define AS_VERSION "a-" KEY

static const char *const secrets[] = {KEY, SESSION, WEB, POD, IMDS, PASSWORD};

struct fixture {
	struct fake_clock clock;
	struct loop *loop;
	struct fake_http http;
	struct skew skew;
	struct provider_deps deps;
	struct credentials *creds;
	struct provider *provider;
	unsigned times;
	bool good;
	char seen[4096]; /* what of the answer people would see */
};

static const char *const env[] = {"AWS_REGION=us-east-1", "AWS_CONTAINER_CREDENTIALS_FULL_URI=http://169.254.170.23/v1",
				  "AWS_CONTAINER_AUTHORIZATION_TOKEN=" POD, NULL};
static const char *const imds_env[] = {"HOME=/nonexistent", NULL};

static int setup(void **state)
{
	struct fixture *f = mem_zalloc(sizeof(*f));

	f->clock = fake_clock_make();
	f->loop = loop_new(&f->clock.base, NULL, NULL);
	fake_http_init(&f->http);
	skew_init(&f->skew);
	f->deps = (struct provider_deps){.loop = f->loop, .env = env, .http = &f->http.base, .skew = &f->skew};
	f->creds = credentials_new(
		&(struct credentials_parts){
			.provider = "test",
			.access_key = slice_str("ASIAIOSFODNN7EXAMPLE"),
			.secret_key = slice_str(KEY),
			.session_token = slice_str(SESSION),
		},
		NULL);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(fake_http_pending(&f->http), 0);
	credentials_unref(f->creds);
	provider_free(f->provider);
	loop_free(f->loop);
	free(f);
	return 0;
}

static void see(struct fixture *f, const struct err *e, const char *more)
{
	f->times++;
	f->good = e == NULL;
	snprintf(f->seen, sizeof(f->seen), "%s\n%s\n%s\n%s", e ? e->msg : "", e ? e->detail : "", e ? e->hint : "",
		 more ? more : "");
}

/* Answered once, with no piece of a secret that anybody could use. */
static void is_discreet(struct fixture *f)
{
	assert_int_equal(f->times, 1);
	for (size_t i = 0; i < sizeof(secrets) / sizeof(secrets[0]); i++) {
		for (size_t at = 0; at + MASK_PIECE_BYTES <= strlen(secrets[i]); at++) {
			char piece[MASK_PIECE_BYTES + 1];

			snprintf(piece, sizeof(piece), "%s", secrets[i] + at);
			if (strstr(f->seen, piece))
				fail_msg("%s is in: %s", piece, f->seen);
		}
	}
	f->times = 0;
}

/* The ways in which an error can say a text. */
static void fails_with(struct fixture *f, unsigned way, const char *text)
{
	static const char *const forms[] = {
		"{\"__type\":\"ns#%1$.30s:x\",\"message\":\"you sent %1$s, and not more\"}",
		"{\"error\":\"invalid\",\"error_description\":\"%s\"}",
		"<ErrorResponse><Error><Code>%1$s</Code><Message>(%1$s)</Message></Error></ErrorResponse>",
	};
	char body[1024];
	struct http_reply r = {.status = 400, .why = "", .verified = true};

	if (way < 3) {
		snprintf(body, sizeof(body), forms[way], text);
		r.body = slice_str(body);
	} else if (way == 3) {
		r.header[HTTP_REPLY_AMZ_ERROR_TYPE] = slice_str(text);
	} else {
		r = (struct http_reply){.fault = HTTP_FAULT_TLS_VERIFY, .why = text};
	}
	fake_http_answer(f->http.last, &r);
}

#define WAYS 5

/* ---- STS ---- */

static void hear_sts(void *arg, const struct sts_answer *a)
{
	char more[1024];

	snprintf(more, sizeof(more), "%s %s", a->arn ? a->arn : "", a->account ? a->account : "");
	see(arg, a->e, more);
}

static void sts(void **state)
{
	struct fixture *f = *state;
	struct sts_request role = {.action = STS_ASSUME_ROLE, .provider = "p", .source = f->creds, .role_arn = "arn"},
			   web = {.action = STS_WEB_IDENTITY, .provider = "p", .role_arn = "arn", .web_token = slice_str(WEB)};

	for (unsigned way = 0; way < WAYS; way++) {
		sts_start(&f->deps, &role, hear_sts, f);
		fails_with(f, way, SESSION);
		is_discreet(f);
		assert_non_null(strstr(f->seen, "***"));
		sts_start(&f->deps, &role, hear_sts, f);
		fails_with(f, way, strstr(f->http.last->headers, "Signature=")); /* of the header authorization */
		assert_null(strstr(f->seen, "Signature="));
		is_discreet(f);
		sts_start(&f->deps, &web, hear_sts, f);
		fails_with(f, way, WEB);
		is_discreet(f);
		assert_non_null(strstr(f->seen, "***"));
	}
	/* and what is no secret is told */
	sts_start(&f->deps, &role, hear_sts, f);
	fails_with(f, 0, "text/x");
	assert_non_null(strstr(f->seen, "you sent text/x, and not more"));
	is_discreet(f);
}

/* Who called is shown by `pgiam credentials`. */
static void identity(void **state)
{
	struct fixture *f = *state;
	struct sts_request rq = {.action = STS_CALLER_IDENTITY, .provider = "p", .source = f->creds};

	sts_start(&f->deps, &rq, hear_sts, f);
	fake_http_reply(&f->http, 200,
			"{\"GetCallerIdentityResponse\":{\"GetCallerIdentityResult\":{\"Arn\":\"arn:aws:sts::1:" SESSION
			"\",\"Account\":\"IQoJb3JpZ2luX2VjEXrAbCdE\"}}}");
	assert_true(f->good);
	assert_non_null(strstr(f->seen, "arn:aws:sts::1:*** ***"));
	is_discreet(f);
}

/* ---- a container's endpoint, the metadata service ---- */

static void hear_provider(void *arg, const struct provider_answer *a)
{
	see(arg, a->e, a->creds ? a->creds->account_id : NULL);
}

static void container(void **state)
{
	struct fixture *f = *state;

	f->provider = provider_container_new(&f->deps);
	for (unsigned way = 0; way < WAYS; way++) {
		provider_start(f->provider, hear_provider, f);
		fails_with(f, way, POD);
		is_discreet(f);
	}
	provider_start(f->provider, hear_provider, f);
	fake_http_reply(&f->http, 200,
			"{\"AccessKeyId\":\"ASIAX\",\"SecretAccessKey\":\"s\",\"Token\":\"t\",\"Expiration\":"
			"\"2026-01-15T13:34:56Z\",\"AccountId\":\"" POD "\"}");
	assert_true(f->good);
	is_discreet(f);
}

static void imds(void **state)
{
	struct fixture *f = *state;

	f->deps.env = imds_env;
	f->provider = provider_imds_new(&f->deps);
	provider_start(f->provider, hear_provider, f);
	fake_http_reply(&f->http, 200, IMDS);
	fake_http_reply(&f->http, 200, IMDS); /* as the role's name */
	assert_non_null(strstr(f->seen, "no role's name"));
	is_discreet(f);
	provider_start(f->provider, hear_provider, f);
	fake_http_reply(&f->http, 200, "role");
	fake_http_reply(&f->http, 200, "{\"Code\":\"" IMDS "\",\"Message\":\"with " IMDS "\"}");
	assert_non_null(strstr(f->seen, "role: ***"));
	is_discreet(f);
	for (unsigned way = 0; way < WAYS; way++) {
		provider_start(f->provider, hear_provider, f);
		fails_with(f, way, IMDS);
		is_discreet(f);
	}
}

static void hear_region(void *arg, const char *region, const struct err *e)
{
	see(arg, e, region);
}

/* A region's name is logged; a session's token may have the form of one. */
static void region(void **state)
{
	struct fixture *f = *state;
	struct region_finder *finder;

	f->deps.env = imds_env;
	finder = region_finder_new(&f->deps);
	region_finder_get(finder, NULL, hear_region, f);
	fake_http_reply(&f->http, 200, "abcdefgh-ijklmnop-qrst-1");
	fake_http_reply(&f->http, 200, "abcdefgh-ijklmnop-qrst-1");
	fake_settle(f->loop);
	assert_non_null(strstr(f->seen, "no region's name"));
	assert_null(strstr(f->seen, "abcdefgh"));
	region_finder_free(finder);
}

/* ---- passwords ---- */

static void hear_reader(void *arg, const struct secret_reader_answer *a)
{
	see(arg, a->e, NULL);
}

/* Errors of a service that knows the last password, and what comes with a new one. Takes r. */
static void reads(struct fixture *f, struct secret_reader *r, const char *form)
{
	static const char *const names[] = {SESSION, AS_VERSION, "joe"};
	struct secret_value *last = secret_value_new(
		&(struct secret_value_parts){.how = "test", .password = slice_str(PASSWORD)}, NULL);
	char body[1024];

	for (unsigned way = 0; way < WAYS; way++) {
		r->ops->read(r, f->creds, last, hear_reader, f);
		fails_with(f, way, PASSWORD);
		is_discreet(f);
		r->ops->read(r, f->creds, last, hear_reader, f);
		fails_with(f, way, SESSION);
		is_discreet(f);
	}
	for (int i = 0; i < 3; i++) {
		r->ops->read(r, f->creds, last, hear_reader, f);
		snprintf(body, sizeof(body), form, names[i]);
		fake_http_reply(&f->http, 200, body);
		assert_int_equal(f->good, i == 2);
		is_discreet(f);
	}
	secret_value_unref(last);
	r->ops->free(r);
}

static void redshift(void **state)
{
	struct fixture *f = *state;
	const struct redshift_request rq = {.call = REDSHIFT_USER, .region = "us-east-1", .name = "c1", .db_user = "joe"};

	reads(f, redshift_reader_new(&f->deps, &rq, NULL),
	      "<GetClusterCredentialsResponse><GetClusterCredentialsResult><DbUser>%s</DbUser><DbPassword>" PASSWORD "</DbPassword>"
	      "<Expiration>2026-01-15T13:34:56Z</Expiration></GetClusterCredentialsResult></GetClusterCredentialsResponse>");
}

static void secret(void **state)
{
	struct fixture *f = *state;

	/* the last password may well be the user's name */
	reads(f, secret_walk_new(&f->deps, &(struct secret_walk_opts){.id = "prod/db", .region = "us-east-1"}),
	      "{\"VersionId\":\"v-%1$s\",\"SecretString\":\"{\\\"username\\\":\\\"" PASSWORD "\\\",\\\"password\\\":\\\"" PASSWORD
	      "\\\"}\"}");
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(sts), T(identity), T(container), T(imds), T(region), T(redshift), T(secret),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
