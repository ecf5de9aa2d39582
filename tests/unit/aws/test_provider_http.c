/* The providers that ask somebody: web identity, container, instance metadata. */
#include "config.h"
#include "fake_http.h"
#include <arpa/inet.h>
#include <stdio.h>
#include <unistd.h>
#include "aws/container_host.h"
#include "aws/provider.h"
#include "aws/skew.h"
#include "io/addr.h"

#define HOUR (3600 * SEC)
#define MIN  (60 * SEC)

struct fixture {
	struct fake_clock clock;
	struct loop *loop;
	struct fake_http http;
	struct skew skew;
	struct provider *provider;
	char file[64];
	/* the answer */
	unsigned times;
	enum provider_result result;
	char key[64], account[64];
	int64_t expires_us;
	uint64_t retry_after_us;
	enum provider_cause cause;
	struct err e;
};

static int setup(void **state)
{
	struct fixture *f = mem_zalloc(sizeof(*f));
	int fd;

	f->clock = fake_clock_make();
	f->loop = loop_new(&f->clock.base, NULL, NULL);
	fake_http_init(&f->http);
	skew_init(&f->skew);
	snprintf(f->file, sizeof(f->file), "/tmp/pgiam-test-XXXXXX");
	fd = mkstemp(f->file);
	assert_true(fd >= 0);
	close(fd);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(fake_http_pending(&f->http), 0);
	provider_free(f->provider);
	loop_free(f->loop);
	unlink(f->file);
	free(f);
	return 0;
}

static void make(struct fixture *f, struct provider *(*new)(const struct provider_deps *),
		 const char *const *env)
{
	struct provider_deps d = {.loop = f->loop, .env = env, .http = &f->http.base, .skew = &f->skew};

	provider_free(f->provider);
	f->provider = new (&d);
}

static void write_file(const char *path, const char *text)
{
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	fputs(text, file);
	assert_int_equal(fclose(file), 0);
}

static void hear(void *arg, const struct provider_answer *a)
{
	struct fixture *f = arg;

	f->times++;
	f->result = a->result;
	assert_int_equal(a->creds != NULL, a->result == PROVIDER_CREDENTIALS);
	assert_int_equal(a->e != NULL, a->result != PROVIDER_CREDENTIALS);
	snprintf(f->key, sizeof(f->key), "%s", a->creds ? a->creds->access_key : "");
	snprintf(f->account, sizeof(f->account), "%s",
		 a->creds && a->creds->account_id ? a->creds->account_id : "");
	f->expires_us = a->creds ? a->creds->expires_wall_us : 0;
	if (a->creds)
		assert_true(a->creds->renewable);
	f->retry_after_us = a->retry_after_us;
	f->cause = a->cause;
	if (a->e) {
		f->e = *a->e;
		assert_null(strstr(a->e->msg, "topsecret"));
	}
}

/* Asks; whether there is an HTTP request then. */
static bool ask(struct fixture *f)
{
	unsigned before = f->http.starts;

	f->times = 0;
	provider_start(f->provider, hear, f);
	assert_int_equal(f->times, 0);
	if (f->http.starts > before)
		return true;
	fake_settle(f->loop);
	assert_int_equal(f->times, 1);
	return false;
}

/* Turns the loop until the next attempt, or for some seconds. */
static void next_attempt(struct fixture *f)
{
	unsigned before = f->http.starts;

	for (int i = 0; i < 500 && f->http.starts == before; i++)
		fake_pass(&f->clock, f->loop, SEC / 50);
}

static void cancels(struct fixture *f)
{
	unsigned before = f->http.cancels;
	struct provider_op *op = provider_start(f->provider, hear, f);

	f->times = 0;
	provider_cancel(op);
	fake_settle(f->loop);
	assert_int_equal(f->times, 0);
	assert_int_equal(f->http.cancels, before + 1);
}

/* ---- web identity ---- */

#define WEB_OK                                                                                               \
	"{\"AssumeRoleWithWebIdentityResponse\":{\"AssumeRoleWithWebIdentityResult\":{\"Credentials\":{"     \
	"\"AccessKeyId\":\"ASIAWEB\",\"SecretAccessKey\":\"topsecret\",\"SessionToken\":\"t\","              \
	"\"Expiration\":1768484096}}}}"

