/* Limits across pools: who has to wait, who makes room, and for whom; how many pools and clients there may be. */
#include "sim.h"

static void one_connection(struct sim *s)
{
	s->target.max_db_connections = 1;
}

/* Welcomed, and too silent to keep the connection that was opened for it if others wait. */
static struct sim_client *silent_client(struct sim *s, const char *user)
{
	struct sim_client *c = sim_login(s, user, NULL);

	sim_pass(s, 120 * MS);
	sim_expect(c, "RSKZ");
	return c;
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

/* Where everybody who comes logs in for a welcome, nobody's connection is closed before the first query it was opened for. */
static void who_is_let_in_has_the_first_query(void **state)
{
	static const char *const users[] = {"ann", "bob", "cid"};
	struct sim *s = sim_begin(4, one_connection);
	struct sim_client *c[3];

	(void)state;
	for (int i = 0; i < 3; i++)
		c[i] = sim_login(s, users[i], NULL);
	for (int i = 0; i < 3; i++) {
		sim_expect(c[i], "RSKZ");
		sim_pass(s, 40 * MS);
		sim_works(c[i]);
		sim_leave(c[i]);
	}
	assert_int_equal(s->pg.n, 3);
	sim_free(s);
}

/* Who then says nothing makes room after a moment. */
static void who_is_let_in_and_is_silent_makes_room(void **state)
{
	struct sim *s = sim_begin(4, one_connection);
	struct sim_client *bob;

	(void)state;
	sim_client_as(s, "ann");
	bob = sim_login(s, "bob", NULL);
	sim_pass(s, 45 * MS);
	sim_expect(bob, "");
	sim_pass(s, 70 * MS);
	sim_expect(bob, "RSKZ");
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
		c[i] = silent_client(s, users[i]);
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
	struct sim_client *a = silent_client(s, "ann"), *b = silent_client(s, "bob"), *next;
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
	struct sim_client *ann[4], *bob = silent_client(s, "bob");
	unsigned logins;

	(void)state;
	for (int i = 0; i < 4; i++)
		ann[i] = silent_client(s, "ann");
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

/* Whose turn it was keeps what he has logged in, although somebody with many pools waits for longer. */
static void a_turn_is_not_given_up(void **state)
{
	static const char *const zones[] = {"UTC", "EET", "CET", "MET"};
	struct sim *s = sim_begin(5, one_connection);
	struct sim_client *ann[4], *bob = silent_client(s, "bob");
	unsigned logins;

	(void)state;
	for (int i = 0; i < 4; i++) {
		ann[i] = sim_login(s, "ann", (const char *const[]){"TimeZone", zones[i], NULL});
		sim_pass(s, 120 * MS);
		sim_expect(ann[i], "RSKZ");
	}
	sim_works(ann[0]);
	logins = s->pg.n;
	for (int i = 1; i < 4; i++)
		sim_query(ann[i], "SELECT 1");
	sim_pass(s, 100 * MS);
	sim_query(bob, "SELECT 1");
	sim_pass(s, 2 * SEC);
	sim_leave(ann[0]);
	sim_expect(ann[1], "CZ"); /* came first */
	sim_pass(s, 2 * SEC);
	sim_leave(ann[1]);
	sim_expect(bob, "CZ");
	assert_int_equal(s->pg.n, logins + 2);
	sim_free(s);
}

static void one_login_at_a_time(struct sim *s)
{
	s->target.max_db_connections = 2;
	s->target.login_parallel = 1;
}

/* Nothing is given up before the login it is given up for may begin: nobody would have it meanwhile. */
static void nothing_is_given_up_while_logins_pause(void **state)
{
	struct sim *s = sim_begin(5, one_login_at_a_time);
	struct sim_client *bob = silent_client(s, "bob"), *ann[2];

	(void)state;
	for (int i = 0; i < 2; i++)
		ann[i] = silent_client(s, "ann");
	sim_works(ann[0]);
	s->pg.silent_at = FAKEPG_STARTUP;
	sim_login(s, "cid", NULL);
	sim_settle(s);
	s->pg.silent_at = FAKEPG_NEVER;
	sim_query(bob, "SELECT 1");
	sim_pass(s, 2 * SEC);
	sim_query(ann[1], "SELECT 1");
	sim_pass(s, 100 * MS);
	sim_leave(ann[0]);
	sim_expect(ann[1], "CZ");
	sim_expect(bob, "");
	sim_pass(s, s->target.server_connect_timeout_us);
	sim_expect(bob, "CZ");
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
		ann[i] = silent_client(s, "ann");
		bob[i] = silent_client(s, "bob");
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
	struct sim_client *a = silent_client(s, "ann"), *b = silent_client(s, "bob");

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
	struct sim_client *a = silent_client(s, "ann");

	(void)state;
	silent_client(s, "bob");
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(somebody_elses_idle_server_makes_room),
		cmocka_unit_test(a_server_that_becomes_idle_makes_room),
		cmocka_unit_test(who_is_let_in_has_the_first_query),
		cmocka_unit_test(who_is_let_in_and_is_silent_makes_room),
		cmocka_unit_test(a_server_somebody_waits_for_makes_no_room),
		cmocka_unit_test(a_busy_pool_shares),
		cmocka_unit_test(a_busy_pool_does_not_share_with_itself),
		cmocka_unit_test(a_pool_alone_gives_up_nothing),
		cmocka_unit_test(a_turn_is_not_given_up),
		cmocka_unit_test(nothing_is_given_up_while_logins_pause),
		cmocka_unit_test(who_gave_up_does_not_wait),
		cmocka_unit_test(what_is_kept_ready_makes_no_room),
		cmocka_unit_test(what_is_kept_ready_waits_for_room),
		cmocka_unit_test(the_longest_idle_goes_first),
		cmocka_unit_test(pools_are_few),
		cmocka_unit_test(clients_are_few),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
