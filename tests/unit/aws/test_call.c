/* Calls of a service: retries, pauses, the clock; and STS on top of them. */
#include "config.h"
#include "fake_http.h"
#include "aws/call.h"
#include "aws/call_verdict.h"
#include "aws/skew.h"
#include "aws/sts.h"

struct fixture {
	struct fake_clock clock;
	struct loop *loop;
	struct fake_http http;
	struct skew skew;
	struct provider_deps deps;
	struct credentials *creds;
	/* the answer */
	unsigned times;
	bool good;
	int status;
	char code[64];
	uint64_t retry_after_us;
	struct err e;
	char key[64], arn[64];
};

static const char *const env[] = {"AWS_REGION=us-east-1", NULL};

static int setup(void **state)
{
	struct fixture *f = mem_zalloc(sizeof(*f));
	struct credentials_parts parts = {
		.provider = "test",
		.access_key = slice_str("ASIAIOSFODNN7EXAMPLE"),
		.secret_key = slice_str("topsecret"),
		.session_token = slice_str("session"),
	};

	f->clock = fake_clock_make();
	f->loop = loop_new(&f->clock.base, NULL, NULL);
	fake_http_init(&f->http);
	skew_init(&f->skew);
	f->deps =
		(struct provider_deps){.loop = f->loop, .env = env, .http = &f->http.base, .skew = &f->skew};
	f->creds = credentials_new(&parts, NULL);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(fake_http_pending(&f->http), 0);
	credentials_unref(f->creds);
	loop_free(f->loop);
	free(f);
	return 0;
}

static void hear(void *arg, const struct call_answer *a)
{
	struct fixture *f = arg;

	f->times++;
	f->good = a->reply != NULL;
	assert_int_equal(f->good, a->e == NULL);
	f->status = a->status;
	f->retry_after_us = a->retry_after_us;
	if (!f->good) {
		f->e = *a->e;
		snprintf(f->code, sizeof(f->code), "%s", a->code);
	}
}

static struct call *start(struct fixture *f, bool sign)
{
	struct http_header h = {"content-type", slice_str("text/x")};
	struct call_request rq = {
		.who = "test call",
		.method = "POST",
		.url = "https://sts.test/",
		.headers = &h,
		.header_count = 1,
		.body = slice_str("body"),
		.signer = sign ? f->creds : NULL,
		.service = "sts",
		.region = "us-east-1",
		.attempts = 3,
		.connect_us = 5 * SEC,
		.total_us = 10 * SEC,
	};
	struct call *c;

	f->times = 0;
	c = call_start(&f->deps, &rq, hear, f);
	assert_int_equal(f->times, 0);
	return c;
}

/* Turns until the next attempt or the answer; how long that took. */
static int64_t until_next(struct fixture *f)
{
	unsigned before = f->http.starts;
	int64_t waited = 0;

	fake_settle(f->loop);
	while (f->http.starts == before && f->times == 0 && waited < 100 * SEC) {
		fake_pass(&f->clock, f->loop, SEC / 50);
		waited += SEC / 50;
	}
	return waited;
}

static void signed_and_sent(void **state)
{
	struct fixture *f = *state;

	start(f, true);
	assert_string_equal(f->http.last->method, "POST");
	assert_string_equal(f->http.last->body, "body");
	assert_non_null(strstr(f->http.last->headers, "content-type: text/x\n"));
	assert_non_null(strstr(f->http.last->headers, "host: sts.test\n"));
	assert_non_null(strstr(f->http.last->headers, "x-amz-date: 20260115T123456Z\n"));
	assert_non_null(strstr(f->http.last->headers, "x-amz-security-token: session\n"));
	assert_non_null(strstr(
		f->http.last->headers,
		"authorization: AWS4-HMAC-SHA256 Credential=ASIAIOSFODNN7EXAMPLE/20260115/us-east-1/sts/"
		"aws4_request, SignedHeaders=content-type;host;x-amz-date;x-amz-security-token, Signature="));
	assert_false(f->http.last->allow_http);
	fake_http_reply(&f->http, 200, "fine");
	assert_int_equal(f->times, 1);
	assert_true(f->good);
	start(f, false);
	assert_null(strstr(f->http.last->headers, "authorization"));
	assert_null(strstr(f->http.last->headers, "session"));
	fake_http_reply(&f->http, 204, "");
	assert_true(f->good);
}