static void web(void **state)
{
	struct fixture *f = *state;
	char file[128];
	const char *none[] = {"AWS_ROLE_ARN=arn", NULL};
	const char *half[] = {file, NULL};
	const char *env[] = {"AWS_ROLE_ARN=arn:aws:iam::1:role/r", "AWS_REGION=eu-west-1", file,
			     "AWS_ROLE_SESSION_NAME=pod", NULL};
	const char *nowhere[] = {"AWS_ROLE_ARN=a", "AWS_REGION=eu-west-1",
				 "AWS_WEB_IDENTITY_TOKEN_FILE=/nowhere/token", NULL};

	snprintf(file, sizeof(file), "AWS_WEB_IDENTITY_TOKEN_FILE=%s", f->file);
	make(f, provider_web_new, none);
	assert_false(ask(f));
	assert_int_equal(f->result, PROVIDER_NOT_CONFIGURED);
	make(f, provider_web_new, half);
	assert_false(ask(f));
	assert_int_equal(f->result, PROVIDER_FAILED);
	assert_non_null(strstr(f->e.msg, "AWS_ROLE_ARN is not"));
	make(f, provider_web_new, nowhere);
	assert_false(ask(f));
	assert_int_equal(f->result, PROVIDER_FAILED);
	assert_non_null(strstr(f->e.msg, "/nowhere/token"));

	make(f, provider_web_new, env);
	write_file(f->file, "token-1\n");
	assert_true(ask(f));
	assert_string_equal(f->http.last->url, "https://sts.eu-west-1.amazonaws.com/");
	assert_non_null(strstr(f->http.last->body,
			       "RoleArn=arn%3Aaws%3Aiam%3A%3A1%3Arole%2Fr&RoleSessionName=pod&"
			       "WebIdentityToken=token-1"));
	fake_http_reply(&f->http, 200, WEB_OK);
	assert_int_equal(f->result, PROVIDER_CREDENTIALS);
	assert_string_equal(f->key, "ASIAWEB");
	assert_true(f->expires_us == T0 + HOUR);
	/* read again at each refresh */
	write_file(f->file, "token-2");
	assert_true(ask(f));
	assert_non_null(strstr(f->http.last->body, "WebIdentityToken=token-2"));
	fake_http_reply(&f->http, 400, "{\"Error\":{\"Code\":\"ExpiredTokenException\",\"Message\":\"m\"}}");
	assert_int_equal(f->result, PROVIDER_FAILED);
	assert_int_equal(f->cause, PROVIDER_CAUSE_REFUSED);
	assert_non_null(strstr(f->e.msg, "ExpiredTokenException"));
	assert_non_null(strstr(f->e.hint, "expired"));
	/* the identity provider's keys rotate: again */
	assert_true(ask(f));
	fake_http_reply(&f->http, 400, "{\"Error\":{\"Code\":\"InvalidIdentityToken\",\"Message\":\"m\"}}");
	assert_int_equal(f->times, 0);
	next_attempt(f);
	fake_http_reply(&f->http, 200, WEB_OK);
	assert_int_equal(f->result, PROVIDER_CREDENTIALS);
	cancels(f);
}

/* ---- container ---- */

#define CONTAINER_OK                                                                                         \
	"{\"AccessKeyId\":\"ASIACON\",\"SecretAccessKey\":\"topsecret\",\"Token\":\"t\",\"AccountId\":"      \
	"\"123456789012\","                                                                                  \
	"\"Expiration\":\"2026-01-15T13:34:56Z\"}"
#define FULL "AWS_CONTAINER_CREDENTIALS_FULL_URI="

