/* Pools: sizes, order, and servers that speak or die while nobody looks. */
#include "sim.h"
#include "base/mem.h"

static void one_server(struct sim *s)
{
	s->target.pool_size = 1;
}

static void pool_size_holds_under_many_clients(void **state)
{
	struct sim *s = sim_begin(4, NULL);
	unsigned done = 0;

	(void)state;
	for (int i = 0; i < 200; i++)
		sim_client(s);
	for (int i = 0; i < 200; i++)
		sim_query(s->clients[i], "SELECT 1");
	sim_settle(s);
	sim_assert_servers(s, 0, 4);
	assert_int_equal(sim_db(s)->cl_waiting, 196);
	/* a transfer buffer is for bytes that move: a thousand who wait would hold 64 MB */
	assert_int_equal(sim_stats(s)->iobufs, 0);
	/* first come, first served */
	while (done < 200) {
		for (unsigned i = done; i < done + 4; i++) {
			assert_string_equal(s->clients[i]->said, "CZ");
			sim_leave(s->clients[i]);
		}
		done += 4;
		for (unsigned i = done + 4; i < 200; i++)
			assert_string_equal(s->clients[i]->said, "");
		assert_int_equal(s->pg.n, 4);
	}
	sim_assert_servers(s, 4, 0);
	sim_free(s);
}

static void logins_keep_to_their_rate(void **state)
{
	struct sim *s = sim_new();

	(void)state;
	s->target.login_rate = s->target.login_rate_max = 1;
	sim_start(s);
	for (int i = 0; i < 4; i++)
		sim_query(sim_login(s, "joe", NULL), "SELECT 1");
	for (unsigned n = 1; n <= 4; n++) {
		sim_settle(s);
		sim_assert_servers(s, 0, n);
		sim_pass(s, SEC - 50 * MS);
		sim_assert_servers(s, 0, n);
		sim_pass(s, 100 * MS);
	}
	sim_free(s);
}

static void waiting_for_a_server_has_an_end(void **state)
{
	struct sim *s = sim_begin(4, one_server);
	struct sim_client *a = sim_client(s), *b = sim_client(s);

	(void)state;
	sim_works(a);
	sim_query(b, "SELECT 1");
	sim_pass(s, 119 * SEC);
	sim_expect(b, "");
	sim_pass(s, 2 * SEC);
	sim_expect_fatal(b, "08006", "query_wait_timeout");
	sim_works(a);
	sim_free(s);
}

static void one_login_in_two_seconds(struct sim *s)
{
	s->target.login_rate = s->target.login_rate_max = 0.5;
	s->target.query_wait_timeout_us = 1 * SEC;
}

/* It is told what it waited for. */
static void waiting_for_a_login_has_an_end(void **state)
{
	struct sim *s = sim_begin(4, one_login_in_two_seconds);
	struct sim_client *a = sim_client(s), *b = sim_client(s);

	(void)state;
	sim_works(a);
	sim_query(b, "SELECT 1");
	sim_pass(s, 1100 * MS);
	sim_expect_fatal(b, "08006", "query_wait_timeout");
	assert_string_equal(b->detail, "A login to the server has not begun: it waits for its turn.");
	assert_non_null(strstr(b->hint, "login_rate"));
	sim_free(s);
}

/* Whoever goes away while it waits is not given a server. */
static void gone_while_waiting(void **state)
{
	struct sim *s = sim_begin(4, one_server);
	struct sim_client *a = sim_client(s), *b = sim_client(s), *c = sim_client(s);

	(void)state;
	sim_works(a);
	sim_query(b, "SELECT 1");
	sim_query(c, "SELECT 1");
	sim_settle(s);
	sim_vanish(b);
	sim_pass(s, 6 * SEC);
	fakepg_log(fakepg_conn(&s->pg, 0));
	sim_leave(a);
	sim_expect(c, "CZ");
	assert_string_equal(fakepg_log(fakepg_conn(&s->pg, 0)), "Q:DISCARD ALL;Q:SELECT 1;");
	sim_free(s);
}

