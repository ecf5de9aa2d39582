/* proxy/profile: the table. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include "pg/startup.h"
#include "proxy/profile.h"

static void table(void **state)
{
	(void)state;
	for (int k = 0; k < PROFILE_COUNT; k++) {
		const struct profile *p = profile_get((enum profile_kind)k);
		assert_non_null(p->name);
		assert_non_null(p->reset_query);
		assert_int_equal(profile_from_name(p->name), k);
		assert_true(p->login_rate <= p->login_rate_max);
	}
	assert_int_equal(profile_from_name("none"), -1);
	assert_false(profile_get(PROFILE_RDS_PROXY)->cancel);
	assert_false(profile_get(PROFILE_RDS_PROXY)->options);
	assert_false(profile_get(PROFILE_RDS_PROXY)->rds_ca);
	assert_true(profile_get(PROFILE_RDS)->rds_ca);
	for (int k = 0; k < PROFILE_COUNT; k++)
		assert_int_equal(profile_get((enum profile_kind)k)->protocol, k == PROFILE_RDS ? STARTUP_3_2 : STARTUP_3_0);
}

/* Texts as AWS's guides have them. */
static void refusals(void **state)
{
	static const struct {
		enum profile_kind kind;
		const char *said, *part;
	} known[] = {
		{PROFILE_DSQL, "Wrong user to action mapping. user: admin, action: DbConnect", "dsql:DbConnectAdmin"},
		{PROFILE_DSQL, "IAM authentication failed for user \"app\"", "AWS IAM GRANT"},
		{PROFILE_DSQL, "unable to accept connection, sni was not received", "tls_server_name"},
		{PROFILE_DSQL, "Unable to accept connection, too many open connections.", "max_db_connections"},
		{PROFILE_DSQL, "Unable to accept connection, rate exceeded.", "login_rate"},
		{PROFILE_RDS_PROXY, "This RDS proxy has no credentials for the role app. Check the credentials for this role.",
		 "Secrets Manager"},
		{PROFILE_RDS_PROXY, "RDS Proxy supports only IAM, MD5, or SCRAM authentication.", "auth=iam"},
		{PROFILE_RDS_PROXY, "The IAM authentication failed for the role app. Check the IAM token for this role.", "prx-"},
		{PROFILE_RDS_PROXY, "The IAM authentication failed because of too many competing requests.", "login_rate"},
		{PROFILE_RDS_PROXY, "Rate of connection to proxy exceeded 100.", "login_rate"},
		{PROFILE_RDS_PROXY, "Timed-out waiting to acquire database connection.", "pins"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		const char *hint = profile_refusal_hint(profile_get(known[i].kind), known[i].said);

		assert_non_null(hint);
		assert_non_null(strstr(hint, known[i].part));
		assert_null(profile_refusal_hint(profile_get(PROFILE_POSTGRES), known[i].said));
	}
	assert_null(profile_refusal_hint(profile_get(PROFILE_DSQL), "out of memory"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(table), cmocka_unit_test(refusals)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