/* http:// is for endpoints on this machine: with a proxy on the way, tokens and credentials would pass it in the clear. */
static void cleartext_goes_by_no_proxy(void **state)
{
	static const struct {
		const char *url;
		bool direct;
	} cases[] = {{"https://sts.test/", false}, {"http://127.0.0.1:4566/", true}, {"HTTP://localhost/", true}};
	struct fixture *f = *state;

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct call_request rq = {.who = "test call", .method = "GET", .url = cases[i].url, .attempts = 1, .cleartext = true};
		struct call *c = call_start(&f->deps, &rq, hear, f);

		assert_int_equal(f->http.last->direct, cases[i].direct);
		call_cancel(c);
	}
}

static void retries(void **state)
{
	struct fixture *f = *state;

	start(f, true);
	fake_http_fault(&f->http, HTTP_FAULT_TIMEOUT);
	assert_in_range(until_next(f), 0, SEC / 5);
	assert_int_equal(f->http.starts, 2);
	fake_http_reply(&f->http, 503, "busy");
	assert_in_range(until_next(f), 0, SEC / 3);
	assert_int_equal(f->times, 0);
	assert_int_equal(f->http.starts, 3);
	fake_http_reply(&f->http, 500, "{\"__type\":\"InternalError\",\"message\":\"oops\"}");
	assert_int_equal(f->times, 1);
	assert_false(f->good);
	assert_int_equal(f->status, 500);
	assert_string_equal(f->code, "InternalError");
	assert_string_equal(f->e.msg, "test call: HTTP status 500, InternalError");
	assert_non_null(strstr(f->e.detail, "oops"));
	assert_int_equal(f->e.code, ERR_CREDENTIALS);

	/* what cannot get better is not tried again */
	start(f, true);
	fake_http_fault(&f->http, HTTP_FAULT_TLS_VERIFY);
	assert_int_equal(f->times, 1);
	assert_non_null(strstr(f->e.msg, "sts.test"));
	start(f, true);
	fake_http_reply(&f->http, 403, "{\"Error\":{\"Code\":\"AccessDenied\",\"Message\":\"no\"}}");
	assert_int_equal(f->times, 1);
	start(f, true);
	fake_http_reply(&f->http, 302, "");
	assert_int_equal(f->times, 1);
	assert_non_null(strstr(f->e.detail, "Redirects"));
}

static void reply_with(struct fixture *f, int status, const char *body, enum http_reply_header h,
		       const char *value)
{
	struct http_reply r = {.status = status, .why = "", .body = slice_str(body), .verified = true};

	r.header[h] = slice_str(value);
	fake_http_answer(f->http.last, &r);
}

static void retry_after(void **state)
{
	struct fixture *f = *state;

	start(f, true);
	reply_with(f, 429, "", HTTP_REPLY_RETRY_AFTER, "3");
	assert_in_range(until_next(f), 3 * SEC, 4 * SEC + SEC / 10);
	reply_with(f, 400, "{\"__type\":\"ThrottlingException\"}", HTTP_REPLY_AMZ_RETRY_AFTER, "1500");
	assert_in_range(until_next(f), SEC + SEC / 2, 4 * SEC);
	assert_int_equal(f->http.starts, 3);
	fake_http_reply(&f->http, 200, "");
	assert_true(f->good);
	/* too long to wait here: the caller is told */
	start(f, true);
	reply_with(f, 503, "", HTTP_REPLY_RETRY_AFTER, "120");
	assert_int_equal(f->times, 1);
	assert_false(f->good);
	assert_true(f->retry_after_us == 120 * SEC);
	/* as a date */
	start(f, true);
	reply_with(f, 503, "", HTTP_REPLY_RETRY_AFTER, "Fri, 16 Jan 2026 00:00:00 GMT");
	assert_true(f->retry_after_us == 3600 * SEC); /* bounded */
	start(f, true);
	reply_with(f, 403, "", HTTP_REPLY_RETRY_AFTER, "soon");
	assert_true(f->retry_after_us == 0);
}

/* Many who were throttled together do not come back together. */
static void jitter(void **state)
{
	struct fixture *f = *state;
	int64_t least = INT64_MAX, most = 0;

	for (int i = 0; i < 16; i++) {
		struct call *c = start(f, true);
		int64_t waited;

		reply_with(f, 429, "", HTTP_REPLY_RETRY_AFTER, "0");
		waited = until_next(f);
		assert_in_range(waited, 0, SEC + SEC / 10);
		least = waited < least ? waited : least;
		most = waited > most ? waited : most;
		call_cancel(c);
	}
	assert_true(most - least > SEC / 5); /* by chance not: 4 in 10^10 */
}