static void container(void **state)
{
	struct fixture *f = *state;
	char file[128];
	const char *none[] = {NULL};
	const char *ecs[] = {"AWS_CONTAINER_CREDENTIALS_RELATIVE_URI=/v2/credentials/uuid?x=y",
			     FULL "http://127.0.0.1/no", NULL};
	const char *token[] = {FULL "http://localhost:8080/c", "AWS_CONTAINER_AUTHORIZATION_TOKEN=Basic abc",
			       NULL};
	const char *eks[] = {FULL "http://169.254.170.23/v1/credentials", file,
			     "AWS_CONTAINER_AUTHORIZATION_TOKEN=no", NULL};

	snprintf(file, sizeof(file), "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE=%s", f->file);
	make(f, provider_container_new, none);
	assert_false(ask(f));
	assert_int_equal(f->result, PROVIDER_NOT_CONFIGURED);

	make(f, provider_container_new, ecs);
	assert_true(ask(f));
	assert_string_equal(f->http.last->url, "http://169.254.170.2/v2/credentials/uuid?x=y");
	assert_string_equal(f->http.last->method, "GET");
	assert_true(f->http.last->direct);
	assert_true(f->http.last->allow_http);
	assert_null(strstr(f->http.last->headers, "authorization"));
	fake_http_reply(&f->http, 200, CONTAINER_OK);
	assert_int_equal(f->result, PROVIDER_CREDENTIALS);
	assert_string_equal(f->key, "ASIACON");
	assert_string_equal(f->account, "123456789012");
	assert_true(f->expires_us == T0 + HOUR);

	make(f, provider_container_new, token);
	assert_true(ask(f));
	assert_non_null(strstr(f->http.last->headers, "authorization: Basic abc\n"));
	assert_non_null(strstr(f->http.last->headers, "host: localhost:8080\n"));
	fake_http_reply(&f->http, 200,
			"{\"AccessKeyId\":\"A\",\"SecretAccessKey\":\"topsecret\",\"Token\":\"t\"}");
	assert_int_equal(f->result, PROVIDER_FAILED);
	assert_non_null(strstr(f->e.msg, "expiration is missing"));
	assert_true(ask(f));
	fake_http_reply(&f->http, 200, "<html>");
	assert_non_null(strstr(f->e.msg, "no JSON"));
	assert_int_equal(f->cause, PROVIDER_CAUSE_ANSWER);
	assert_true(ask(f));
	fake_http_reply(&f->http, 404, "{\"code\":\"NoSuchThing\",\"message\":\"m\"}");
	assert_int_equal(f->result, PROVIDER_FAILED);
	assert_non_null(strstr(f->e.msg, "404, NoSuchThing"));

	make(f, provider_container_new, eks);
	write_file(f->file, "eks-1\n");
	assert_true(ask(f));
	assert_non_null(strstr(f->http.last->headers, "authorization: eks-1\n"));
	fake_http_reply(&f->http, 200, CONTAINER_OK);
	write_file(f->file, "eks-2");
	assert_true(ask(f));
	assert_non_null(strstr(f->http.last->headers, "authorization: eks-2\n"));
	fake_http_reply(&f->http, 200, CONTAINER_OK);
	write_file(f->file, "a\r\nX: b");
	assert_false(ask(f));
	assert_int_equal(f->result, PROVIDER_FAILED);
	write_file(f->file, "x");
	cancels(f);
}

