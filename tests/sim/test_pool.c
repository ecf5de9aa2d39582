/* Pools: sizes, order, limits across pools, and servers that speak or die while nobody looks. */
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

/* ---- limits across pools ---- */

static void one_connection(struct sim *s)
{
	s->target.max_db_connections = 1;
}

static void somebody_elses_idle_server_makes_room(void **state)
{
	struct sim *s = sim_begin(4, one_connection);
	struct sim_client *a = sim_client_as(s, "ann"), *b;

	(void)state;
	sim_works(a);
	sim_leave(a);
	sim_assert_servers(s, 1, 0);
	b = sim_client_as(s, "bob");
	sim_works(b);
	sim_assert_servers(s, 0, 1);
	assert_int_equal(s->pg.n, 2);
	assert_string_equal(fakepg_conn(&s->pg, 0)->user, "bob");
	sim_free(s);
}

static void a_server_that_becomes_idle_makes_room(void **state)
{
	struct sim *s = sim_begin(4, one_connection);
	struct sim_client *a = sim_client_as(s, "ann"), *b;

	(void)state;
	sim_works(a);
	b = sim_login(s, "bob", NULL);
	sim_pass(s, 1 * SEC);
	sim_expect(b, "");
	sim_leave(a);
	sim_expect(b, "RSKZ");
	sim_works(b);
	sim_assert_servers(s, 0, 1);
	sim_free(s);
}

/* Who waits for one that is ready is served before it makes room: else nobody ever was. */
static void a_server_somebody_waits_for_makes_no_room(void **state)
{
	static const char *const users[] = {"ann", "bob", "cid"};
	struct sim *s = sim_begin(4, one_connection);
	struct sim_client *c[3];
	unsigned n;

	(void)state;
	for (int i = 0; i < 3; i++)
		c[i] = sim_client_as(s, users[i]);
	n = s->pg.n;
	for (int i = 0; i < 3; i++)
		sim_query(c[i], "SELECT 1");
	for (int served = 0; served < 3; served++) {
		int i = 0;

		sim_settle(s);
		while (i < 3 && (!c[i] || c[i]->said_n == 0))
			i++;
		assert_int_not_equal(i, 3);
		sim_expect(c[i], "CZ");
		sim_leave(c[i]);
		c[i] = NULL;
	}
	assert_in_range(s->pg.n, n + 2, n + 3);
	sim_free(s);
}

/* Somebody whose clients come and go all the time does not keep the others away. */
static void a_busy_pool_shares(void **state)
{
	struct sim *s = sim_begin(4, one_connection);
	struct sim_client *a = sim_client_as(s, "ann"), *b = sim_client_as(s, "bob"), *next;
	unsigned sessions = 0, logins;

	(void)state;
	sim_works(a);
	logins = s->pg.n;
	sim_query(b, "SELECT 1");
	while (sessions < 100) {
		next = sim_client_as(s, "ann");
		sim_query(next, "SELECT 1");
		sim_pass(s, 100 * MS);
		sim_leave(a);
		sim_settle(s);
		if (b->said_n > 0)
			break;
		a = next;
		sim_expect(a, "CZ");
		sessions++;
	}
	sim_expect(b, "CZ");
	assert_in_range(sessions, 9, 11); /* a second */
	assert_int_equal(s->pg.n, logins + 1);
	/* and back: who came first is first */
	sim_pass(s, 1 * SEC);
	sim_leave(b);
	sim_expect(next, "CZ");
	assert_int_equal(s->pg.n, logins + 2);
	sim_free(s);
}

