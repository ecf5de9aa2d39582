/* URLs, where services are, and small secret files. */
#include "fake.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>
#include "aws/env.h"
#include "aws/file.h"
#include "aws/service.h"
#include "aws/url.h"

static void urls(void **state)
{
	static const struct {
		const char *text, *host, *authority, *path;
		bool https, loopback;
		unsigned port;
	} good[] = {
		{"https://sts.eu-west-1.amazonaws.com", "sts.eu-west-1.amazonaws.com",
		 "sts.eu-west-1.amazonaws.com",								  "",       true,  false, 443  },
		{"HTTPS://Host:443/A?b=c",              "host",                        "host",                   "/A?b=c", true,  false, 443  },
		{"http://127.0.0.1:8080/x",             "127.0.0.1",                   "127.0.0.1:8080",         "/x",     false, true,  8080 },
		{"http://localhost",                    "localhost",                   "localhost",              "",       false, true,  80   },
		{"https://[fd00:ec2::23]/v1",           "fd00:ec2::23",                "[fd00:ec2::23]",         "/v1",    true,  false, 443  },
		{"http://[::1]:65535?q",                "::1",                         "[::1]:65535",            "?q",     false, true,  65535},
		{"http://localhost.evil.example/",      "localhost.evil.example",      "localhost.evil.example", "/",
		 false,													   false, 80   },
	};
	static const char *const bad[] = {
		"",
		"ftp://h/",
		"https:/h",
		"https://",
		"https:///x",
		"https://u@h/",
		"https://u:p@h/",
		"https://h:0/",
		"https://h:65536/",
		"https://h:123456/",
		"https://h:/",
		"https://h/#f",
		"https://h /",
		"https://h\\@g/",
		"https://h/a b",
		"https://[::1",
		"https://[::g]/",
		"https://[h]/",
		"https://[]/",
		"https://h%2e/",
		"https://h:80x/",
		"//h/",
		"https://h\n.evil/",
		"https://h/\x80",
		"https://[::1%25eth0]/",
	};
	struct url u;
	struct err e;

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		char authority[URL_AUTHORITY_SIZE];

		assert_int_equal(url_parse(good[i].text, "x", &u, &e), 0);
		url_authority(&u, authority);
		assert_string_equal(u.host, good[i].host);
		assert_string_equal(u.path, good[i].path);
		assert_string_equal(authority, good[i].authority);
		assert_int_equal(u.https, good[i].https);
		assert_int_equal(u.port, good[i].port);
		assert_int_equal(url_is_loopback(&u), good[i].loopback);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		if (url_parse(bad[i], "AWS_X", &u, &e) == 0)
			fail_msg("%s was taken", bad[i]);
		assert_non_null(strstr(e.msg, "AWS_X"));
	}
}

#define FIPS "AWS_USE_FIPS_ENDPOINT=true"
#define DUAL "AWS_USE_DUALSTACK_ENDPOINT=TRUE"

