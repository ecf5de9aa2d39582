/* proxy/profile: the table. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
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

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(table)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