static void min_pool_size(struct sim *s)
{
	s->target.min_pool_size = 3;
}

static void connections_kept_ready(void **state)
{
	struct sim *s = sim_begin(4, min_pool_size);

	(void)state;
	sim_client(s);
	sim_assert_servers(s, 3, 0);
	sim_pass(s, 5 * SEC);
	fakepg_close(fakepg_conn(&s->pg, 1));
	sim_assert_servers(s, 3, 0);
	sim_free(s);
}

/* Nobody has to come for them to be back after an outage. */
static void connections_kept_ready_come_back(void **state)
{
	struct sim *s = sim_begin(4, min_pool_size);

	(void)state;
	sim_client(s);
	sim_assert_servers(s, 3, 0);
	sim_pass(s, 5 * SEC);
	s->pg.close_at = FAKEPG_STARTUP;
	for (int i = 0; i < 3; i++)
		fakepg_close(fakepg_conn(&s->pg, (unsigned)i));
	sim_pass(s, 20 * SEC);
	sim_assert_servers(s, 0, 0);
	assert_in_range(s->pg.n, 3 + 3, 3 + 3 * 20);
	s->pg.close_at = FAKEPG_NEVER;
	sim_pass(s, 3 * SEC);
	sim_assert_servers(s, 3, 0);
	sim_free(s);
}

static void idle_after_a_while(struct sim *s)
{
	s->target.min_pool_size = 2;
	s->target.server_idle_timeout_us = 10 * SEC;
	s->target.server_lifetime_us = 100 * SEC;
}

/* They are not closed for being idle, to be replaced at once; for their age they are. */
static void connections_kept_ready_may_be_idle(void **state)
{
	struct sim *s = sim_begin(4, idle_after_a_while);
	struct sim_client *c[3];

	(void)state;
	for (int i = 0; i < 3; i++) {
		c[i] = sim_client(s);
		sim_works(c[i]);
	}
	for (int i = 0; i < 2; i++)
		sim_leave(c[i]);
	sim_assert_servers(s, 2, 1);
	sim_pass(s, 60 * SEC);
	sim_assert_servers(s, 1, 1);
	assert_int_equal(s->pg.n, 3);
	sim_pass(s, 60 * SEC);
	sim_assert_servers(s, 1, 1);
	assert_int_equal(s->pg.n, 4);
	/* nobody is there any more for whom they would be kept */
	sim_leave(c[2]);
	sim_pass(s, 11 * SEC);
	sim_assert_servers(s, 0, 0);
	sim_free(s);
}

/* ---- idle servers that speak or die (pitfalls 43, 44) ---- */