static void container_hosts(void **state)
{
	static const struct {
		const char *url;
		bool ok;
	} cases[] = {
		{"http://127.0.0.1/",               true },
		{"http://127.8.9.1/",               true },
		{"http://[::1]/",                   true },
		{"http://LOCALHOST:1/",             true },
		{"http://169.254.170.2/",           true },
		{"http://169.254.170.23/",          true },
		{"http://[fd00:ec2::23]/",          true },
		{"http://[fd00:0ec2:0::0:23]/",     true },
		{"https://anything.example/",       true },
		{"http://169.254.170.23.evil.com/", false},
		{"http://169.254.170.3/",           false},
		{"http://169.254.169.254/",         false},
		{"http://127.0.0.1.evil.com/",      false},
		{"http://localhost.evil.com/",      false},
		{"http://[fd00:ec2::24]/",          false},
		{"http://2130706433/",              false},
		{"http://0x7f000001/",              false},
		{"http://0/",                       false},
		{"http://127.1/",                   false},
		{"http://10.0.0.1/",                false},
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char full[256];
		const char *env[] = {full, NULL};
		struct url u;
		struct addr a;

		assert_int_equal(url_parse(cases[i].url, "x", &u, NULL), 0);
		if (container_host_url_ok(&u) != cases[i].ok)
			fail_msg("%s", cases[i].url);
		if (!u.https && addr_parse(&a, u.host, 80) == 0)
			assert_int_equal(container_host_addr_ok((const struct sockaddr *)&a.ss), cases[i].ok);
		snprintf(full, sizeof(full), FULL "%s", cases[i].url);
		make(f, provider_container_new, env);
		assert_int_equal(ask(f), cases[i].ok);
		if (cases[i].ok) {
			assert_int_equal(f->http.last->allow_http, !u.https);
			assert_true(f->http.last->direct); /* with TLS as well */
			/* the address is judged again when a name has become one */
			assert_true(f->http.last->may_connect == (u.https ? NULL : container_host_addr_ok));
			fake_http_reply(&f->http, 200, CONTAINER_OK);
		} else {
			assert_int_equal(f->result, PROVIDER_FAILED);
			assert_non_null(strstr(f->e.hint, "169.254.170.23"));
		}
	}
	/* what localhost may turn out to be */
	{
		struct sockaddr_in in = {.sin_family = AF_INET};
		struct sockaddr un = {.sa_family = AF_UNIX};

		inet_pton(AF_INET, "10.0.0.1", &in.sin_addr);
		assert_false(container_host_addr_ok((const struct sockaddr *)&in));
		assert_false(container_host_addr_ok(&un));
	}
}

/* ---- instance metadata ---- */

#define ROLES "http://169.254.169.254/latest/meta-data/iam/security-credentials/"

static void imds_keys(char out[512], const char *key, const char *expiration)
{
	snprintf(out, 512,
		 "{\"Code\":\"Success\",\"Type\":\"AWS-HMAC\",\"AccessKeyId\":\"%s\",\"SecretAccessKey\":"
		 "\"topsecret\","
		 "\"Token\":\"t\",\"Expiration\":\"%s\"}",
		 key, expiration);
}

/* The three answers, from the token or, with one in hand, from the role on. */
static void imds_serve(struct fixture *f, bool token, const char *key, const char *expiration)
{
	char keys[512];

	imds_keys(keys, key, expiration);
	assert_true(ask(f));
	if (token) {
		assert_string_equal(f->http.last->method, "PUT");
		assert_string_equal(f->http.last->url, "http://169.254.169.254/latest/api/token");
		assert_non_null(
			strstr(f->http.last->headers, "x-aws-ec2-metadata-token-ttl-seconds: 21600\n"));
		assert_null(strstr(f->http.last->headers, "orwarded"));
		fake_http_reply(&f->http, 200, "session-token");
	}
	assert_string_equal(f->http.last->method, "GET");
	assert_string_equal(f->http.last->url, ROLES);
	assert_non_null(strstr(f->http.last->headers, "x-aws-ec2-metadata-token: session-token\n"));
	assert_true(f->http.last->direct);
	assert_true(f->http.last->connect_us <= SEC && f->http.last->total_us <= SEC);
	fake_http_reply(&f->http, 200, "my-role\n");
	assert_string_equal(f->http.last->url, ROLES "my-role");
	fake_http_reply(&f->http, 200, keys);
	assert_int_equal(f->times, 1);
}

static const char *const imds_env[] = {"AWS_X=", NULL};

