/* How long servers live, and how long anybody may do nothing. */
#include "sim.h"
#include <stdio.h>

static void short_lives(struct sim *s)
{
	s->target.server_lifetime_us = 100 * SEC;
	s->target.server_idle_timeout_us = 0;
}

static void servers_grow_old(void **state)
{
	struct sim *s = sim_begin(4, short_lives);
	struct sim_client *a = sim_client(s), *b;

	(void)state;
	sim_works(a);
	sim_pass(s, 89 * SEC);
	sim_leave(a);
	sim_assert_servers(s, 1, 0);
	sim_pass(s, 12 * SEC); /* up to a tenth earlier, so that not all go at once */
	sim_assert_servers(s, 0, 0);
	/* one in use is left alone until its client goes */
	b = sim_client(s);
	sim_works(b);
	sim_pass(s, 200 * SEC);
	sim_works(b);
	sim_leave(b);
	sim_assert_servers(s, 0, 0);
	sim_free(s);
}

static void they_do_not_go_together(void **state)
{
	struct sim *s = sim_begin(20, short_lives);

	(void)state;
	for (int i = 0; i < 20; i++)
		sim_works(sim_client(s));
	for (int i = 0; i < 20; i++)
		sim_leave(s->clients[i]);
	sim_assert_servers(s, 20, 0);
	sim_pass(s, 90 * SEC + 500 * MS);
	assert_in_range(sim_db(s)->server_closed, 0, 19);
	sim_pass(s, 9 * SEC);
	assert_in_range(sim_db(s)->server_closed, 1, 20);
	sim_free(s);
}

/* Aurora DSQL cuts a connection after an hour, whatever it is doing. */
static void cut_by_the_server(struct sim *s)
{
	s->target.profile = profile_get(PROFILE_DSQL);
	s->target.server_lifetime_us = 7200 * SEC;
	s->target.server_idle_timeout_us = 0;
}

static void none_grows_older_than_the_server_lets_it(void **state)
{
	struct sim *s = sim_begin(4, cut_by_the_server);
	struct sim_client *a = sim_client(s);

	(void)state;
	sim_works(a);
	sim_leave(a);
	sim_pass(s, 2950 * SEC);
	sim_assert_servers(s, 1, 0);
	sim_pass(s, 400 * SEC);
	sim_assert_servers(s, 0, 0);
	sim_free(s);
}

static void used_once(struct sim *s)
{
	s->target.server_lifetime_us = 0;
}

static void a_server_for_every_client(void **state)
{
	struct sim *s = sim_begin(4, used_once);

	(void)state;
	for (unsigned i = 1; i < 4; i++) {
		struct sim_client *c = sim_client(s);

		sim_works(c);
		sim_pass(s, 5000 * SEC);
		sim_works(c);
		sim_leave(c);
		sim_assert_servers(s, 0, 0);
		assert_int_equal(s->pg.n, i);
	}
	sim_free(s);
}

static void short_idle(struct sim *s)
{
	s->target.server_idle_timeout_us = 50 * SEC;
}

static void idle_servers_go(void **state)
{
	struct sim *s = sim_begin(4, short_idle);
	struct sim_client *a = sim_client(s);

	(void)state;
	sim_works(a);
	sim_pass(s, 500 * SEC);
	sim_leave(a);
	sim_pass(s, 49 * SEC);
	sim_assert_servers(s, 1, 0);
	sim_pass(s, 2 * SEC);
	sim_assert_servers(s, 0, 0);
	sim_free(s);
}

static void short_client_idle(struct sim *s)
{
	s->opts.client_idle_timeout_us = 30 * SEC;
}

