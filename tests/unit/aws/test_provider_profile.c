#include "fake_http.h"
#include "home.h"

#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>
#include "aws/env.h"
#include "aws/profile_file.h"
#include "aws/provider_profile.h"
#include "aws/skew.h"
#include "aws/sso_cache.h"
#include "base/enc.h"

#define KEYS "aws_access_key_id = AKIAIOSFODNN7EXAMPLE\naws_secret_access_key = wJalrXUtnFEMI/K7MDENG\n"
#define STS_JSON(key)                                                                                        \
	"{\"AssumeRoleResponse\":{\"AssumeRoleResult\":{\"Credentials\":{\"AccessKeyId\":\"" key             \
	"\",\"SecretAccessKey\":\"secret\",\"SessionToken\":\"session\",\"Expiration\":1768484096}}}}"
#define SSO                                                                                                  \
	"[profile x]\nsso_session = corp\nsso_account_id = 123456789012\nsso_role_name = Read Only\n"        \
	"[sso-session corp]\nsso_start_url = https://d-1.awsapps.com/start\nsso_region = eu-west-1\n"
#define SSO_CREDENTIALS                                                                                      \
	"{\"roleCredentials\":{\"accessKeyId\":\"ASIASSO\",\"secretAccessKey\":\"secret\","                  \
	"\"sessionToken\":\"session\",\"expiration\":1768484096000}}"

struct fixture {
	struct fake_clock clock;
	struct loop *loop;
	struct fake_http http;
	struct skew skew;
	struct provider_deps deps;
	struct home home;
	const char *env[8];
	/* the answer */
	int calls;
	enum provider_result result;
	struct credentials *creds;
	struct err err;
};

static int set_up(void **state)
{
	static struct fixture f;

	memset(&f, 0, sizeof(f));
	f.clock = fake_clock_make();
	f.loop = loop_new(&f.clock.base, NULL, NULL);
	fake_http_init(&f.http);
	skew_init(&f.skew);
	home_make(&f.home);
	f.env[0] = f.home.variable;
	f.env[1] = "AWS_REGION=eu-west-1";
	f.deps = (struct provider_deps){.loop = f.loop, .env = f.env, .http = &f.http.base, .skew = &f.skew};
	*state = &f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	credentials_unref(f->creds);
	loop_free(f->loop);
	home_remove(&f->home);
	return 0;
}

static void read_file(const char *path, char *text, size_t size)
{
	FILE *file = fopen(path, "r");

	assert_non_null(file);
	text[fread(text, 1, size - 1, file)] = '\0';
	fclose(file);
}

static void on_answer(void *arg, const struct provider_answer *a)
{
	struct fixture *f = arg;

	f->calls++;
	f->result = a->result;
	credentials_unref(f->creds);
	f->creds = credentials_ref(a->creds);
	assert_true(!a->creds == (a->result != PROVIDER_CREDENTIALS));
	if (a->e)
		f->err = *a->e;
	else
		assert_int_equal(a->result, PROVIDER_CREDENTIALS);
}

static struct provider_op *ask(struct fixture *f, struct provider *p)
{
	struct provider_op *op;

	f->calls = 0;
	op = provider_start(p, on_answer, f);
	assert_int_equal(f->calls, 0); /* never inside start */
	fake_settle(f->loop);
	return op;
}

/* Asks a new provider that needs nobody else. */
static void ask_once(struct fixture *f, const char *profile)
{
	struct provider *p = provider_profile_new(&f->deps, profile);

	ask(f, p);
	assert_int_equal(f->calls, 1);
	provider_free(p);
}

static void keys(void **state)
{
	struct fixture *f = *state;
	struct provider *p;

	ask_once(f, NULL);
	assert_int_equal(f->result, PROVIDER_NOT_CONFIGURED);
	assert_string_equal(f->err.msg, "profile: there is no profile \"default\" in the AWS files");
	ask_once(f, "x");
	assert_int_equal(f->result, PROVIDER_FAILED);
	home_write(&f->home, "credentials",
		   "[default]\n" KEYS "aws_session_token = tok\naws_account_id = 123456789012\n");
	p = provider_profile_new(&f->deps, NULL);
	ask(f, p);
	assert_int_equal(f->result, PROVIDER_CREDENTIALS);
	assert_string_equal(f->creds->access_key, "AKIAIOSFODNN7EXAMPLE");
	assert_string_equal(f->creds->account_id, "123456789012");
	assert_true(slice_eq_str(secret_slice(&f->creds->session_token), "tok"));
	assert_int_equal(f->creds->expires_wall_us, 0);
	/* the same provider sees what somebody writes */
	home_write(&f->home, "credentials", "[default]\naws_access_key_id = AKIAOTHER\naws_secret_access_key = s\n");
	ask(f, p);
	assert_string_equal(f->creds->access_key, "AKIAOTHER");
	/* cancelled: nothing comes */
	f->calls = 0;
	provider_cancel(provider_start(p, on_answer, f));
	fake_settle(f->loop);
	assert_int_equal(f->calls, 0);
	provider_free(p);
}