/* Ten minutes slow: refused once, signed again with the right time, and the next call is right at once. */
static void clock_corrected(void **state)
{
	struct fixture *f = *state;
	const char *expired =
		"<ErrorResponse><Error><Code>SignatureDoesNotMatch</Code><Message>Signature expired"
		"</Message></Error></ErrorResponse>";

	start(f, true);
	reply_with(f, 403, expired, HTTP_REPLY_DATE, "Thu, 15 Jan 2026 12:44:56 GMT");
	until_next(f);
	assert_int_equal(f->http.starts, 2);
	assert_non_null(strstr(f->http.last->headers, "x-amz-date: 20260115T1244"));
	/* refused again: the clock is not it */
	reply_with(f, 403, expired, HTTP_REPLY_DATE, "Thu, 15 Jan 2026 12:44:56 GMT");
	assert_int_equal(f->times, 1);
	start(f, true);
	assert_non_null(strstr(f->http.last->headers, "x-amz-date: 20260115T1244"));
	fake_http_reply(&f->http, 200, "");

	/* a date that came without TLS moves nothing */
	{
		struct http_reply r = {.status = 200, .why = ""};

		start(f, true);
		r.header[HTTP_REPLY_DATE] = slice_str("Thu, 15 Jan 2026 13:14:56 GMT");
		fake_http_answer(f->http.last, &r);
		start(f, true);
		assert_non_null(strstr(f->http.last->headers, "x-amz-date: 20260115T1244"));
		fake_http_reply(&f->http, 200, "");
	}
}

static void cancelled(void **state)
{
	struct fixture *f = *state;
	struct call *c = start(f, true);

	call_cancel(c); /* while asked */
	assert_int_equal(f->http.cancels, 1);
	c = start(f, true);
	fake_http_reply(&f->http, 503, "");
	call_cancel(c); /* while pausing */
	fake_pass(&f->clock, f->loop, 60 * SEC);
	assert_int_equal(f->times, 0);
	call_cancel(NULL);
}

static void bad_url(void **state)
{
	struct fixture *f = *state;
	struct call_request rq = {.who = "test call", .method = "GET", .url = "gopher://x/", .attempts = 3};

	f->times = 0;
	call_start(&f->deps, &rq, hear, f);
	assert_int_equal(f->times, 0);
	fake_settle(f->loop);
	assert_int_equal(f->times, 1);
	assert_false(f->good);
	call_cancel(call_start(&f->deps, &rq, hear, f));
	fake_settle(f->loop);
	assert_int_equal(f->times, 1);
	assert_int_equal(f->http.starts, 0);
}

/* ---- STS ---- */

static void hear_sts(void *arg, const struct sts_answer *a)
{
	struct fixture *f = arg;

	f->times++;
	f->good = a->e == NULL;
	f->retry_after_us = a->retry_after_us;
	snprintf(f->key, sizeof(f->key), "%s", a->creds ? a->creds->access_key : "");
	snprintf(f->arn, sizeof(f->arn), "%s", a->arn ? a->arn : "");
	if (a->e)
		f->e = *a->e;
}

