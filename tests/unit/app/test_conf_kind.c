/* app/conf_kind: the host patterns of AWS, anchored at both ends, and the kinds of server they stand for. */
#include "conf_test.h"
#include "app/conf_kind.h"

#define REDSHIFT "examplecluster.abc123xyz789.us-west-2.redshift.amazonaws.com"

static const struct {
	const char *host;
	enum profile_kind kind;
} hosts[] = {
	{"mydb.c9akciq32rgw.us-east-1.rds.amazonaws.com",                  PROFILE_RDS      },
	{"MyDB.C9AKCIQ32RGW.US-EAST-1.RDS.AMAZONAWS.COM",                  PROFILE_RDS      },
	{"mydb.c9akciq32rgw.us-east-1.rds.amazonaws.com.",                 PROFILE_RDS      },
	{"mydb-green-1a2b3c.c9akciq32rgw.us-east-1.rds.amazonaws.com",     PROFILE_RDS      },
	{"mydb.c9akciq32rgw.us-gov-west-1.rds-fips.amazonaws.com",         PROFILE_RDS      },
	{"c.cluster-c9akciq32rgw.us-east-1.rds.amazonaws.com",             PROFILE_RDS      },
	{"c.cluster-ro-c9akciq32rgw.us-east-1.rds.amazonaws.com",          PROFILE_RDS      },
	{"c.cluster-custom-c9akciq32rgw.us-east-1.rds.amazonaws.com",      PROFILE_RDS      },
	{"c.shardgrp-c9akciq32rgw.us-east-1.rds.amazonaws.com",            PROFILE_RDS      },
	{"g.global-c9akciq32rgw.global.rds.amazonaws.com",                 PROFILE_RDS      },
	{"mydb.c9akciq32rgw.rds.cn-north-1.amazonaws.com.cn",              PROFILE_RDS      },
	{"mydb.c9akciq32rgw.cn-north-1.rds.amazonaws.com.cn",              PROFILE_RDS      },
	{"mydb.c9akciq32rgw.eusc-de-east-1.rds.amazonaws.eu",              PROFILE_RDS      },
	{"mydb.c9akciq32rgw.rds.us-iso-east-1.c2s.ic.gov",                 PROFILE_RDS      },
	{"mydb.c9akciq32rgw.rds.eu-isoe-west-1.cloud.adc-e.uk",            PROFILE_RDS      },
	{"p.proxy-c9akciq32rgw.rds.us-isof-south-1.csp.hci.ic.gov",        PROFILE_RDS_PROXY},
	{"p.proxy-c9akciq32rgw.us-east-1.rds.amazonaws.com",               PROFILE_RDS_PROXY},
	{"p.endpoint.proxy-c9akciq32rgw.us-east-1.rds.amazonaws.com",      PROFILE_RDS_PROXY},
	{"p.proxy-c9akciq32rgw.rds.cn-north-1.amazonaws.com.cn",           PROFILE_RDS_PROXY},
	{"abcdefghijklmnopqrstuvwxyz.dsql.us-east-1.on.aws",               PROFILE_DSQL     },
	{"abcdefghijklmnopqrstuvwxyz.dsql-ab12.us-east-1.on.aws",          PROFILE_DSQL     },
	{"c.abc123.us-east-1.redshift.amazonaws.com",                      PROFILE_REDSHIFT },
	{"wg.123456789012.us-east-1.redshift-serverless.amazonaws.com",    PROFILE_REDSHIFT },
	{"mydb.c9akciq32rgw.us-east-1.rds.amazonaws.com.attacker.example", PROFILE_POSTGRES },
	{"us-east-1.rds.amazonaws.com",                                    PROFILE_POSTGRES },
	{"c9akciq32rgw.us-east-1.rds.amazonaws.com",                       PROFILE_POSTGRES },
	{"a.b.c9akciq32rgw.us-east-1.rds.amazonaws.com",                   PROFILE_POSTGRES },
	{"mydb.c9ak-ciq.us-east-1.rds.amazonaws.com",                      PROFILE_POSTGRES },
	{"mydb.cluster-.us-east-1.rds.amazonaws.com",                      PROFILE_POSTGRES },
	{"mydb..us-east-1.rds.amazonaws.com",                              PROFILE_POSTGRES },
	{"mydb.c9akciq32rgw.us-east-1.rds.amazonaws.com..",                PROFILE_POSTGRES },
	{"mydb.c9akciq32rgw.us-east-1.rdsx.amazonaws.com",                 PROFILE_POSTGRES },
	{"mydb.c9akciq32rgw.us-east-1.rds.amazonaws.example",              PROFILE_POSTGRES },
	{"mydb.c9akciq32rgw.us-east-1.rds.xamazonaws.com",                 PROFILE_POSTGRES },
	{"ec2-1-2-3-4.compute-1.amazonaws.com",                            PROFILE_POSTGRES },
	{"x.dsql.us-east-1.on.aws.example",                                PROFILE_POSTGRES },
	{"a.b.c.d.e.f.g.h.i.j.k.l.m.n.amazonaws.com",                      PROFILE_POSTGRES },
	{"amazonaws.com",						  PROFILE_POSTGRES },
	{"x/p.proxy-c9akciq32rgw.us-east-1.rds.amazonaws.com",             PROFILE_POSTGRES },
	{"x/p.endpoint.proxy-c9akciq32rgw.us-east-1.rds.amazonaws.com",    PROFILE_POSTGRES },
	{"localhost",						      PROFILE_POSTGRES },
	{"127.0.0.1",						      PROFILE_POSTGRES },
	{"::1",							    PROFILE_POSTGRES },
	{".",							      PROFILE_POSTGRES },
	{"",							       PROFILE_POSTGRES },
};

static void from_host(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(hosts) / sizeof(hosts[0]); i++)
		if (conf_kind_of_host(hosts[i].host) != hosts[i].kind)
			fail_msg("%s is %s", hosts[i].host,
				 profile_get(conf_kind_of_host(hosts[i].host))->name);
}

/* What a name's server does not do: what fits is told, not what would be missing if it were nobody's. */
static void not_its_auth(void **state)
{
	static const struct {
		const char *connstr, *told;
	} cases[] = {
		{"host=" REDSHIFT " auth=iam", REDSHIFT " takes no token of RDS: it is an endpoint of Redshift|Use auth=redshift."},
		{"host=x iam_host=" REDSHIFT " auth=iam", "it is an endpoint of Redshift|Use auth=redshift."},
		{"host=" REDSHIFT " auth=dsql", "it is an endpoint of Redshift|Use auth=redshift."},
		{"host=" RDS " auth=redshift", RDS " has no credentials of Redshift: it is an endpoint of RDS|Use auth=iam."},
		{"host=" DSQL " auth=redshift", "it is an endpoint of Aurora DSQL|Use auth=dsql."},
	};
	struct conf_test *t = *state;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char file[300];

		snprintf(file, sizeof(file), "[databases]\nx = %s\n", cases[i].connstr);
		conf_test_bad(t, file, NULL, "t.ini:2|database \"x\": auth: ");
		if (!strstr(buf_cstr(&t->said), cases[i].told))
			fail_msg("%s: %s", cases[i].connstr, buf_cstr(&t->said));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(from_host),
		cmocka_unit_test_setup_teardown(not_its_auth, conf_test_setup, conf_test_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