static void which_profile(void **state)
{
	struct fixture *f = *state;

	home_write(&f->home, "config", "[profile x]\n" KEYS);
	f->env[2] = "AWS_PROFILE=x";
	ask_once(f, NULL);
	assert_int_equal(f->result, PROVIDER_CREDENTIALS);
	ask_once(f, "y"); /* the configuration's word goes before the environment's */
	assert_int_equal(f->result, PROVIDER_FAILED);
	f->env[2] = "AWS_PROFILE=y";
	ask_once(f, NULL);
	assert_int_equal(f->result, PROVIDER_FAILED);
	assert_string_equal(f->err.msg, "profile: there is no profile \"y\" in the AWS files");
	assert_non_null(strstr(f->err.hint, "[profile y]"));
}

static void which_files(void **state)
{
	struct fixture *f = *state;
	char variable[120];

	home_write(&f->home, "elsewhere", "[x]\n" KEYS);
	f->env[2] = "AWS_SHARED_CREDENTIALS_FILE=~/.aws/elsewhere";
	ask_once(f, "x");
	assert_int_equal(f->result, PROVIDER_CREDENTIALS);
	snprintf(variable, sizeof(variable), "AWS_SHARED_CREDENTIALS_FILE=%s/.aws/elsewhere", f->home.path);
	f->env[2] = variable;
	ask_once(f, "x");
	assert_int_equal(f->result, PROVIDER_CREDENTIALS);
	f->env[2] = "AWS_SHARED_CREDENTIALS_FILE=/nonexistent/file"; /* as the SDKs: no file, no profile */
	ask_once(f, NULL);
	assert_int_equal(f->result, PROVIDER_NOT_CONFIGURED);
	snprintf(variable, sizeof(variable), "AWS_CONFIG_FILE=%s", f->home.path); /* a directory */
	f->env[2] = variable;
	ask_once(f, NULL);
	assert_int_equal(f->result, PROVIDER_FAILED);
	assert_non_null(strstr(f->err.msg, "no regular file"));
	f->env[2] = NULL;
	f->env[0] = "HOME="; /* no home, no files */
	ask_once(f, NULL);
	assert_int_equal(f->result, PROVIDER_NOT_CONFIGURED);
}

/* A role of a role: two calls, the second signed with what the first gave. */
static void roles(void **state)
{
	struct fixture *f = *state;
	struct provider *p = provider_profile_new(&f->deps, "x");

	home_write(&f->home, "config",
		   "[profile x]\nrole_arn = arn:aws:iam::1:role/a\nsource_profile = y\nexternal_id = e/1\n"
		   "[profile y]\nrole_arn = arn:aws:iam::1:role/b\nsource_profile = z\n"
		   "role_session_name = me\nduration_seconds = 900\n[profile z]\n" KEYS);
	ask(f, p);
	assert_int_equal(f->calls, 0);
	assert_string_equal(f->http.last->url, "https://sts.eu-west-1.amazonaws.com/");
	assert_non_null(strstr(f->http.last->headers, "Credential=AKIAIOSFODNN7EXAMPLE/"));
	assert_non_null(strstr(f->http.last->body, "Action=AssumeRole&"));
	assert_non_null(strstr(f->http.last->body, "RoleArn=arn%3Aaws%3Aiam%3A%3A1%3Arole%2Fb"));
	assert_non_null(strstr(f->http.last->body, "RoleSessionName=me"));
	assert_non_null(strstr(f->http.last->body, "DurationSeconds=900"));
	fake_http_reply(&f->http, 200, STS_JSON("ASIAB"));
	fake_settle(f->loop);
	assert_int_equal(f->calls, 0);
	assert_non_null(strstr(f->http.last->headers, "Credential=ASIAB/"));
	assert_non_null(strstr(f->http.last->headers, "x-amz-security-token: session"));
	assert_non_null(strstr(f->http.last->body, "ExternalId=e%2F1"));
	fake_http_reply(&f->http, 200, STS_JSON("ASIAA"));
	fake_settle(f->loop);
	assert_int_equal(f->calls, 1);
	assert_string_equal(f->creds->access_key, "ASIAA");
	assert_int_equal(f->creds->expires_wall_us, T0 + 3600 * SEC);
	/* refused at the second */
	ask(f, p);
	fake_http_reply(&f->http, 200, STS_JSON("ASIAB"));
	fake_settle(f->loop);
	fake_http_reply(&f->http, 403, "{\"Error\":{\"Code\":\"AccessDenied\",\"Message\":\"no\"}}");
	fake_settle(f->loop);
	assert_int_equal(f->calls, 1);
	assert_int_equal(f->result, PROVIDER_FAILED);
	assert_non_null(strstr(f->err.msg, "AccessDenied"));
	/* cancelled in the middle */
	f->calls = 0;
	provider_cancel(ask(f, p));
	assert_int_equal(fake_http_pending(&f->http), 0);
	assert_int_equal(f->calls, 0);
	provider_free(p);
}