static void sts_requests(void **state)
{
	struct fixture *f = *state;
	struct sts_request rq = {
		.action = STS_ASSUME_ROLE,
		.provider = "p",
		.source = f->creds,
		.role_arn = "arn:aws:iam::123456789012:role/path/demo+x",
		.session_name = "svc=a,b.c@d-e",
		.external_id = "ext:id/1",
		.duration_sec = 900,
	};

	sts_start(&f->deps, &rq, hear_sts, f);
	assert_string_equal(f->http.last->url, "https://sts.us-east-1.amazonaws.com/");
	assert_string_equal(
		f->http.last->body,
		"Action=AssumeRole&Version=2011-06-15&RoleArn=arn%3Aaws%3Aiam%3A%3A123456789012%3Arole%2Fpath"
		"%2Fdemo%2Bx&RoleSessionName=svc%3Da%2Cb.c%40d-e&DurationSeconds=900&ExternalId=ext%3Aid%"
		"2F1");
	assert_non_null(strstr(f->http.last->headers, "accept: application/json\n"));
	assert_non_null(strstr(f->http.last->headers, "authorization: "));
	fake_http_reply(
		&f->http, 200,
		"{\"AssumeRoleResponse\":{\"AssumeRoleResult\":{\"Credentials\":{\"AccessKeyId\":\"ASIAX\","
		"\"SecretAccessKey\":\"s\",\"SessionToken\":\"t\",\"Expiration\":1768484096}}}}");
	assert_true(f->good);
	assert_string_equal(f->key, "ASIAX");

	rq = (struct sts_request){.action = STS_WEB_IDENTITY,
				  .provider = "p",
				  .region = "eu-west-1",
				  .role_arn = "arn",
				  .web_token = slice_str("a.b-c_d")};
	sts_start(&f->deps, &rq, hear_sts, f);
	assert_string_equal(f->http.last->url, "https://sts.eu-west-1.amazonaws.com/");
	assert_string_equal(f->http.last->body,
			    "Action=AssumeRoleWithWebIdentity&Version=2011-06-15&RoleArn=arn&"
			    "RoleSessionName=pgiam-1768480496&WebIdentityToken=a.b-c_d");
	assert_null(strstr(f->http.last->headers, "authorization"));
	fake_http_reply(&f->http, 403,
			"{\"Error\":{\"Code\":\"AccessDenied\",\"Message\":\"Not authorized.\"}}");
	assert_false(f->good);
	assert_string_equal(f->e.msg, "p: sts AssumeRoleWithWebIdentity: HTTP status 403, AccessDenied");
	assert_string_equal(f->e.detail, "sts AssumeRoleWithWebIdentity said: Not authorized.");
	assert_non_null(strstr(f->e.hint, "trust policy"));
	assert_non_null(strstr(f->e.hint, "sts:AssumeRole"));

	rq = (struct sts_request){.action = STS_CALLER_IDENTITY, .provider = "p", .source = f->creds};
	sts_start(&f->deps, &rq, hear_sts, f);
	assert_string_equal(f->http.last->body, "Action=GetCallerIdentity&Version=2011-06-15");
	fake_http_reply(
		&f->http, 200,
		"<GetCallerIdentityResponse><GetCallerIdentityResult><Arn>arn:x</Arn><Account>1</Account>"
		"</GetCallerIdentityResult></GetCallerIdentityResponse>");
	assert_true(f->good);
	assert_string_equal(f->arn, "arn:x");
}

static void sts_cannot(void **state)
{
	struct fixture *f = *state;
	static const char *const no_env[] = {NULL};
	struct sts_request rq = {.action = STS_ASSUME_ROLE,
				 .provider = "p",
				 .source = f->creds,
				 .role_arn = "arn",
				 .session_name = "no blanks"};

	f->times = 0;
	sts_start(&f->deps, &rq, hear_sts, f);
	assert_int_equal(f->times, 0);
	fake_settle(f->loop);
	assert_int_equal(f->times, 1);
	assert_non_null(strstr(f->e.msg, "session name"));
	f->deps.env = no_env;
	rq.session_name = NULL;
	sts_start(&f->deps, &rq, hear_sts, f);
	fake_settle(f->loop);
	assert_int_equal(f->times, 2);
	assert_non_null(strstr(f->e.msg, "AWS_REGION"));
	sts_cancel(sts_start(&f->deps, &rq, hear_sts, f));
	fake_settle(f->loop);
	assert_int_equal(f->times, 2);
	f->deps.env = env;
	sts_cancel(sts_start(&f->deps, &rq, hear_sts, f));
	assert_int_equal(f->http.cancels, 1);
	sts_cancel(NULL);
	assert_int_equal(f->http.starts, 1);
}

/* The hint of what each of these faults, or error codes, ends a call with. */
static void hints(void **state)
{
	static const struct {
		enum http_fault fault;
		const char *hint;
	} faults[] = {
		{HTTP_FAULT_RESOLVE,    "this machine reaches sts.test"},
		{HTTP_FAULT_TIMEOUT,    "this machine reaches sts.test"},
		{HTTP_FAULT_REQUEST,    "AWS_ENDPOINT_URL"             },
		{HTTP_FAULT_TLS_VERIFY, "AWS_CA_BUNDLE"                },
		{HTTP_FAULT_TOO_LARGE,  "is not AWS"                   },
		{HTTP_FAULT_PROTOCOL,   "is not AWS"                   },
	};
	static const struct {
		const char *code, *hint;
	} codes[] = {
		{"SignatureDoesNotMatch", "secret access key"  },
		{"InvalidClientTokenId",  "deleted or turned off"},
		{"ExpiredToken",          "have expired"       },
		{"AccessDenied",          "trust policy"       },
		{"Whatever",              ""                   },
	};
	struct fixture *f = *state;
	struct sts_request rq = {.action = STS_ASSUME_ROLE, .provider = "p", .source = f->creds, .role_arn = "arn"};

	for (size_t i = 0; i < sizeof(faults) / sizeof(*faults); i++) {
		start(f, true);
		fake_http_fault(&f->http, faults[i].fault);
		while (f->times == 0) {
			until_next(f);
			fake_http_fault(&f->http, faults[i].fault);
		}
		assert_non_null(strstr(f->e.hint, faults[i].hint));
	}
	for (size_t i = 0; i < sizeof(codes) / sizeof(*codes); i++) {
		char body[200];

		f->times = 0;
		snprintf(body, sizeof(body), "{\"Error\":{\"Code\":\"%s\",\"Message\":\"no\"}}", codes[i].code);
		sts_start(&f->deps, &rq, hear_sts, f);
		fake_http_reply(&f->http, 403, body);
		assert_int_equal(f->times, 1);
		assert_non_null(strstr(f->e.hint, codes[i].hint));
		assert_int_equal(*f->e.hint != 0, *codes[i].hint != 0);
	}
}