static void idle_servers_speak(void **state)
{
	static const struct {
		const char *what;
		bool stays;
	} cases[] = {
		{"S", true }, {"N", true }, {"A", true }, {"SNASNA", true }, {"E", true },
		{"Z", false}, {"C", false}, {"1", false}, {"T", false},      {"G", false},
		{"R", false}, {"K", false}, {"?", false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct sim *s = sim_begin(4, one_server);
		struct sim_client *c = sim_client(s);

		sim_works(c);
		sim_leave(c);
		fakepg_answer(fakepg_conn(&s->pg, 0), cases[i].what);
		sim_assert_servers(s, cases[i].stays, 0);
		c = sim_client(s);
		if (cases[i].what[0] == 'S')
			assert_string_equal(params_get(&c->params, "TimeZone"), "Mars/Phobos");
		sim_works(c);
		assert_int_equal(s->pg.n, cases[i].stays ? 1 : 2);
		sim_free(s);
	}
}

static void idle_servers_die(void **state)
{
	(void)state;
	for (int way = 0; way < 2; way++) {
		struct sim *s = sim_begin(4, one_server);
		struct sim_client *c = sim_client(s), *next = sim_client(s);

		sim_works(c);
		sim_leave(c);
		if (way == 0)
			fakepg_error(fakepg_conn(&s->pg, 0), "FATAL", "57P01", "terminating connection");
		fakepg_close(fakepg_conn(&s->pg, 0));
		if (way == 1)
			fakepg_pump(&s->pg); /* noticed only when it is wanted */
		else
			sim_settle(s);
		sim_works(next);
		assert_int_equal(s->pg.n, 2);
		sim_free(s);
	}
}

/* A server in the middle of a message is not handed out: the rest would be taken for the next client's. */
static void idle_servers_half_said(void **state)
{
	struct sim *s = sim_begin(4, one_server);
	struct sim_client *c = sim_client(s);

	(void)state;
	sim_works(c);
	sim_leave(c);
	peer_say(&fakepg_conn(&s->pg, 0)->p, "A\0\0\0\13\0\0", 7);
	sim_settle(s);
	c = sim_client(s);
	sim_query(c, "SELECT 1");
	sim_settle(s);
	if (s->pg.n == 1)
		peer_say(&fakepg_conn(&s->pg, 0)->p, "\0\1c\0p\0", 5);
	sim_expect(c, "CZ");
	sim_free(s);
}

/* ---- connect_query ---- */

static void with_connect_query(struct sim *s)
{
	s->target.pool_size = 1;
	s->target.connect_query = mem_strdup("SET ROLE x");
	s->target.login_parallel = 1;
}

static void connect_queries(void **state)
{
	struct sim *s = sim_begin(4, with_connect_query);
	struct sim_client *c = sim_client(s);

	(void)state;
	sim_works(c);
	assert_string_equal(fakepg_log(fakepg_conn(&s->pg, 0)), "Q:SET ROLE x;Q:SELECT 1;");
	sim_free(s);
}

static void changing_connect_query(struct sim *s)
{
	s->target.connect_query = mem_strdup("PARAM TimeZone Mars/Phobos");
}

/* What it changes is what the client is welcomed with. */
static void connect_queries_change_parameters(void **state)
{
	struct sim *s = sim_begin(4, changing_connect_query);
	struct sim_client *c = sim_client(s);

	(void)state;
	assert_string_equal(params_get(&c->params, "TimeZone"), "Mars/Phobos");
	sim_free(s);
}

static void connect_queries_that_fail(void **state)
{
	(void)state;
	for (int way = 0; way < 3; way++) {
		struct sim *s = sim_begin(4, with_connect_query);
		struct sim_client *c;

		s->pg.mute = true;
		c = sim_login(s, "joe", NULL);
		sim_settle(s);
		assert_string_equal(fakepg_log(fakepg_conn(&s->pg, 0)), "Q:SET ROLE x;");
		if (way == 0)
			sim_answer(s, "EZ");
		else if (way == 1)
			fakepg_close(fakepg_conn(&s->pg, 0));
		else
			sim_pass(s, 11 * SEC);
		sim_settle(s);
		assert_true(sim_closed(c));
		assert_string_equal(c->severity, "FATAL");
		/* and the pool lives on */
		s->pg.mute = false;
		sim_pass(s, 2 * SEC);
		sim_works(sim_client(s));
		sim_free(s);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pool_size_holds_under_many_clients),
		cmocka_unit_test(logins_keep_to_their_rate),
		cmocka_unit_test(waiting_for_a_server_has_an_end),
		cmocka_unit_test(waiting_for_a_login_has_an_end),
		cmocka_unit_test(gone_while_waiting),
		cmocka_unit_test(connections_kept_ready),
		cmocka_unit_test(connections_kept_ready_come_back),
		cmocka_unit_test(connections_kept_ready_may_be_idle),
		cmocka_unit_test(idle_servers_speak),
		cmocka_unit_test(idle_servers_die),
		cmocka_unit_test(idle_servers_half_said),
		cmocka_unit_test(connect_queries),
		cmocka_unit_test(connect_queries_change_parameters),
		cmocka_unit_test(connect_queries_that_fail),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
