/* Logging in to servers that are slow, broken, full or not what they should be. */
#include "sim.h"

static struct sim *begin(void)
{
	return sim_new();
}

static void a_session(void **state)
{
	struct sim *s = begin();
	struct sim_client *c;

	(void)state;
	sim_start(s);
	c = sim_client(s);
	assert_string_equal(params_get(&c->params, "server_version"), "16.4");
	sim_works(c);
	sim_assert_servers(s, 0, 1);
	sim_say(c, "X");
	sim_settle(s);
	assert_true(sim_closed(c));
	assert_string_equal(fakepg_log(fakepg_conn(&s->pg, 0)), "Q:SELECT 1;Q:DISCARD ALL;");
	sim_assert_servers(s, 1, 0);
	sim_free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_session),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