static void idle_clients_go(void **state)
{
	struct sim *s = sim_begin(4, short_client_idle);
	struct sim_client *never = sim_client(s), *linked = sim_client(s), *busy = sim_client(s);

	(void)state;
	sim_works(linked);
	sim_query(busy, "HANG");
	sim_pass(s, 29 * SEC);
	sim_expect(never, "");
	sim_pass(s, 2 * SEC);
	sim_expect_fatal(never, "57P05", "idle-session timeout");
	sim_expect_fatal(linked, "57P05", "idle-session timeout");
	sim_pass(s, 100 * SEC);
	sim_expect(busy, "");
	assert_false(sim_closed(busy)); /* a long query is not idleness */
	fakepg_conn(&s->pg, 0)->hang = false;
	fakepg_conn(&s->pg, 1)->hang = false;
	fakepg_answer(fakepg_conn(&s->pg, 1), "CZ");
	sim_expect(busy, "CZ");
	sim_pass(s, 29 * SEC);
	sim_works(busy);
	sim_pass(s, 32 * SEC);
	sim_expect_fatal(busy, "57P05", "idle-session timeout");
	sim_free(s);
}

static void one_server_short_client_idle(struct sim *s)
{
	s->target.pool_size = 1;
	s->opts.client_idle_timeout_us = 30 * SEC;
}

/* A COPY that failed while a Sync was under way to it, which nobody knows whether it was read: see proxy/inflight.h. */
static struct sim_client *failed_copy(struct sim *s)
{
	struct sim_client *c = sim_client(s);

	s->pg.mute = true;
	sim_say(c, "PBES");
	sim_settle(s);
	sim_answer(s, "12G");
	sim_expect(c, "12G");
	sim_say(c, "d");
	sim_settle(s);
	sim_answer(s, "E");
	sim_expect(c, "E");
	sim_say(c, "cS");
	sim_settle(s);
	sim_answer(s, "Z");
	sim_expect(c, "Z");
	s->pg.mute = false;
	return c;
}

static void a_failed_copy_is_no_work(void **state)
{
	struct sim *s = sim_begin(4, one_server_short_client_idle);
	struct sim_client *c = failed_copy(s);

	(void)state;
	sim_pass(s, 32 * SEC);
	sim_expect_fatal(c, "57P05", "idle-session timeout");
	/* what that server may still say is nobody's: it is used no more, unless an answer has shown that all is said */
	assert_int_equal(fakepg_open(&s->pg), 0);
	c = failed_copy(s);
	sim_works(c);
	sim_leave(c);
	sim_assert_servers(s, 1, 0);
	sim_works(sim_client(s));
	assert_int_equal(s->pg.n, 2);
	sim_free(s);
}

/* Waiting for a server is not idleness either. */
static void waiting_clients_stay(void **state)
{
	struct sim *s = sim_begin(4, one_server_short_client_idle);
	struct sim_client *a = sim_client(s), *b = sim_client(s);

	(void)state;
	sim_query(a, "HANG");
	sim_settle(s);
	sim_pass(s, 10 * SEC);
	sim_query(b, "SELECT 1");
	sim_pass(s, 100 * SEC);
	assert_false(sim_closed(b));
	sim_answer(s, "CZ");
	sim_say(a, "X");
	sim_expect(b, "CZ");
	sim_free(s);
}

static void unused_pools_are_forgotten(void **state)
{
	struct sim *s = sim_begin(4, short_idle);

	(void)state;
	for (int i = 0; i < 20; i++) {
		char user[16];

		snprintf(user, sizeof(user), "user%d", i);
		sim_leave(sim_client_as(s, user));
	}
	assert_int_equal(sim_db(s)->pools, 20);
	sim_pass(s, 200 * SEC);
	assert_int_equal(sim_db(s)->pools, 0);
	assert_int_equal(fakepg_open(&s->pg), 0);
	sim_free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(servers_grow_old),
		cmocka_unit_test(they_do_not_go_together),
		cmocka_unit_test(none_grows_older_than_the_server_lets_it),
		cmocka_unit_test(a_server_for_every_client),
		cmocka_unit_test(idle_servers_go),
		cmocka_unit_test(idle_clients_go),
		cmocka_unit_test(a_failed_copy_is_no_work),
		cmocka_unit_test(waiting_clients_stay),
		cmocka_unit_test(unused_pools_are_forgotten),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
