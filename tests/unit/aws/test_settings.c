/* Settings of the profile that stand for variables, and what reads them. */
#include "fake_http.h"

#include <stdio.h>
#include <unistd.h>
#include "aws/call.h"
#include "aws/env.h"
#include "aws/imds.h"
#include "aws/kit.h"
#include "aws/profile_load.h"
#include "aws/service.h"
#include "aws/settings.h"
#include "aws/sts.h"

#define CONFIG_VARIABLE "AWS_CONFIG_FILE="

struct fixture {
	char variable[64];
	const char *env[4];
};

static int setup(void **state)
{
	struct fixture *f = mem_zalloc(sizeof(*f));
	int fd;

	snprintf(f->variable, sizeof(f->variable), CONFIG_VARIABLE "/tmp/pgiam-settings-XXXXXX");
	fd = mkstemp(f->variable + strlen(CONFIG_VARIABLE));
	assert_true(fd >= 0);
	close(fd);
	f->env[0] = f->variable;
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	unlink(f->variable + strlen(CONFIG_VARIABLE));
	free(f);
	return 0;
}

/* The environment that comes of a config file. */
static const char *const *with(struct fixture *f, const char *config)
{
	FILE *file = fopen(f->variable + strlen(CONFIG_VARIABLE), "w");

	assert_non_null(file);
	assert_true(fputs(config, file) >= 0);
	assert_int_equal(fclose(file), 0);
	return settings_env(f->env);
}

static void each(void **state)
{
	struct fixture *f = *state;
	static const char *const settings[] = {
		"ca_bundle",	    "ec2_metadata_service_endpoint", "ec2_metadata_service_endpoint_mode",
		"max_attempts",	    "metadata_service_num_attempts", "metadata_service_timeout",
		"sts_regional_endpoints", "use_dualstack_endpoint",	     "use_fips_endpoint",
		"ignore_configured_endpoint_urls"};

	for (size_t i = 0; i < sizeof(settings) / sizeof(settings[0]); i++) {
		char *config = mem_printf("[default]\n%s = from-file\n", settings[i]), variable[64], own[80];
		const char *const *env = with(f, config);

		snprintf(variable, sizeof(variable), "AWS_%s", settings[i]);
		for (char *c = variable; *c; c++)
			*c = (char)(*c >= 'a' && *c <= 'z' ? *c - 'a' + 'A' : *c);
		assert_string_equal(env_get(env, variable), "from-file");
		env_free(env);
		snprintf(own, sizeof(own), "%s=own", variable); /* what is set goes before it */
		f->env[1] = own;
		env = with(f, config);
		assert_string_equal(env_get(env, variable), "own");
		env_free(env);
		f->env[1] = NULL;
		free(config);
	}
}

static void others(void **state)
{
	struct fixture *f = *state;
	const char *const *env = with(f, "[default]\nregion = eu-west-1\naws_access_key_id = AKIA\nretry_mode = adaptive\n"
					 "role_arn = arn\ncredential_process = /bin/false\n");
	const char *const nothing[] = {NULL};

	assert_string_equal(env[0], f->variable);
	assert_null(env[1]); /* nothing of credentials, nor of the region */
	env_free(env);
	/* which profile */
	f->env[1] = "AWS_PROFILE=p";
	env = with(f, "[default]\nmax_attempts = 5\n[profile p]\nmax_attempts = 6\n[profile q]\nmax_attempts = 7\n");
	assert_string_equal(env_get(env, "AWS_MAX_ATTEMPTS"), "6");
	env_free(env);
	f->env[1] = "AWS_DEFAULT_PROFILE=q";
	env = settings_env(f->env);
	assert_string_equal(env_get(env, "AWS_MAX_ATTEMPTS"), "7");
	assert_string_equal(profile_load_name(env, NULL), "q");
	assert_string_equal(profile_load_name(env, "x"), "x");
	env_free(env);
	f->env[2] = "AWS_PROFILE=p";
	assert_string_equal(profile_load_name(f->env, NULL), "p");
	f->env[1] = f->env[2] = NULL;
	/* a section with something wrong, no such profile, no such file */
	env = with(f, "[default]\nmax_attempts = 5\nnonsense\n");
	assert_null(env[1]);
	env_free(env);
	env = with(f, "[profile p]\nmax_attempts = 5\n");
	assert_null(env[1]);
	env_free(env);
	env = settings_env(nothing);
	assert_null(env[0]);
	env_free(env);
}

/* What a service's URL is, in this environment, for a profile with or without an endpoint_url of its own. */
static void check_url(const char *const *env, enum service_id id, const char *configured, const char *url)
{
	struct service_place place;

	assert_int_equal(service_find(env, id, "us-east-1", configured, &place, NULL), 0);
	assert_string_equal(place.url, url);
}

static void endpoints(void **state)
{
	struct fixture *f = *state;
	static const char config[] = "[default]\nendpoint_url = https://all.test\nservices = here\n[services here]\nsts =\n"
				     "  endpoint_url = https://sts.test\nsso_oidc =\n  endpoint_url = https://oidc.test\n";
	const char *const *env = with(f, config);

	check_url(env, SERVICE_STS, NULL, "https://sts.test/");
	check_url(env, SERVICE_STS, "https://own.test", "https://own.test/");
	check_url(env, SERVICE_SSO_OIDC, NULL, "https://oidc.test/");
	check_url(env, SERVICE_SECRETS_MANAGER, NULL, "https://all.test/");
	check_url(env, SERVICE_SIGNIN, NULL, "https://all.test/");
	env_free(env);
	f->env[1] = "AWS_ENDPOINT_URL=https://env.test";
	env = settings_env(f->env);
	check_url(env, SERVICE_STS, NULL, "https://env.test/");
	env_free(env);
	f->env[1] = "AWS_ENDPOINT_URL_STS=https://env.test";
	env = settings_env(f->env);
	check_url(env, SERVICE_STS, NULL, "https://env.test/");
	check_url(env, SERVICE_SECRETS_MANAGER, NULL, "https://all.test/");
	env_free(env);
	f->env[1] = "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS=true";
	env = settings_env(f->env);
	check_url(env, SERVICE_STS, "https://own.test", "https://sts.us-east-1.amazonaws.com/");
	env_free(env);
}

