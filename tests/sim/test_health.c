/* An outage as an operator sees it: how soon service is back, and what /readiness says meanwhile. */
#include "sim.h"

static void keep(void *arg, const struct target *t, const struct health *h)
{
	struct health *kept = arg;

	(void)t;
	*kept = *h;
}

/* Why the only database is not ready. */
static enum err_code health(struct sim *s)
{
	struct health h;
	const struct err *why;

	proxy_health(s->proxy, keep, &h);
	why = health_why(&h, s->clock.now_us);
	return why ? why->code : ERR_NONE;
}

static void refused_as(struct sim *s, const char *user)
{
	struct sim_client *c = sim_login(s, user, NULL);

	sim_settle(s);
	assert_true(sim_closed(c));
}

#define CROWD 8

/* The pause after a failure doubles from failure to failure. Logins that time out side by side met the same one. */
static void logins_failing_together_are_one_failure(void **state)
{
	struct sim *s = sim_new();
	struct sim_client *c[CROWD];

	(void)state;
	s->target.pool_size = s->target.login_parallel = CROWD;
	sim_start(s);
	for (size_t i = 0; i < CROWD; i++)
		c[i] = sim_client(s);
	s->pg.silent_at = FAKEPG_STARTUP;
	for (size_t i = 0; i < CROWD; i++)
		sim_query(c[i], "SELECT 1");
	sim_pass(s, 15 * SEC + 200 * MS);
	assert_int_equal(sim_db(s)->login_errors[ERR_LOGIN_TIMEOUT], CROWD - 1);
	s->pg.silent_at = FAKEPG_NEVER;
	sim_pass(s, 2 * SEC);
	sim_assert_servers(s, 0, CROWD);
	sim_free(s);
}

static void a_user_that_does_not_exist_says_nothing_of_the_database(void **state)
{
	struct sim *s = sim_new();
	struct sim_client *joe;

	(void)state;
	sim_start(s);
	assert_int_equal(health(s), ERR_NONE);
	s->pg.error_at = FAKEPG_STARTUP;
	s->pg.sqlstate = "28000";
	refused_as(s, "joe");
	assert_int_equal(health(s), ERR_LOGIN_REFUSED); /* nothing better is known */
	s->pg.error_at = FAKEPG_NEVER;
	sim_pass(s, 2 * SEC);
	joe = sim_client(s);
	assert_int_equal(health(s), ERR_NONE);
	s->pg.error_at = FAKEPG_STARTUP;
	refused_as(s, "typo");
	assert_int_equal(health(s), ERR_NONE);
	sim_works(joe);
	sim_free(s);
}

/* One user's role is dropped while another works: with a session that stands, and after it. */
static void a_user_that_is_no_more_says_nothing_while_others_are_served(void **state)
{
	struct sim *s = sim_new();
	struct sim_client *joe, *ann;

	(void)state;
	sim_start(s);
	joe = sim_client(s);
	ann = sim_client_as(s, "ann");
	sim_works(joe);
	sim_works(ann);
	sim_pass(s, 70 * SEC);
	fakepg_close(fakepg_conn(&s->pg, 1)); /* ann's */
	sim_settle(s);
	s->pg.error_at = FAKEPG_STARTUP;
	s->pg.sqlstate = "28000";
	refused_as(s, "ann");
	assert_int_equal(health(s), ERR_NONE);
	fakepg_close(fakepg_conn(&s->pg, 0));
	sim_settle(s);
	assert_int_equal(health(s), ERR_LOGIN_REFUSED); /* now nobody is, and nobody was let in lately */
	sim_free(s);
}

/* Nobody may send clients here while it is not ready: then nobody would ever find out that the database is back. */
static void a_failure_is_forgotten(void **state)
{
	struct sim *s = sim_new();
	struct sim_client *joe;

	(void)state;
	sim_start(s);
	joe = sim_client(s); /* holds its pool */
	sim_settle(s);
	fakepg_close(fakepg_conn(&s->pg, 0));
	sim_settle(s);
	s->pg.close_at = FAKEPG_STARTUP;
	refused_as(s, "joe");
	assert_int_equal(health(s), ERR_SERVER_CLOSED);
	for (int i = 0; i < 5; i++) { /* not while it is met again and again */
		sim_pass(s, 30 * SEC);
		refused_as(s, "joe");
		assert_int_equal(health(s), ERR_SERVER_CLOSED);
	}
	sim_pass(s, 61 * SEC);
	assert_int_equal(health(s), ERR_NONE);
	s->pg.close_at = FAKEPG_NEVER;
	sim_works(joe);
	sim_free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(logins_failing_together_are_one_failure),
		cmocka_unit_test(a_user_that_does_not_exist_says_nothing_of_the_database),
		cmocka_unit_test(a_user_that_is_no_more_says_nothing_while_others_are_served),
		cmocka_unit_test(a_failure_is_forgotten),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