/* What counters call it. */
static void causes(void **state)
{
	(void)state;
	assert_int_equal(call_verdict_cause(CALL_VERDICT_FINAL, HTTP_FAULT_FORBIDDEN),
			 PROVIDER_CAUSE_SETTINGS);
	assert_int_equal(call_verdict_cause(CALL_VERDICT_TRANSIENT, HTTP_FAULT_RESOLVE),
			 PROVIDER_CAUSE_UNREACHABLE);
	assert_int_equal(call_verdict_cause(CALL_VERDICT_FINAL, HTTP_FAULT_TLS_VERIFY),
			 PROVIDER_CAUSE_SETTINGS);
	assert_int_equal(call_verdict_cause(CALL_VERDICT_FINAL, HTTP_FAULT_TOO_LARGE), PROVIDER_CAUSE_ANSWER);
	assert_int_equal(call_verdict_cause(CALL_VERDICT_DONE, HTTP_FAULT_NONE), PROVIDER_CAUSE_ANSWER);
	assert_int_equal(call_verdict_cause(CALL_VERDICT_TRANSIENT, HTTP_FAULT_NONE), PROVIDER_CAUSE_SERVER);
	assert_int_equal(call_verdict_cause(CALL_VERDICT_THROTTLED, HTTP_FAULT_NONE),
			 PROVIDER_CAUSE_THROTTLED);
	assert_int_equal(call_verdict_cause(CALL_VERDICT_CLOCK, HTTP_FAULT_NONE), PROVIDER_CAUSE_REFUSED);
	assert_int_equal(call_verdict_cause(CALL_VERDICT_FINAL, HTTP_FAULT_NONE), PROVIDER_CAUSE_REFUSED);
}

/* Every fault has a verdict, and of statuses these are worth another try. */
static void verdicts(void **state)
{
	static const struct {
		int status;
		const char *code;
		enum call_verdict v;
	} cases[] = {
		{200, "",                      CALL_VERDICT_DONE     },
		{299, "",                      CALL_VERDICT_DONE     },
		{300, "",                      CALL_VERDICT_FINAL    },
		{400, "",                      CALL_VERDICT_FINAL    },
		{400, "Throttling",            CALL_VERDICT_THROTTLED},
		{400, "IDPCommunicationError", CALL_VERDICT_TRANSIENT},
		{403, "SignatureDoesNotMatch", CALL_VERDICT_CLOCK    },
		{403, "AccessDenied",          CALL_VERDICT_FINAL    },
		{404, "",                      CALL_VERDICT_FINAL    },
		{429, "",                      CALL_VERDICT_THROTTLED},
		{500, "",                      CALL_VERDICT_TRANSIENT},
		{501, "",                      CALL_VERDICT_FINAL    },
		{503, "SlowDown",              CALL_VERDICT_THROTTLED},
		{504, "",                      CALL_VERDICT_TRANSIENT},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_int_equal(call_verdict_of(HTTP_FAULT_NONE, cases[i].status, cases[i].code),
				 cases[i].v);
	assert_int_equal(call_verdict_of(HTTP_FAULT_RESOLVE, 0, ""), CALL_VERDICT_TRANSIENT);
	assert_int_equal(call_verdict_of(HTTP_FAULT_TOO_LARGE, 0, ""), CALL_VERDICT_FINAL);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(signed_and_sent), T(cleartext_goes_by_no_proxy), T(retries),      T(retry_after), T(jitter), T(clock_corrected), T(cancelled),
		T(bad_url),         T(sts_requests), T(sts_cannot),  T(hints),           T(verdicts),        T(causes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