/* What it gives up for others does not come back to it at once, although it has asked for more before they did. */
static void a_busy_pool_does_not_share_with_itself(void **state)
{
	struct sim *s = sim_begin(5, one_connection);
	struct sim_client *ann[4], *bob = sim_client_as(s, "bob");
	unsigned logins;

	(void)state;
	for (int i = 0; i < 4; i++)
		ann[i] = sim_client_as(s, "ann");
	sim_works(ann[0]);
	logins = s->pg.n;
	sim_query(ann[1], "SELECT 1");
	sim_pass(s, 100 * MS);
	sim_query(bob, "SELECT 1");
	sim_pass(s, 100 * MS);
	for (int i = 2; i < 4; i++)
		sim_query(ann[i], "SELECT 1"); /* so that ann always wants one more */
	sim_pass(s, 1 * SEC);
	sim_leave(ann[0]);
	sim_expect(ann[1], "CZ"); /* came first */
	sim_leave(ann[1]);
	sim_expect(bob, "CZ");
	sim_expect(ann[2], "");
	assert_int_equal(s->pg.n, logins + 1);
	sim_free(s);
}

static void two_connections(struct sim *s)
{
	s->target.max_db_connections = 2;
}

/* Nor does it give up anything for somebody of its own, if several get free at once. */
static void a_pool_alone_gives_up_nothing(void **state)
{
	struct sim *s = sim_begin(5, two_connections);
	struct sim_client *ann[5];
	unsigned logins;

	(void)state;
	for (int i = 0; i < 5; i++) {
		ann[i] = sim_client_as(s, "ann");
		sim_query(ann[i], "SELECT 1");
		sim_pass(s, 1 * SEC);
	}
	logins = s->pg.n;
	for (int i = 0; i < 2; i++)
		sim_expect(ann[i], "CZ");
	for (int i = 0; i < 2; i++)
		sim_say(ann[i], "X");
	for (int i = 2; i < 4; i++)
		sim_expect(ann[i], "CZ");
	assert_int_equal(s->pg.n, logins);
	sim_free(s);
}

static void one_connection_and_little_patience(struct sim *s)
{
	s->target.max_db_connections = 1;
	s->target.query_wait_timeout_us = 1500 * MS;
}

/* Whoever has given up leaves the time he waited to nobody. */
static void who_gave_up_does_not_wait(void **state)
{
	struct sim *s = sim_begin(5, one_connection_and_little_patience);
	struct sim_client *ann[2], *bob[2];

	(void)state;
	for (int i = 0; i < 2; i++) {
		ann[i] = sim_client_as(s, "ann");
		bob[i] = sim_client_as(s, "bob");
	}
	sim_works(ann[0]);
	sim_query(bob[0], "SELECT 1");
	sim_pass(s, 1 * SEC);
	sim_query(ann[1], "SELECT 1");
	sim_pass(s, 100 * MS);
	sim_query(bob[1], "SELECT 1");
	sim_settle(s);
	sim_pass(s, 1100 * MS);
	assert_string_equal(bob[0]->sqlstate, "08006");
	sim_leave(ann[0]);
	sim_expect(bob[1], "");
	sim_expect(ann[1], "CZ");
	sim_leave(ann[1]);
	sim_expect(bob[1], "CZ");
	sim_free(s);
}

static void one_connection_and_one_ready(struct sim *s)
{
	s->target.max_db_connections = s->target.min_pool_size = 1;
}

/* Two pools would take it from each other for ever. */
static void what_is_kept_ready_makes_no_room(void **state)
{
	struct sim *s = sim_begin(4, one_connection_and_one_ready);
	struct sim_client *a = sim_client_as(s, "ann"), *b = sim_client_as(s, "bob");

	(void)state;
	sim_pass(s, 60 * SEC);
	assert_int_equal(s->pg.n, 2);
	sim_works(a);
	assert_int_equal(s->pg.n, 3);
	sim_leave(a);
	/* nobody of ann's is there any more, but her server is, until somebody needs the place */
	sim_works(b);
	assert_int_equal(s->pg.n, 4);
	sim_free(s);
}

