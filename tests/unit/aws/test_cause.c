/* What kept a provider from giving credentials: what is told of it to those who count, wait and try again. */
#include "fake_http.h"
#include "home.h"

#include <unistd.h>
#include "aws/provider_profile.h"
#include "aws/skew.h"

#define KEYS "aws_access_key_id = AKIAIOSFODNN7EXAMPLE\naws_secret_access_key = wJalrXUtnFEMI/K7MDENG\n"

struct fixture {
	struct fake_clock clock;
	struct loop *loop;
	struct fake_http http;
	struct skew skew;
	struct provider_deps deps;
	char path[64], variable[96];
	const char *env[4];
	unsigned calls;
	enum provider_result result;
	enum provider_cause cause;
	uint64_t retry_after_us;
	char hint[sizeof(((struct err *)NULL)->hint)];
};

static int set_up(void **state)
{
	static struct fixture f;
	int fd;

	memset(&f, 0, sizeof(f));
	f.clock = fake_clock_make();
	f.loop = loop_new(&f.clock.base, NULL, NULL);
	fake_http_init(&f.http);
	skew_init(&f.skew);
	snprintf(f.path, sizeof(f.path), "/tmp/pgiam-cause-XXXXXX");
	fd = mkstemp(f.path);
	assert_true(fd >= 0);
	close(fd);
	snprintf(f.variable, sizeof(f.variable), "AWS_CONFIG_FILE=%s", f.path);
	f.env[0] = f.variable;
	f.env[1] = "AWS_REGION=eu-west-1";
	f.deps = (struct provider_deps){.loop = f.loop, .env = f.env, .http = &f.http.base, .skew = &f.skew};
	*state = &f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	loop_free(f->loop);
	return unlink(f->path);
}

static void on_answer(void *arg, const struct provider_answer *a)
{
	struct fixture *f = arg;

	f->calls++;
	f->result = a->result;
	f->cause = a->cause;
	f->retry_after_us = a->retry_after_us;
	assert_non_null(a->e);
	snprintf(f->hint, sizeof(f->hint), "%s", a->e->hint);
}

static struct provider *profile(struct fixture *f, const char *text)
{
	FILE *file = fopen(f->path, "w");

	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
	return provider_profile_new(&f->deps, "x");
}

/* Begins; ends at once where nobody has to be asked. */
static void ask(struct fixture *f, struct provider *p)
{
	f->calls = 0;
	provider_start(p, on_answer, f);
	assert_int_equal(f->calls, 0); /* never inside start */
	fake_settle(f->loop);
}

static void expect(struct fixture *f, enum provider_cause cause, int64_t retry_after_us)
{
	fake_settle(f->loop);
	assert_int_equal(f->calls, 1);
	assert_int_equal(f->result, PROVIDER_FAILED);
	assert_int_equal(f->cause, cause);
	assert_int_equal(f->retry_after_us, retry_after_us);
}

static void reply_busy(struct fixture *f)
{
	struct http_reply busy = {.status = 429, .why = "", .verified = true};

	busy.header[HTTP_REPLY_RETRY_AFTER] = slice_str("60"); /* for longer than a call waits */
	fake_http_answer(f->http.last, &busy);
}

static void role_of_a_profile(void **state)
{
	struct fixture *f = *state;
	struct provider *p = profile(f, "[profile x]\nrole_arn = arn:aws:iam::123456789012:role/db\nsource_profile = y\n"
					"[profile y]\n" KEYS);

	ask(f, p);
	fake_http_reply(&f->http, 403, "{\"Error\":{\"Code\":\"AccessDenied\",\"Message\":\"no\"}}");
	expect(f, PROVIDER_CAUSE_REFUSED, 0);
	ask(f, p);
	reply_busy(f);
	expect(f, PROVIDER_CAUSE_THROTTLED, 60 * SEC);
	ask(f, p);
	fake_http_reply(&f->http, 200, "{}");
	expect(f, PROVIDER_CAUSE_ANSWER, 0);
	provider_free(p);
}

/* Tried again, and then told as what it is. */
static void web_identity(void **state)
{
	struct fixture *f = *state;
	char token[] = "/tmp/pgiam-cause-token-XXXXXX", text[300];
	int fd = mkstemp(token);
	struct provider *p;

	assert_int_equal(write(fd, "t", 1), 1);
	close(fd);
	snprintf(text, sizeof(text),
		 "[profile x]\nrole_arn = arn:aws:iam::123456789012:role/db\nweb_identity_token_file = %s\n", token);
	p = profile(f, text);
	ask(f, p);
	for (unsigned i = 1; i <= 3; i++) {
		assert_int_equal(f->http.starts, i);
		fake_http_reply(&f->http, 400, "{\"Error\":{\"Code\":\"InvalidIdentityToken\",\"Message\":\"no\"}}");
		fake_pass(&f->clock, f->loop, SEC);
	}
	expect(f, PROVIDER_CAUSE_REFUSED, 0);
	provider_free(p);
	unlink(token);
}