static void sources(void **state)
{
	struct fixture *f = *state;
	struct provider *p = provider_profile_new(&f->deps, "x");

	home_write(&f->home, "config",
		   "[profile x]\nrole_arn = arn:aws:iam::1:role/a\ncredential_source = Environment\n");
	ask(f, p);
	assert_int_equal(f->result, PROVIDER_FAILED); /* and not "not configured" */
	assert_string_equal(f->err.msg, "profile \"x\": env: AWS_ACCESS_KEY_ID is not set");
	f->env[2] = "AWS_ACCESS_KEY_ID=AKIAENV";
	f->env[3] = "AWS_SECRET_ACCESS_KEY=s";
	ask(f, p);
	assert_non_null(strstr(f->http.last->headers, "Credential=AKIAENV/"));
	fake_http_reply(&f->http, 200, STS_JSON("ASIAA"));
	fake_settle(f->loop);
	assert_string_equal(f->creds->access_key, "ASIAA");
	provider_free(p);
}

static void web_identity(void **state)
{
	struct fixture *f = *state;
	char config[300];

	snprintf(config, sizeof(config),
		 "[profile x]\nrole_arn = arn:aws:iam::1:role/a\nweb_identity_token_file = %s/.aws/token\n",
		 f->home.path);
	home_write(&f->home, "config", config);
	ask_once(f, "x");
	assert_int_equal(f->result, PROVIDER_FAILED);
	assert_non_null(strstr(f->err.msg, "web_identity_token_file: cannot open"));
	home_write(&f->home, "token", "eyJ.abc\n");
	{
		struct provider *p = provider_profile_new(&f->deps, "x");

		ask(f, p);
		assert_non_null(strstr(f->http.last->body, "Action=AssumeRoleWithWebIdentity"));
		assert_non_null(strstr(f->http.last->body, "WebIdentityToken=eyJ.abc"));
		assert_null(strstr(f->http.last->headers, "authorization"));
		fake_http_fault(&f->http, HTTP_FAULT_TLS_VERIFY);
		fake_settle(f->loop);
		assert_int_equal(f->result, PROVIDER_FAILED);
		provider_free(p);
	}
}