static void imds(void **state)
{
	struct fixture *f = *state;
	const char *off[] = {"AWS_EC2_METADATA_DISABLED=True", NULL};
	const char *v6[] = {"AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE=ipv6", NULL};
	const char *own[] = {"AWS_EC2_METADATA_SERVICE_ENDPOINT=http://127.0.0.1:1338/",
			     "AWS_METADATA_SERVICE_TIMEOUT=3", NULL};
	const char *tls[] = {"AWS_EC2_METADATA_SERVICE_ENDPOINT=https://imds.test", NULL};

	make(f, provider_imds_new, off);
	assert_false(ask(f));
	assert_int_equal(f->result, PROVIDER_NOT_CONFIGURED);
	make(f, provider_imds_new, v6);
	assert_true(ask(f));
	assert_string_equal(f->http.last->url, "http://[fd00:ec2::254]/latest/api/token");
	fake_http_fault(&f->http, HTTP_FAULT_CONNECT);
	make(f, provider_imds_new, own);
	assert_true(ask(f));
	assert_string_equal(f->http.last->url, "http://127.0.0.1:1338/latest/api/token");
	assert_true(f->http.last->total_us == 3 * SEC);
	fake_http_fault(&f->http, HTTP_FAULT_CONNECT);
	make(f, provider_imds_new, tls);
	assert_true(ask(f));
	assert_true(f->http.last->direct && !f->http.last->allow_http); /* by no proxy, whatever it is reached by */
	fake_http_fault(&f->http, HTTP_FAULT_CONNECT);

	make(f, provider_imds_new, imds_env);
	imds_serve(f, true, "ASIAONE", "2026-01-15T18:34:56Z");
	assert_int_equal(f->result, PROVIDER_CREDENTIALS);
	assert_string_equal(f->key, "ASIAONE");
	assert_true(f->expires_us == T0 + 6 * HOUR);
	imds_serve(f, false, "ASIATWO", "2026-01-15T18:34:56Z");
	assert_string_equal(f->key, "ASIATWO");
	/* the token has its own life */
	fake_pass(&f->clock, f->loop, 6 * HOUR);
	imds_serve(f, true, "ASIATHREE", "2026-01-16T00:34:56Z");
	assert_string_equal(f->key, "ASIATHREE");
	cancels(f);
}

/* A session token that is refused is renewed, once. */
static void imds_stale_token(void **state)
{
	struct fixture *f = *state;
	char keys[512];

	imds_keys(keys, "ASIAX", "2026-01-15T18:34:56Z");
	make(f, provider_imds_new, imds_env);
	imds_serve(f, true, "ASIAONE", "2026-01-15T18:34:56Z");
	assert_true(ask(f));
	fake_http_reply(&f->http, 401, "");
	assert_string_equal(f->http.last->method, "PUT");
	fake_http_reply(&f->http, 200, "another-token");
	assert_non_null(strstr(f->http.last->headers, "another-token"));
	fake_http_reply(&f->http, 200, "my-role");
	fake_http_reply(&f->http, 200, keys);
	assert_string_equal(f->key, "ASIAX");
	assert_true(ask(f));
	fake_http_reply(&f->http, 401, "");
	fake_http_reply(&f->http, 200, "another-token");
	fake_http_reply(&f->http, 401, "");
	assert_int_equal(f->times, 1);
	assert_int_equal(f->result, PROVIDER_FAILED);
}

/* Never version 1: whatever happens to PUT, no GET without a token follows. And quickly. */
static void imds_absent(void **state)
{
	struct fixture *f = *state;
	static const struct {
		enum http_fault fault;
		int status;
		enum provider_result result;
		const char *said;
	} cases[] = {
		{HTTP_FAULT_CONNECT,         0,   PROVIDER_NOT_CONFIGURED, "no EC2 instance"},
		{HTTP_FAULT_CONNECT_TIMEOUT, 0,   PROVIDER_NOT_CONFIGURED, "no EC2 instance"},
		{HTTP_FAULT_TIMEOUT,         0,   PROVIDER_FAILED,         "does not answer"},
		{HTTP_FAULT_NONE,            400, PROVIDER_FAILED,         "400"            },
		{HTTP_FAULT_NONE,            403, PROVIDER_NOT_CONFIGURED, "turned off"     },
		{HTTP_FAULT_NONE,            404, PROVIDER_FAILED,         "404"            },
		{HTTP_FAULT_NONE,            405, PROVIDER_FAILED,         "405"            },
		{HTTP_FAULT_NONE,            503, PROVIDER_FAILED,         "503"            },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		unsigned before = f->http.starts;

		make(f, provider_imds_new, imds_env);
		assert_true(ask(f));
		if (cases[i].fault != HTTP_FAULT_NONE)
			fake_http_fault(&f->http, cases[i].fault);
		else
			fake_http_reply(&f->http, cases[i].status, "");
		assert_int_equal(f->times, 1);
		assert_int_equal(f->http.starts, before + 1);
		assert_int_equal(f->result, cases[i].result);
		assert_non_null(strstr(f->e.msg, cases[i].said));
	}
	assert_true(ask(f));
	fake_http_fault(&f->http, HTTP_FAULT_TIMEOUT);
	assert_non_null(strstr(f->e.hint, "hop-limit 2"));
	assert_int_equal(f->cause, PROVIDER_CAUSE_UNREACHABLE);
}