static void identity_center(void **state)
{
	static const char token[] = "{\"accessToken\":\"t\",\"expiresAt\":\"2026-01-15T20:00:00Z\"}";
	struct fixture *f = *state;
	struct home home;
	struct provider *p;

	home_make(&home);
	home_write(&home, "sso/cache/ee0bfd2552fbd840c02cc48b6e823320543c450f.json", token); /* SHA-1 of "corp" */
	f->env[2] = home.variable;
	p = profile(f, "[profile x]\nsso_session = corp\nsso_account_id = 123456789012\nsso_role_name = r\n"
		       "[sso-session corp]\nsso_start_url = https://d-1.awsapps.com/start\nsso_region = eu-west-1\n");
	ask(f, p);
	fake_http_reply(&f->http, 403, "{}");
	expect(f, PROVIDER_CAUSE_REFUSED, 0);
	ask(f, p);
	reply_busy(f);
	expect(f, PROVIDER_CAUSE_THROTTLED, 60 * SEC);
	ask(f, p);
	fake_http_reply(&f->http, 200, "{}");
	expect(f, PROVIDER_CAUSE_ANSWER, 0);
	provider_free(p);
	home_remove(&home);
}

/* Nobody has logged in, or that is over: told as what it is, with what to do, and not as a mistake in the files. */
static void sessions(void **state)
{
	static const char over[] = "{\"accessToken\":\"t\",\"expiresAt\":\"2026-01-15T10:00:00Z\"}";
	static const char *const profiles[] = {
		"[profile x]\nsso_session = corp\nsso_account_id = 123456789012\nsso_role_name = r\n"
		"[sso-session corp]\nsso_start_url = https://d-1.awsapps.com/start\nsso_region = eu-west-1\n",
		"[profile x]\nlogin_session = me\nregion = eu-west-1\n",
	};
	static const char *const hints[] = {"aws sso login --sso-session corp", "aws login --profile x"};
	struct fixture *f = *state;
	struct home home;

	home_make(&home);
	f->env[2] = home.variable;
	for (size_t i = 0; i < 2; i++) {
		struct provider *p = profile(f, profiles[i]);

		ask(f, p);
		expect(f, PROVIDER_CAUSE_SESSION, 0);
		assert_non_null(strstr(f->hint, hints[i]));
		provider_free(p);
	}
	home_write(&home, "sso/cache/ee0bfd2552fbd840c02cc48b6e823320543c450f.json", over);
	struct provider *p = profile(f, profiles[0]);

	ask(f, p);
	expect(f, PROVIDER_CAUSE_SESSION, 0);
	/* as far as this machine knows it goes on, but it does not */
	home_write(&home, "sso/cache/ee0bfd2552fbd840c02cc48b6e823320543c450f.json",
		   "{\"accessToken\":\"t\",\"expiresAt\":\"2026-01-15T20:00:00Z\"}");
	ask(f, p);
	fake_http_reply(&f->http, 401, "{}");
	expect(f, PROVIDER_CAUSE_SESSION, 0);
	/* nobody there to renew it: that passes */
	home_write(&home, "sso/cache/ee0bfd2552fbd840c02cc48b6e823320543c450f.json",
		   "{\"accessToken\":\"t\",\"expiresAt\":\"2026-01-15T10:00:00Z\",\"refreshToken\":\"r\",\"clientId\":\"c\","
		   "\"clientSecret\":\"s\"}");
	ask(f, p);
	reply_busy(f);
	expect(f, PROVIDER_CAUSE_THROTTLED, 60 * SEC);
	ask(f, p);
	fake_http_reply(&f->http, 400, "{\"error\":\"invalid_grant\"}");
	expect(f, PROVIDER_CAUSE_SESSION, 0);
	provider_free(p);
	home_remove(&home);
}

/* What is known without asking anybody. */
static void of_this_machine(void **state)
{
	struct fixture *f = *state;
	struct provider *p = profile(f, "[profile x]\nrole_arn = arn:aws:iam::123456789012:role/db\n"
					"credential_source = Environment\n");

	ask(f, p);
	expect(f, PROVIDER_CAUSE_ABSENT, 0);
	provider_free(p);
	p = profile(f, "[profile x]\naws_access_key_id = AKIAIOSFODNN7EXAMPLE\n");
	ask(f, p);
	expect(f, PROVIDER_CAUSE_SETTINGS, 0);
	provider_free(p);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {T(role_of_a_profile), T(web_identity), T(identity_center), T(sessions), T(of_this_machine)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