static void processes(void **state)
{
	static const struct {
		const char *command;
		const char *said; /* NULL: credentials */
	} cases[] = {
		{"printf '{\"Version\":1,\"AccessKeyId\":\"AKIAPROC\",\"SecretAccessKey\":\"s\"}'", NULL    },
		{"printf '{\"Version\":2,\"AccessKeyId\":\"AKIAPROC\",\"SecretAccessKey\":\"s\"}'",
		 "Version 1"										},
		{"printf '{\"Version\":1,\"AccessKeyId\":\"AKIAPROC\"}'",                           ""      },
		{"printf "
		 "'{\"Version\":1,\"AccessKeyId\":\"A\",\"SecretAccessKey\":\"s\",\"Expiration\":\"soon\"}'",										  "Expiration"},
		{"printf sesame",										 "no JSON"									  },
		{"sh -c 'echo sesame; exit 7'",										 "status 7"},
		{"/nonexistent/program sesame",										 "started"									  },
		{"sh 'sesame",										 "quote"   },
		{"head -c 65537 /dev/zero",								 "too much"},
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct provider *p = provider_profile_new(&f->deps, "x");
		char config[300];

		snprintf(config, sizeof(config), "[profile x]\ncredential_process = %s\n", cases[i].command);
		home_write(&f->home, "config", config);
		ask(f, p);
		while (f->calls == 0)
			loop_turn(f->loop, 10000);
		if (!cases[i].said) {
			assert_int_equal(f->result, PROVIDER_CREDENTIALS);
			assert_string_equal(f->creds->access_key, "AKIAPROC");
		} else {
			assert_int_equal(f->result, PROVIDER_FAILED);
			assert_non_null(strstr(f->err.msg, cases[i].said));
			assert_null(strstr(f->err.msg, "sesame"));
			assert_non_null(strstr(f->err.hint, "credential_process of the profile by hand"));
		}
		provider_free(p);
	}
}

static void process_cancelled(void **state)
{
	struct fixture *f = *state;
	struct provider *p = provider_profile_new(&f->deps, "x");

	home_write(&f->home, "config", "[profile x]\ncredential_process = sleep 60\n");
	provider_cancel(ask(f, p));
	fake_settle(f->loop);
	assert_int_equal(f->calls, 0);
	/* it is not waited for for ever */
	ask(f, p);
	fake_pass(&f->clock, f->loop, 61 * SEC);
	while (f->calls == 0)
		loop_turn(f->loop, 10000);
	assert_non_null(strstr(f->err.msg, "did not end in time"));
	provider_free(p);
}

/* ---- IAM Identity Center ---- */

static void write_token(struct fixture *f, const char *key, const char *text, char path[200])
{
	char *name = sso_cache_path(f->env, key, NULL);

	snprintf(path, 200, "%s", name);
	free(name);
	home_write(&f->home, path + strlen(f->home.path) + strlen("/.aws/"), text);
}

static void sso(void **state)
{
	struct fixture *f = *state;
	struct provider *p = provider_profile_new(&f->deps, "x");
	char path[200];

	home_write(&f->home, "config", SSO);
	ask(f, p);
	assert_int_equal(f->result, PROVIDER_FAILED);
	assert_string_equal(f->err.hint, "Run: aws sso login --sso-session corp");
	write_token(f, "corp", "{\"accessToken\":\"tok\",\"expiresAt\":\"2026-01-15T20:00:00Z\"}", path);
	ask(f, p);
	assert_int_equal(f->calls, 0);
	assert_string_equal(f->http.last->method, "GET");
	assert_string_equal(f->http.last->url,
			    "https://portal.sso.eu-west-1.amazonaws.com/federation/credentials"
			    "?role_name=Read%20Only&account_id=123456789012");
	assert_non_null(strstr(f->http.last->headers, "x-amz-sso_bearer_token: tok\n"));
	assert_null(strstr(f->http.last->headers, "authorization"));
	fake_http_reply(&f->http, 200, SSO_CREDENTIALS);
	fake_settle(f->loop);
	assert_int_equal(f->result, PROVIDER_CREDENTIALS);
	assert_string_equal(f->creds->access_key, "ASIASSO");
	assert_int_equal(f->creds->expires_wall_us, T0 + 3600 * SEC);
	ask(f, p);
	fake_http_reply(&f->http, 401, "{\"message\":\"Session token not found or invalid\"}");
	fake_settle(f->loop);
	assert_int_equal(f->result, PROVIDER_FAILED);
	assert_string_equal(f->err.hint, "Run: aws sso login --sso-session corp");
	ask(f, p);
	fake_http_reply(&f->http, 403, "{\"message\":\"No access\"}");
	fake_settle(f->loop);
	assert_non_null(strstr(f->err.hint, "sso_role_name"));
	ask(f, p);
	fake_http_reply(&f->http, 200, "{\"roleCredentials\":{\"accessKeyId\":\"A\"}}");
	fake_settle(f->loop);
	assert_int_equal(f->result, PROVIDER_FAILED);
	provider_free(p);
}