static void imds_bad_answers(void **state)
{
	struct fixture *f = *state;
	char keys[512];

	imds_keys(keys, "ASIAX", "whenever");
	make(f, provider_imds_new, imds_env);
	assert_true(ask(f));
	fake_http_reply(&f->http, 200, "to\nken");
	assert_non_null(strstr(f->e.msg, "no token"));
	assert_true(ask(f));
	fake_http_reply(&f->http, 200, "session-token");
	fake_http_reply(&f->http, 404, "");
	assert_int_equal(f->result, PROVIDER_NOT_CONFIGURED);
	assert_non_null(strstr(f->e.msg, "has no role"));
	assert_true(ask(f));
	fake_http_reply(&f->http, 200, "../../evil");
	assert_non_null(strstr(f->e.msg, "no role's name"));
	assert_true(ask(f));
	fake_http_reply(&f->http, 200, "my-role");
	fake_http_reply(&f->http, 200, keys);
	assert_non_null(strstr(f->e.msg, "expiration"));
	assert_true(ask(f));
	fake_http_reply(&f->http, 200, "my-role");
	fake_http_reply(&f->http, 200,
			"{\"Code\":\"AssumeRoleUnauthorizedAccess\",\"Message\":\"EC2 cannot assume\"}");
	assert_int_equal(f->result, PROVIDER_FAILED);
	assert_non_null(strstr(f->e.msg, "my-role: AssumeRoleUnauthorizedAccess"));
	assert_string_equal(f->e.detail, "EC2 cannot assume");
}

/* Expired credentials, told again or remembered, are used on. */
static void imds_static_stability(void **state)
{
	struct fixture *f = *state;

	make(f, provider_imds_new, imds_env);
	imds_serve(f, true, "ASIAONE", "2026-01-15T13:34:56Z");
	assert_true(f->expires_us == T0 + HOUR);
	/* a failure while they live is one: whoever keeps them goes on with them */
	assert_true(ask(f));
	fake_http_fault(&f->http, HTTP_FAULT_CONNECT);
	next_attempt(f); /* known to be there: worth some attempts */
	fake_http_fault(&f->http, HTTP_FAULT_CONNECT);
	next_attempt(f);
	fake_http_fault(&f->http, HTTP_FAULT_CONNECT);
	assert_int_equal(f->result, PROVIDER_FAILED);
	f->clock.wall_us = T0 + HOUR + MIN;
	/* the old ones again */
	imds_serve(f, false, "ASIAONE", "2026-01-15T13:34:56Z");
	assert_int_equal(f->result, PROVIDER_CREDENTIALS);
	assert_in_range(f->expires_us - f->clock.wall_us, 10 * MIN, 15 * MIN);
	/* nothing at all */
	f->clock.wall_us = T0 + 2 * HOUR;
	assert_true(ask(f));
	for (int i = 0; i < 3 && f->times == 0; i++) {
		fake_http_fault(&f->http, HTTP_FAULT_TIMEOUT);
		if (f->times == 0)
			next_attempt(f);
	}
	assert_int_equal(f->result, PROVIDER_CREDENTIALS);
	assert_string_equal(f->key, "ASIAONE");
	assert_in_range(f->expires_us - f->clock.wall_us, 10 * MIN, 15 * MIN);
	/* and over */
	imds_serve(f, false, "ASIATWO", "2026-01-15T18:34:56Z");
	assert_string_equal(f->key, "ASIATWO");
	assert_true(f->expires_us == T0 + 6 * HOUR);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(web),         T(container),        T(container_hosts),       T(imds), T(imds_stale_token),
		T(imds_absent), T(imds_bad_answers), T(imds_static_stability),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
