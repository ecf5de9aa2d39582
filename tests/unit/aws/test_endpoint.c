#include "vectors.h"
#include "aws/aws.h"
#include "aws/endpoint.h"
#include "aws/token_host.h"

static void host_parsed(const cJSON *item)
{
	struct endpoint ep = endpoint_parse(vectors_str(item, "host"));
	const char *region = vectors_str(item, "region");

	assert_string_equal(endpoint_kind_name(ep.kind), vectors_str(item, "kind"));
	assert_string_equal(ep.region, region ? region : "");
}

static void region_from_host(void **state)
{
	(void)state;
	vectors_each("region_from_host", "cases", 28, host_parsed);
}

/* Hosts of the token vectors: each with a region of its own is found again. */
static void region_of_token_hosts(void **state)
{
	cJSON *root = vectors_load();
	cJSON *item, *list = cJSON_GetObjectItem(root, "rds_tokens");

	(void)state;
	cJSON_ArrayForEach(item, list)
	{
		struct endpoint ep = endpoint_parse(vectors_str(item, "host"));

		if (ep.kind != ENDPOINT_OTHER &&
		    strcmp(vectors_str(item, "name"), "rds-region-differs-from-host") != 0)
			assert_string_equal(ep.region, vectors_str(item, "region"));
	}
	cJSON_Delete(root);
}

static void not_endpoints(void **state)
{
	static const char *const hosts[] = {
		"",
		".",
		"..",
		"amazonaws.com",
		".amazonaws.com",
		"rds.amazonaws.com",
		"us-east-1.rds.amazonaws.com",
		"h.us-east-1.rds.amazonaws.com",
		"a..us-east-1.rds.amazonaws.com",
		"a.h..rds.amazonaws.com",
		"a.h.us-east-1.rds.amazonaws.com..",
		"a.h.us-east-1.rdsx.amazonaws.com",
		"a.h.us-east-1.rdsamazonaws.com",
		"a.h.us-east-1.rdsxamazonaws.com",
		"a.h.us-east-1.rds.xamazonaws.com",
		"x.a.h.us-east-1.rds.amazonaws.com",
		"a.h-h.us-east-1.rds.amazonaws.com",
		"a.cluster-.us-east-1.rds.amazonaws.com",
		"a.endpoint.h.us-east-1.rds.amazonaws.com",
		"a.endpoint.cluster-h.us-east-1.rds.amazonaws.com",
		"a.h.us_east_1.rds.amazonaws.com",
		"a.h.global.rds.amazonaws.com",
		"a.global-h.us-east-1.rds.amazonaws.com",
		"a.h.us-east-1.rds.amazonaws.com.evil.example",
		"a.dsql.on.aws",
		"a.dsqlx.us-east-1.on.aws",
		"a.dsql-.us-east-1.on.aws",
		"a.h.us-east-1.redshift.amazonaws.eu",
		"a.h.us-east-1.c2s.ic.gov",
		" a.h.us-east-1.rds.amazonaws.com",
		"a.h.us-east-1.rds.amazonaws.com ",
		"a/h.h.us-east-1.rds.amazonaws.com",
	};
	char *longest;

	(void)state;
	for (size_t i = 0; i < sizeof(hosts) / sizeof(hosts[0]); i++) {
		struct endpoint ep = endpoint_parse(hosts[i]);

		if (ep.kind != ENDPOINT_OTHER || ep.region[0])
			fail_msg("\"%s\" passes for %s", hosts[i], endpoint_kind_name(ep.kind));
	}
	longest = mem_printf("%0300d.h.us-east-1.rds.amazonaws.com", 0);
	assert_int_equal(endpoint_parse(longest).kind, ENDPOINT_OTHER);
	free(longest);
	longest = mem_printf("a.h.us-%064d.rds.amazonaws.com", 0); /* a region that would not fit */
	assert_int_equal(endpoint_parse(longest).kind, ENDPOINT_OTHER);
	free(longest);
	longest = mem_printf("a.h.us-%060d.rds.amazonaws.com", 0);
	assert_int_equal(strlen(endpoint_parse(longest).region), ENDPOINT_REGION_SIZE - 1);
	free(longest);
}

static void names_of_aws(void **state)
{
	static const char *const yes[] = {"x.amazonaws.com", "x.us-east-1.rds.amazonaws.com.cn.", "X.C2S.IC.GOV", "a.b.on.aws"};
	static const char *const no[] = {"", ".", "amazonaws.com", ".amazonaws.com", "xamazonaws.com", "x.amazonaws.com.example",
					 "x.amazonaws.com..", "db.example.com"};
	char *longest = mem_printf("%0300d.amazonaws.com", 0);

	(void)state;
	for (size_t i = 0; i < sizeof(yes) / sizeof(yes[0]); i++)
		assert_true(endpoint_is_aws(yes[i]));
	for (size_t i = 0; i < sizeof(no) / sizeof(no[0]); i++)
		assert_false(endpoint_is_aws(no[i]));
	assert_false(endpoint_is_aws(longest));
	free(longest);
}

