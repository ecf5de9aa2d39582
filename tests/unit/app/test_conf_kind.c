/* app/conf_kind: the host patterns of AWS, anchored at both ends, and the kinds of server they stand for. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include "app/conf_kind.h"

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

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(from_host)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