static const struct {
	const char *env[4];
	enum service_id id;
	const char *region, *configured;
	const char *url, *signs; /* url NULL: refused; signs NULL: region */
	bool cleartext;
} place_cases[] = {
	{{NULL},										SERVICE_STS,      "eu-west-1",      NULL,                   "https://sts.eu-west-1.amazonaws.com/",                     NULL, false},
	{{NULL},										SERVICE_STS,      "cn-north-1",     NULL,                   "https://sts.cn-north-1.amazonaws.com.cn/",                 NULL, false},
	{{NULL},
	 SERVICE_STS,											     "eusc-de-east-1",
	 NULL,																	      "https://sts.eusc-de-east-1.amazonaws.eu/",
	 NULL,																										false},
	{{NULL},										SERVICE_STS,      "us-iso-east-1",  NULL,                   "https://sts.us-iso-east-1.c2s.ic.gov/",                    NULL, false},
	{{FIPS},										SERVICE_STS,      "us-east-1",      NULL,                   "https://sts-fips.us-east-1.amazonaws.com/",                NULL, false},
	{{FIPS},										SERVICE_STS,      "us-gov-west-1",  NULL,                   "https://sts.us-gov-west-1.amazonaws.com/",                 NULL, false},
	{{FIPS},
	 SERVICE_SECRETS_MANAGER,										 "us-gov-west-1",
	 NULL,																	      "https://secretsmanager-fips.us-gov-west-1.amazonaws.com/",
	 NULL,																										false},
	{{DUAL},										SERVICE_STS,      "us-east-1",      NULL,                   "https://sts.us-east-1.api.aws/",                           NULL, false},
	{{DUAL, FIPS},									  SERVICE_STS,      "us-east-1",      NULL,                   "https://sts-fips.us-east-1.api.aws/",                      NULL, false},
	{{DUAL},
	 SERVICE_STS,											     "cn-north-1",
	 NULL,																	      "https://sts.cn-north-1.api.amazonwebservices.com.cn/",
	 NULL,																										false},
	{{DUAL},
	 SERVICE_SECRETS_MANAGER,										 "us-east-1",
	 NULL,																	      "https://secretsmanager.us-east-1.amazonaws.com/",
	 NULL,																										false},
	{{DUAL},										SERVICE_STS,      "us-iso-east-1",  NULL,                   NULL,                                                       NULL, false},
	{{NULL},										SERVICE_SSO,      "us-east-1",      NULL,                   "https://portal.sso.us-east-1.amazonaws.com/",              NULL, false},
	{{NULL},										SERVICE_SSO_OIDC, "us-east-1",      NULL,                   "https://oidc.us-east-1.amazonaws.com/",                    NULL, false},
	{{NULL},	SERVICE_SIGNIN, "us-east-1",      NULL,                   "https://us-east-1.signin.aws.amazon.com/",                    NULL, false},
	{{NULL},	SERVICE_SIGNIN, "cn-north-1",      NULL,                   "https://cn-north-1.signin.amazonaws.cn/",                    NULL, false},
	{{NULL},	SERVICE_SIGNIN, "us-gov-west-1",      NULL,                   "https://us-gov-west-1.signin.amazonaws-us-gov.com/",                    NULL, false},
	{{NULL},	SERVICE_SIGNIN, "eusc-de-east-1",      NULL,                   "https://signin.eusc-de-east-1.amazonaws.eu/",                    NULL, false},
	{{"AWS_USE_FIPS_ENDPOINT=true"},	SERVICE_SIGNIN, "us-east-1",      NULL,                   "https://signin-fips.us-east-1.amazonaws.com/",                    NULL, false},
	{{"AWS_USE_DUALSTACK_ENDPOINT=true"},	SERVICE_SIGNIN, "us-gov-west-1",      NULL,                   "https://signin.us-gov-west-1.api.aws/",                    NULL, false},
	{{NULL},
	 SERVICE_REDSHIFT_SERVERLESS,									     "us-east-1",
	 NULL,																	      "https://redshift-serverless.us-east-1.amazonaws.com/",
	 NULL,																										false},
	{{"AWS_STS_REGIONAL_ENDPOINTS=legacy"},
	 SERVICE_STS,											     "eu-west-1",
	 NULL,																	      "https://sts.amazonaws.com/",
	 "us-east-1",																									 false},
	{{"AWS_STS_REGIONAL_ENDPOINTS=legacy"},
	 SERVICE_STS,											     "eu-south-1",
	 NULL,																	      "https://sts.eu-south-1.amazonaws.com/",
	 NULL,																										false},
	{{"AWS_STS_REGIONAL_ENDPOINTS=regional"},
	 SERVICE_STS,											     "us-east-1",
	 NULL,																	      "https://sts.us-east-1.amazonaws.com/",
	 NULL,																										false},
	{{"AWS_ENDPOINT_URL=https://all.test//", FIPS},
	 SERVICE_STS,											     "us-east-1",
	 NULL,																	      "https://all.test/",
	 NULL,																										false},
	{{"AWS_ENDPOINT_URL=https://all.test", "AWS_ENDPOINT_URL_STS=https://sts.test:8443/p"},
	 SERVICE_STS,											     "us-east-1",
	 "https://profile.test",															    "https://sts.test:8443/p/",
	 NULL,																										false},
	{{"AWS_ENDPOINT_URL_STS=https://sts.test"},
	 SERVICE_SSO,											     "us-east-1",
	 NULL,																	      "https://portal.sso.us-east-1.amazonaws.com/",
	 NULL,																										false},
	{{NULL},										SERVICE_STS,      "us-east-1",      "https://profile.test", "https://profile.test/",                                    NULL, false},
	{{"AWS_IGNORE_CONFIGURED_ENDPOINT_URLS=true", "AWS_ENDPOINT_URL=https://all.test"},
	 SERVICE_STS,											     "us-east-1",
	 "https://profile.test",															    "https://sts.us-east-1.amazonaws.com/",
	 NULL,																										false},
	{{"AWS_ENDPOINT_URL=http://127.0.0.1:4566"},
	 SERVICE_STS,											     "us-east-1",
	 NULL,																	      "http://127.0.0.1:4566/",
	 NULL,																										true },
	{{"AWS_ENDPOINT_URL=http://localstack:4566"},                                           SERVICE_STS,      "us-east-1",      NULL,                   NULL,                                                       NULL, false},
	{{"AWS_ENDPOINT_URL=https://all.test/?a=b"},                                            SERVICE_STS,      "us-east-1",      NULL,                   NULL,                                                       NULL, false},
	{{"AWS_ENDPOINT_URL=nonsense"},							 SERVICE_STS,      "us-east-1",      NULL,                   NULL,                                                       NULL, false},
	{{NULL},										SERVICE_STS,      "evil.example/",  NULL,                   NULL,                                                       NULL, false},
};