/* services names a section that is not there: nothing but a variable says where a service is. */
static void no_such_services(void **state)
{
	struct fixture *f = *state;
	static const char config[] = "[default]\nendpoint_url = https://all.test\nservices = gone\n[services here]\nsts =\n"
				     "  endpoint_url = https://sts.test\n";
	const char *const *env = with(f, config);
	struct service_place place;
	struct err e;

	assert_int_equal(service_find(env, SERVICE_STS, "us-east-1", NULL, &place, &e), -1);
	assert_int_equal(e.code, ERR_CREDENTIALS);
	assert_non_null(strstr(e.msg, "names \"gone\""));
	check_url(env, SERVICE_STS, "https://own.test", "https://own.test/"); /* of another profile */
	env_free(env);
	f->env[1] = "AWS_ENDPOINT_URL_STS=https://env.test";
	env = settings_env(f->env);
	check_url(env, SERVICE_STS, NULL, "https://env.test/");
	assert_int_equal(service_find(env, SERVICE_REDSHIFT, "us-east-1", NULL, &place, &e), -1);
	env_free(env);
	f->env[1] = "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS=true";
	env = settings_env(f->env);
	check_url(env, SERVICE_STS, NULL, "https://sts.us-east-1.amazonaws.com/");
	env_free(env);
}

static void numbers(void **state)
{
	static const struct {
		const char *text;
		unsigned n;
	} cases[] = {
		{"N=1", 1},   {"N=9", 9},    {"N=10", 10},  {"N=11", 10}, {"N=99999999999999999999", 10},
		{"N=0", 3},   {"N=", 3},     {"N=-1", 3},   {"N=+1", 3},  {"N=1x", 3},
		{"N= 1", 3},  {"N=1.5", 3},  {"M=5", 3},    {"N=007", 7},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const char *env[] = {cases[i].text, NULL};

		assert_int_equal(env_number(env, "N", 3, 10), cases[i].n);
	}
}

static void hear_sts(void *arg, const struct sts_answer *a)
{
	unsigned *failures = arg;

	*failures += a->e != NULL;
}

static void hear_imds(void *arg, const struct imds_answer *a)
{
	unsigned *failures = arg;

	*failures += a->e != NULL;
}

/* Answers 503, or silence, until nobody asks any more: how often that was. */
static unsigned attempts(struct fake_clock *clock, struct loop *loop, struct fake_http *http, const unsigned *failures)
{
	unsigned before = http->starts, failed = *failures;

	before -= fake_http_pending(http);
	for (int i = 0; i < 5000 && *failures == failed; i++) {
		if (fake_http_pending(http))
			fake_http_fault(http, HTTP_FAULT_CLOSED);
		fake_pass(clock, loop, SEC / 50);
	}
	return http->starts - before;
}

static void tries(void **state)
{
	struct fixture *f = *state;
	static const struct {
		const char *config;
		unsigned sts, imds;
	} cases[] = {
		{"[default]\n",					  3, 1},
		{"[default]\nmax_attempts = 1\n",			  1, 1},
		{"[default]\nmax_attempts = 5\n",			  5, 1},
		{"[default]\nmetadata_service_num_attempts = 2\n", 3, 2},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct fake_clock clock = fake_clock_make();
		struct fake_http http;
		unsigned failures = 0;
		struct provider_deps deps = {
			.loop = loop_new(&clock.base, NULL, NULL), .env = with(f, cases[i].config), .http = &http.base};
		struct imds *imds = imds_new(&deps);

		fake_http_init(&http);
		sts_start(&deps,
			  &(struct sts_request){.action = STS_WEB_IDENTITY,
						.provider = "p",
						.region = "us-east-1",
						.role_arn = "arn",
						.web_token = slice_str("t")},
			  hear_sts, &failures);
		assert_int_equal(attempts(&clock, deps.loop, &http, &failures), cases[i].sts);
		imds_get(imds, "x", hear_imds, &failures);
		assert_int_equal(attempts(&clock, deps.loop, &http, &failures), cases[i].imds);
		assert_int_equal(failures, 2);
		imds_free(imds);
		env_free(deps.env);
		loop_free(deps.loop);
	}
}

/* The kit's environment is that. */
static void kit(void **state)
{
	struct fixture *f = *state;
	struct loop *loop = loop_new(clock_system(), NULL, NULL);
	struct kit *k;
	struct err e;

	env_free(with(f, "[default]\nca_bundle = /nonexistent/ca.pem\n"));
	k = kit_new(loop, f->env, NULL, NULL, &e);
	assert_null(k);
	assert_non_null(strstr(e.msg, "/nonexistent/ca.pem"));
	env_free(with(f, "[default]\nmax_attempts = 4\n"));
	k = kit_new(loop, f->env, NULL, NULL, &e);
	assert_non_null(k);
	assert_int_equal(call_attempts(&k->deps), 4);
	kit_free(k);
	loop_free(loop);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(each), T(others), T(endpoints), T(no_such_services), T(numbers), T(tries), T(kit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