/* Without a session: the file is named after the start URL, and the token cannot be renewed. */
static void sso_legacy(void **state)
{
	struct fixture *f = *state;
	struct provider *p = provider_profile_new(&f->deps, "x");
	char path[200];

	home_write(&f->home, "config",
		   "[profile x]\nsso_start_url = https://d-1.awsapps.com/start\nsso_region = eu-west-1\n"
		   "sso_account_id = 1\nsso_role_name = r\n");
	write_token(
		f, "https://d-1.awsapps.com/start",
		"{\"accessToken\":\"tok\",\"expiresAt\":\"2026-01-15T12:44:56UTC\",\"refreshToken\":\"r\","
		"\"clientId\":\"c\",\"clientSecret\":\"s\"}",
		path);
	ask(f, p);
	assert_non_null(strstr(f->http.last->url, "federation/credentials"));
	fake_http_reply(&f->http, 200, SSO_CREDENTIALS);
	fake_settle(f->loop);
	assert_int_equal(f->result, PROVIDER_CREDENTIALS);
	fake_pass(&f->clock, f->loop, 601 * SEC);
	ask(f, p);
	assert_int_equal(f->result, PROVIDER_FAILED);
	assert_non_null(strstr(f->err.msg, "has expired"));
	assert_string_equal(f->err.hint, "Run: aws sso login --profile x");
	provider_free(p);
}

#define RENEWABLE                                                                                            \
	"{\"accessToken\":\"old\",\"expiresAt\":\"2026-01-15T12:44:56Z\",\"refreshToken\":\"r1\","           \
	"\"clientId\":\"c\",\"clientSecret\":\"s\\\"s\",\"registrationExpiresAt\":\"2026-02-15T12:44:56Z\"," \
	"\"startUrl\":\"u\"}"

static void sso_renews(void **state)
{
	struct fixture *f = *state;
	struct provider *p = provider_profile_new(&f->deps, "x");
	char path[200], text[1000];
	struct stat st;

	home_write(&f->home, "config", SSO);
	write_token(f, "corp", RENEWABLE, path);
	ask(f, p);
	assert_string_equal(f->http.last->url, "https://oidc.eu-west-1.amazonaws.com/token");
	assert_string_equal(f->http.last->body,
			    "{\"clientId\":\"c\",\"clientSecret\":\"s\\\"s\",\"grantType\":\"refresh_token\","
			    "\"refreshToken\":\"r1\"}");
	fake_http_reply(&f->http, 200,
			"{\"accessToken\":\"new\",\"expiresIn\":3600,\"refreshToken\":\"r2\"}");
	fake_settle(f->loop);
	assert_non_null(strstr(f->http.last->headers, "x-amz-sso_bearer_token: new\n"));
	fake_http_reply(&f->http, 200, SSO_CREDENTIALS);
	fake_settle(f->loop);
	assert_int_equal(f->result, PROVIDER_CREDENTIALS);
	/* for the AWS CLI as well, and nobody else */
	read_file(path, text, sizeof(text));
	assert_non_null(strstr(text, "\"accessToken\":\"new\""));
	assert_non_null(strstr(text, "\"refreshToken\":\"r2\""));
	assert_non_null(strstr(text, "\"expiresAt\":\"2026-01-15T13:34:56Z\""));
	assert_non_null(strstr(text, "\"startUrl\":\"u\""));
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	provider_free(p);
}

/* It cannot be renewed: the old one serves while it lives. */
static void sso_renewal_fails(void **state)
{
	struct fixture *f = *state;
	struct provider *p = provider_profile_new(&f->deps, "x");
	char path[200];

	home_write(&f->home, "config", SSO);
	write_token(f, "corp", RENEWABLE, path);
	ask(f, p);
	fake_http_reply(&f->http, 400, "{\"error\":\"invalid_grant\"}");
	fake_settle(f->loop);
	assert_non_null(strstr(f->http.last->headers, "x-amz-sso_bearer_token: old\n"));
	fake_http_reply(&f->http, 200, SSO_CREDENTIALS);
	fake_settle(f->loop);
	assert_int_equal(f->result, PROVIDER_CREDENTIALS);
	fake_pass(&f->clock, f->loop, 601 * SEC);
	ask(f, p);
	fake_http_reply(&f->http, 200, "{\"accessToken\":\"new\",\"expiresIn\":-1}");
	fake_settle(f->loop);
	assert_int_equal(f->result, PROVIDER_FAILED);
	assert_non_null(strstr(f->err.msg, "could not be renewed"));
	assert_string_equal(f->err.hint, "Run: aws sso login --sso-session corp");
	f->calls = 0;
	provider_cancel(ask(f, p));
	assert_int_equal(fake_http_pending(&f->http), 0);
	provider_free(p);
}