static void places(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(place_cases) / sizeof(place_cases[0]); i++) {
		struct service_place p;
		struct err e;
		int rc = service_find(place_cases[i].env, place_cases[i].id, place_cases[i].region,
				      place_cases[i].configured, &p, &e);

		assert_int_equal(rc, place_cases[i].url ? 0 : -1);
		if (rc != 0)
			continue;
		assert_string_equal(p.url, place_cases[i].url);
		assert_string_equal(p.region,
				    place_cases[i].signs ? place_cases[i].signs : place_cases[i].region);
		assert_int_equal(p.cleartext, place_cases[i].cleartext);
	}
}

static void regions(void **state)
{
	const char *both[] = {"AWS_DEFAULT_REGION=eu-west-1", "AWS_REGION=us-east-1", NULL};
	const char *old[] = {"AWS_DEFAULT_REGION=eu-west-1", NULL}, *none[] = {NULL},
		   *bad[] = {"AWS_REGION=x/y", NULL};
	const char *region;
	struct err e;

	(void)state;
	assert_int_equal(service_region(both, &region, &e), 0);
	assert_string_equal(region, "us-east-1");
	assert_int_equal(service_region(old, &region, &e), 0);
	assert_string_equal(region, "eu-west-1");
	assert_int_equal(service_region(none, &region, &e), 0);
	assert_null(region);
	assert_int_equal(service_region(bad, &region, &e), -1);
	assert_int_equal(e.code, ERR_REGION);
}

static void write_file(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	fputs(text, f);
	assert_int_equal(fclose(f), 0);
}

static void files(void **state)
{
	char dir[] = "/tmp/pgiam-test-XXXXXX", path[64], fifo[64];
	struct buf b;
	struct err e;

	(void)state;
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/token", dir);
	snprintf(fifo, sizeof(fifo), "%s/fifo", dir);
	buf_init_secret(&b, 8);

	assert_int_equal(file_read(path, "who", &b, &e), -1);
	assert_int_equal(errno, ENOENT);
	assert_non_null(strstr(e.msg, "who: cannot open"));
	write_file(path, "12345678");
	assert_int_equal(file_read(path, "who", &b, &e), 0);
	assert_true(slice_eq_str(buf_slice(&b), "12345678"));
	buf_clear(&b);
	write_file(path, "123456789");
	assert_int_equal(file_read(path, "who", &b, &e), -1);
	assert_non_null(strstr(e.msg, "longer than 8"));
	assert_int_equal(mkfifo(fifo, 0600), 0);
	assert_int_equal(file_read(fifo, "who", &b, &e), -1); /* and does not wait */
	assert_non_null(strstr(e.msg, "no regular file"));
	assert_int_equal(file_read(dir, "who", &b, &e), -1);

	buf_clear(&b);
	write_file(path, "tok\r\n");
	assert_int_equal(file_read_token(path, "who", &b, &e), 0);
	assert_true(slice_eq_str(buf_slice(&b), "tok"));
	buf_clear(&b);
	write_file(path, "a\r\nX: b");
	assert_int_equal(file_read_token(path, "who", &b, &e), -1);
	assert_non_null(strstr(e.msg, "position 2"));
	buf_clear(&b);
	write_file(path, " \n");
	assert_int_equal(file_read_token(path, "who", &b, &e), -1);
	assert_non_null(strstr(e.msg, "is empty"));
	buf_free(&b);
	unlink(path);
	unlink(fifo);
	rmdir(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(urls), cmocka_unit_test(places),
					   cmocka_unit_test(regions), cmocka_unit_test(files)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