static void partitions(void **state)
{
	(void)state;
	assert_string_equal(endpoint_partition("us-east-1"), "aws");
	assert_string_equal(endpoint_partition("cn-north-1"), "aws-cn");
	assert_string_equal(endpoint_partition("us-gov-west-1"), "aws-us-gov");
	assert_string_equal(endpoint_partition("us-iso-east-1"), "aws-iso");
	assert_string_equal(endpoint_partition("us-isob-east-1"), "aws-iso-b");
	assert_string_equal(endpoint_partition("eusc-de-east-1"), "aws-eusc");
}

#define RDS "a.h.us-east-2.rds.amazonaws.com"

static void region_choice(void **state)
{
	static const struct {
		const char *explicit_region, *host, *env[3];
		const char *region; /* NULL: ERR_REGION */
		bool warned;
		int rc;
	} cases[] = {
		{"eu-west-1", RDS,				   {NULL},						   "eu-west-1", true , 0},
		{"us-east-2", RDS,				   {"AWS_REGION=eu-west-1"},                                 "us-east-2", false, 0},
		{"",          RDS,				   {NULL},						   "us-east-2", false, 0},
		{NULL,        RDS,				   {NULL},						   "us-east-2", false, 0},
		{NULL,        RDS,				   {"AWS_REGION=us-east-2"},                                 "us-east-2", false, 0},
		{NULL,        RDS,				   {"AWS_REGION=eu-west-1"},                                 "us-east-2", true , 0},
		{NULL,        RDS,				   {"AWS_DEFAULT_REGION=eu-west-1"},                         "us-east-2", true , 0},
		{NULL,
		 "db.example",				       {"AWS_REGION=eu-west-1", "AWS_DEFAULT_REGION=eu-west-2"},
		 "eu-west-1",													       false, 0},
		{NULL,        "db.example",                          {"AWS_REGION=", "AWS_DEFAULT_REGION=eu-west-2"},          "eu-west-2", false, 0},
		{NULL,        "db.example",                          {"XAWS_REGION=eu-west-1", "AWS_REGIONX=x"},               NULL,        false, 1},
		{NULL,        "db.example",                          {"AWS_REGION=Frankfurt"},                                 NULL,        false, -1},
		{"no region", RDS,				   {NULL},						   NULL,        true , -1},
		{NULL,        "g.global-h.global.rds.amazonaws.com", {NULL},                                                   NULL,        false, 1},
		{NULL,        "g.global-h.global.rds.amazonaws.com", {"AWS_REGION=us-west-2"},                                 "us-west-2", false, 0},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char region[64], warning[256];
		struct err e;
		int rc = aws_region(cases[i].explicit_region, cases[i].host, cases[i].env, region, warning,
				    &e);

		assert_int_equal(rc, cases[i].rc);
		if (cases[i].region)
			assert_string_equal(region, cases[i].region);
		else
			assert_int_equal(e.code, ERR_REGION);
		assert_int_equal(warning[0] != '\0', cases[i].warned);
		assert_int_equal(
			aws_region(cases[i].explicit_region, cases[i].host, cases[i].env, region, NULL, NULL),
			rc);
	}
}

static void hosts_to_sign(void **state)
{
	static const struct {
		const char *host;
		unsigned warnings;
	} cases[] = {
		{RDS,				0},
		{"A.h.us-east-2.RDS.amazonaws.com",  1},
		{"A.h.us-east-2.RDS.amazonaws.com.", 2},
		{"db.example.com",                   1},
		{"a.dsql.us-east-1.on.aws",          0},
		{"10.0.0.1",                         1},
		{"10.1",			     1},
		{"0x7f000001",                       1},
		{"1.2.3.4.",                         2},
		{"::1",			      1},
		{"[::1]",			    1},
		{"fe80::1%eth0",                     1},
		{"localhost",                        1},
		{"LocalHost.",                       3},
		{"pg.localhost",                     1},
		{"notlocalhost",                     1},
		{"db.1a",			    1},
		{"0x",			       1},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		unsigned step = 0, n = 0;
		char text[200];

		while (token_host_warning(cases[i].host, &step, text, sizeof(text)))
			n++;
		if (n != cases[i].warnings)
			fail_msg("%s: %u warnings, not %u", cases[i].host, n, cases[i].warnings);
	}
}

static void normalized(void **state)
{
	char out[TOKEN_HOST_SIZE], longest[300];
	struct err e;

	(void)state;
	assert_int_equal(token_host_normalize("MyDB.X.us-east-1.RDS.amazonaws.com.", out, &e), 0);
	assert_string_equal(out, "mydb.x.us-east-1.rds.amazonaws.com");
	assert_int_equal(token_host_normalize("a..", out, &e), 0);
	assert_string_equal(out, "a.");
	assert_int_equal(token_host_normalize("", out, &e), -1);
	assert_int_equal(token_host_normalize(".", out, &e), -1);
	memset(longest, 'A', sizeof(longest));
	longest[256] = '\0';
	assert_int_equal(token_host_normalize(longest, out, &e), -1);
	longest[255] = '.';
	assert_int_equal(token_host_normalize(longest, out, &e), 0);
	assert_int_equal(strlen(out), 255);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(region_from_host), cmocka_unit_test(region_of_token_hosts),
		cmocka_unit_test(not_endpoints),    cmocka_unit_test(names_of_aws),
		cmocka_unit_test(partitions),
		cmocka_unit_test(region_choice),    cmocka_unit_test(hosts_to_sign),
		cmocka_unit_test(normalized),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