/* And it comes when there is room. */
static void what_is_kept_ready_waits_for_room(void **state)
{
	struct sim *s = sim_begin(4, one_connection_and_one_ready);
	struct sim_client *a = sim_client_as(s, "ann");

	(void)state;
	sim_client_as(s, "bob");
	sim_works(a);
	assert_int_equal(s->pg.n, 3);
	fakepg_close(fakepg_conn(&s->pg, 0));
	sim_pass(s, 1 * SEC);
	assert_int_equal(s->pg.n, 4);
	sim_assert_servers(s, 1, 0);
	sim_free(s);
}

static void the_longest_idle_goes_first(void **state)
{
	struct sim *s = sim_begin(4, two_connections);
	struct sim_client *a = sim_client_as(s, "ann"), *b = sim_client_as(s, "bob");

	(void)state;
	sim_works(a);
	sim_works(b);
	sim_leave(b);
	sim_pass(s, 1 * SEC);
	sim_leave(a);
	sim_works(sim_client_as(s, "cid"));
	assert_string_equal(fakepg_conn(&s->pg, 0)->user, "ann");
	assert_string_equal(fakepg_conn(&s->pg, 1)->user, "cid");
	sim_free(s);
}

static void few_pools(struct sim *s)
{
	s->opts.max_pools = 2;
}

static void pools_are_few(void **state)
{
	struct sim *s = sim_begin(4, few_pools);
	struct sim_client *a = sim_client_as(s, "ann"), *b = sim_client_as(s, "bob");

	(void)state;
	sim_expect_fatal(sim_login(s, "cid", NULL), "53300", "max_pools");
	sim_leave(b);
	/* a pool nobody names makes room, its idle server with it */
	sim_works(sim_client_as(s, "cid"));
	sim_works(a);
	sim_expect_fatal(sim_login(s, "bob", NULL), "53300", "max_pools");
	sim_free(s);
}

static void few_clients(struct sim *s)
{
	s->opts.max_client_conn = 3;
	s->opts.max_logins = 64;
}

static void clients_are_few(void **state)
{
	struct sim *s = sim_begin(4, few_clients);

	(void)state;
	for (int i = 0; i < 3; i++)
		sim_client(s);
	sim_expect_fatal(sim_login(s, "joe", NULL), "53300", "max_client_conn");
	sim_leave(s->clients[0]);
	sim_works(sim_client(s));
	/* who has said nothing yet does not count, up to a point */
	for (int i = 0; i < 100; i++)
		sim_connect(s);
	sim_settle(s);
	assert_int_equal(sim_stats(s)->clients, 3 + 64);
	assert_string_equal(s->clients[s->n - 100]->sqlstate, "53300"); /* the oldest of them */
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
		cmocka_unit_test(gone_while_waiting),
		cmocka_unit_test(connections_kept_ready),
		cmocka_unit_test(connections_kept_ready_may_be_idle),
		cmocka_unit_test(somebody_elses_idle_server_makes_room),
		cmocka_unit_test(a_server_that_becomes_idle_makes_room),
		cmocka_unit_test(a_server_somebody_waits_for_makes_no_room),
		cmocka_unit_test(a_busy_pool_shares),
		cmocka_unit_test(a_busy_pool_does_not_share_with_itself),
		cmocka_unit_test(a_pool_alone_gives_up_nothing),
		cmocka_unit_test(who_gave_up_does_not_wait),
		cmocka_unit_test(what_is_kept_ready_makes_no_room),
		cmocka_unit_test(what_is_kept_ready_waits_for_room),
		cmocka_unit_test(the_longest_idle_goes_first),
		cmocka_unit_test(pools_are_few),
		cmocka_unit_test(clients_are_few),
		cmocka_unit_test(idle_servers_speak),
		cmocka_unit_test(idle_servers_die),
		cmocka_unit_test(idle_servers_half_said),
		cmocka_unit_test(connect_queries),
		cmocka_unit_test(connect_queries_change_parameters),
		cmocka_unit_test(connect_queries_that_fail),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