static void sso_bad_files(void **state)
{
	static const struct {
		const char *text, *said;
	} cases[] = {
		{"sesame",                       "no JSON object"},
		{"{}",			   "no accessToken"},
		{"{\"accessToken\":\"sesame\"}", "expiresAt"     },
		{"{\"accessToken\":\"sesame\",\"expiresAt\":\"2026-01-15T20:00:00Z\","
		 "\"registrationExpiresAt\":\"x\"}",			       "registrationExpiresAt"              },
	};
	struct fixture *f = *state;

	home_write(&f->home, "config", SSO);
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		char path[200];

		write_token(f, "corp", cases[i].text, path);
		ask_once(f, "x");
		assert_int_equal(f->result, PROVIDER_FAILED);
		assert_non_null(strstr(f->err.msg, cases[i].said));
		assert_null(strstr(f->err.msg, "sesame"));
	}
}

/* ---- aws login ---- */

static void login(void **state)
{
	struct fixture *f = *state;
	char dir[100];

	snprintf(dir, sizeof(dir), "AWS_LOGIN_CACHE_DIRECTORY=%s/.aws", f->home.path);
	home_write(&f->home, "config", "[profile x]\nlogin_session = arn:aws:iam::0123456789012:user/username\n");
	ask_once(f, "x");
	assert_int_equal(f->result, PROVIDER_FAILED);
	assert_string_equal(f->err.hint, "Run: aws login --profile x");
	f->env[2] = dir;
	/* the name is botocore's (tests/vectors/sigv4.json, login_cache_filename) */
	home_write(&f->home, "a9aa6015b267d43765ace474701cabd31e4e9b20b4a9a72ffc52f3c0b9ae6543.json",
		   "{\"accessToken\":{\"accessKeyId\":\"ASIALOGIN\",\"secretAccessKey\":\"s\","
		   "\"sessionToken\":\"t\","
		   "\"accountId\":\"123456789012\",\"expiresAt\":\"2026-01-15T12:44:56Z\"},\"tokenType\":"
		   "\"aws_sigv4\"}");
	ask_once(f, "x");
	assert_int_equal(f->result, PROVIDER_CREDENTIALS);
	assert_string_equal(f->creds->access_key, "ASIALOGIN");
	assert_int_equal(f->creds->expires_wall_us, T0 + 600 * SEC);
	fake_pass(&f->clock, f->loop, 600 * SEC);
	ask_once(f, "x");
	assert_int_equal(f->result, PROVIDER_FAILED);
	assert_non_null(strstr(f->err.msg, "have expired"));
	home_write(&f->home, "a9aa6015b267d43765ace474701cabd31e4e9b20b4a9a72ffc52f3c0b9ae6543.json", "{}");
	ask_once(f, "x");
	assert_int_equal(f->result, PROVIDER_FAILED);
}

/* The names of the files are botocore's (tests/vectors/sigv4.json, sso_cache_filename). */
static void sso_names(void **state)
{
	static const char *const env[] = {"HOME=/h", NULL};
	static const struct {
		const char *key, *path;
	} cases[] = {
		{"my-sso",				   "/h/.aws/sso/cache/0ad374308c5a4e22f723adf10145eafad7c4031c.json"},
		{"https://my-sso-portal.awsapps.com/start",
		 "/h/.aws/sso/cache/c7aaaf71fcc8777ae2475525ed049d39fe16c484.json"                                            },
		{"https://my-sso-portal.awsapps.com/start#",
		 "/h/.aws/sso/cache/9a38b8b2228fabc1d3f26817603976371aa2d3ad.json"                                            },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		char *path = sso_cache_path(env, cases[i].key, NULL);

		assert_string_equal(path, cases[i].path);
		free(path);
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(keys),
		TEST(which_profile),
		TEST(which_files),
		TEST(roles),
		TEST(sources),
		TEST(web_identity),
		TEST(processes),
		TEST(process_cancelled),
		TEST(sso),
		TEST(sso_legacy),
		TEST(sso_renews),
		TEST(sso_renewal_fails),
		TEST(sso_bad_files),
		TEST(login),
		cmocka_unit_test(sso_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
