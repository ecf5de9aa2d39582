/* proxy_stop, whatever a client or a server is doing. Whoever is between transactions goes at once, others when theirs
 * ends, all when the grace is over; each is told 57P01. */
#include "sim.h"
#include "base/mem.h"

#define GRACE (30 * SEC)

static void on_stopped(void *arg)
{
	struct sim *s = arg;

	assert_false(s->stopped);
	s->stopped = true;
}

static void stop(struct sim *s)
{
	proxy_stop(s->proxy, GRACE, on_stopped, s);
	sim_settle(s);
}

static void expect_stopped(struct sim *s)
{
	sim_settle(s);
	assert_true(s->stopped);
	assert_int_equal(fakepg_open(&s->pg), 0);
	assert_int_equal(sim_stats(s)->clients, 0);
}

/* The same, and there is nothing left but to go. */
static void expect_end(struct sim *s)
{
	expect_stopped(s);
	sim_free(s);
}

static void expect_told(struct sim_client *c)
{
	sim_expect_fatal(c, "57P01", "terminating connection due to administrator command");
}

static void expect_told_and_end(struct sim_client *c)
{
	expect_told(c);
	expect_end(c->sim);
}

static void nothing_going_on(void **state)
{
	struct sim *s = sim_begin(2, NULL);

	(void)state;
	stop(s);
	expect_end(s);
}

/* A COPY failed, and perhaps one more ReadyForQuery is to come, which asks nobody to wait for it. */
static void after_a_failed_copy(void **state)
{
	struct sim *s = sim_begin(2, NULL);
	struct sim_client *c = sim_client(s);

	(void)state;
	s->pg.mute = true;
	sim_say(c, "QS");
	sim_settle(s);
	sim_answer(s, "GEZ");
	sim_expect(c, "GEZ");
	stop(s);
	expect_told_and_end(c);
}

static void clients_without_a_query(void **state)
{
	struct sim *s = sim_begin(2, NULL);
	struct sim_client *silent = sim_connect(s), *idle = sim_client(s), *linked = sim_client(s), *late;

	(void)state;
	sim_works(linked);
	stop(s);
	expect_told(silent);
	expect_told(idle);
	expect_told(linked);
	expect_stopped(s);
	late = sim_connect(s);
	sim_settle(s);
	assert_true(sim_closed(late));
	sim_free(s);
}

static void in_a_query(void **state)
{
	struct sim *s = sim_begin(2, NULL);
	struct sim_client *c = sim_hanging(s);

	(void)state;
	stop(s);
	sim_pass(s, 20 * SEC);
	sim_expect(c, "");
	assert_false(s->stopped);
	sim_answer(s, "CZ");
	sim_settle(s);
	assert_string_equal(c->said, "CZE");
	expect_told_and_end(c);
}

static void in_a_transaction(void **state)
{
	struct sim *s = sim_begin(2, NULL);
	struct sim_client *c = sim_client(s);

	(void)state;
	sim_query(c, "BEGIN");
	sim_expect(c, "CZ");
	stop(s);
	sim_pass(s, 10 * SEC);
	sim_works(c);
	assert_false(s->stopped);
	sim_query(c, "COMMIT");
	sim_settle(s);
	assert_string_equal(c->said, "CZE");
	expect_told_and_end(c);
}

static void in_an_open_batch(void **state)
{
	struct sim *s = sim_begin(2, NULL);
	struct sim_client *c = sim_client(s);

	(void)state;
	sim_say(c, "PBEH");
	sim_expect(c, "12C");
	stop(s);
	sim_expect(c, "");
	assert_false(s->stopped);
	sim_say(c, "S");
	sim_settle(s);
	assert_string_equal(c->said, "ZE");
	expect_told_and_end(c);
}

static void until_the_grace_is_over(void **state)
{
	struct sim *s = sim_begin(2, NULL);
	struct sim_client *query = sim_client(s), *tx = sim_client(s), *waits = sim_client(s);

	(void)state;
	sim_query(query, "HANG");
	sim_query(tx, "BEGIN");
	sim_settle(s);
	sim_query(waits, "SELECT 1");
	sim_settle(s);
	tx->said_n = 0;
	stop(s);
	sim_pass(s, 29 * SEC);
	assert_false(s->stopped);
	sim_expect(query, "");
	sim_expect(waits, "");
	sim_pass(s, 2 * SEC);
	expect_told(query);
	expect_told(tx);
	expect_told(waits);
	expect_end(s);
}

static void a_second_call_is_for_the_impatient(void **state)
{
	struct sim *s = sim_begin(2, NULL);
	struct sim_client *c = sim_hanging(s);

	(void)state;
	stop(s);
	sim_pass(s, 1 * SEC);
	proxy_stop(s->proxy, 0, on_stopped, s);
	sim_pass(s, 1 * SEC);
	expect_told_and_end(c);
}

static void one_server(struct sim *s)
{
	s->target.pool_size = 1;
}

/* It has sent a query and waits for a server: that is served yet. */
static void waiting_for_a_server(void **state)
{
	struct sim *s = sim_begin(2, one_server);
	struct sim_client *a = sim_client(s), *b = sim_client(s);

	(void)state;
	sim_query(a, "HANG");
	sim_settle(s);
	sim_query(b, "SELECT 1");
	sim_settle(s);
	stop(s);
	sim_answer(s, "CZ");
	sim_pass(s, 1 * SEC);
	assert_string_equal(a->said, "CZE");
	assert_string_equal(b->said, "CZE");
	assert_int_equal(s->pg.n, 1); /* the same server */
	expect_told(b);
	expect_end(s);
}

/* The same while logins are under way for them: those are not given up, to be begun again and again. */
static void waiting_for_logins(void **state)
{
	struct sim *s = sim_begin(2, NULL);
	struct sim_client *c[3];

	(void)state;
	for (int i = 0; i < 3; i++)
		c[i] = sim_client(s);
	sim_pass(s, 10 * SEC);
	fakepg_close(fakepg_conn(&s->pg, 0));
	sim_settle(s);
	s->pg.accepts = false;
	for (int i = 0; i < 3; i++)
		sim_query(c[i], "SELECT 1");
	sim_settle(s);
	stop(s);
	s->pg.accepts = true;
	sim_settle(s);
	for (int i = 0; i < 3; i++) {
		assert_string_equal(c[i]->said, "CZE");
		expect_told(c[i]);
	}
	assert_in_range(s->pg.n, 2, 4);
	expect_end(s);
}

/* And one that fails is not waited for. */
static void waiting_for_a_login_that_fails(void **state)
{
	static const char *const states[] = {"57P03", "53300", "28P01"};

	(void)state;
	for (size_t i = 0; i < sizeof(states) / sizeof(*states); i++) {
		struct sim *s = sim_begin(2, NULL);
		struct sim_client *c = sim_client(s);

		sim_pass(s, 10 * SEC);
		fakepg_close(fakepg_conn(&s->pg, 0));
		sim_settle(s);
		s->pg.accepts = false;
		sim_query(c, "SELECT 1");
		sim_settle(s);
		stop(s);
		sim_expect(c, "");
		s->pg.accepts = true;
		s->pg.error_at = FAKEPG_STARTUP;
		s->pg.sqlstate = states[i];
		sim_expect_fatal(c, states[i], "the test says no");
		expect_end(s);
	}
}

/* The same where logins fail, although waiting might mend that: nobody waits for it now. */
static void waiting_for_a_server_that_is_away(void **state)
{
	struct sim *s = sim_begin(2, NULL);
	struct sim_client *c = sim_client(s);

	(void)state;
	s->pg.error_at = FAKEPG_STARTUP;
	s->pg.sqlstate = "57P03";
	fakepg_close(fakepg_conn(&s->pg, 0));
	sim_settle(s);
	sim_query(c, "SELECT 1");
	sim_settle(s);
	sim_expect(c, "");
	stop(s);
	expect_told_and_end(c);
}

static void while_logging_in(void **state)
{
	static const enum fakepg_step steps[] = {FAKEPG_ACCEPT, FAKEPG_STARTUP, FAKEPG_AUTH_OK, FAKEPG_KEY};

	(void)state;
	for (size_t i = 0; i < 4; i++) {
		struct sim *s = sim_begin(2, NULL);
		struct sim_client *c;

		s->pg.silent_at = steps[i];
		c = sim_login(s, "joe", NULL);
		sim_settle(s);
		stop(s);
		expect_told_and_end(c); /* nobody wants the server any more */
	}
}

static void kept_ready(struct sim *s)
{
	s->target.min_pool_size = 2;
	s->target.user = mem_strdup("joe");
}

static void with_connections_kept_ready(void **state)
{
	struct sim *s = sim_begin(2, kept_ready);
	struct sim_client *c = sim_hanging(s);

	(void)state;
	assert_int_equal(s->pg.n, 2);
	stop(s);
	sim_pass(s, 5 * SEC);
	/* the idle one is closed and no new one is made */
	assert_int_equal(fakepg_open(&s->pg), 1);
	assert_int_equal(s->pg.n, 2);
	sim_answer(s, "CZ");
	sim_pass(s, 1 * SEC);
	expect_told_and_end(c);
}

static void kept_ready_slowly(struct sim *s)
{
	kept_ready(s);
	s->target.login_rate = s->target.login_rate_max = 1;
}

/* Nor is one made that was asked for before, and whose turn comes now. */
static void with_connections_to_be_kept_ready(void **state)
{
	struct sim *s = sim_begin(2, kept_ready_slowly);
	struct sim_client *c = sim_hanging(s);

	(void)state;
	assert_int_equal(s->pg.n, 1);
	stop(s);
	sim_pass(s, 5 * SEC);
	assert_int_equal(s->pg.n, 1);
	sim_answer(s, "CZ");
	expect_told_and_end(c);
}

static void servers_on_their_way_to_idle(void **state)
{
	(void)state;
	for (int tx = 0; tx < 2; tx++) {
		struct sim *s = sim_begin(2, NULL);
		struct sim_client *c = sim_client(s);

		sim_query(c, tx ? "BEGIN" : "SELECT 1");
		sim_settle(s);
		s->pg.mute = true; /* ROLLBACK or reset takes its time */
		sim_say(c, "X");
		sim_settle(s);
		stop(s);
		assert_false(s->stopped);
		s->pg.mute = false;
		fakepg_conn(&s->pg, 0)->tx = 'I';
		sim_answer(s, "CZ");
		sim_pass(s, 1 * SEC);
		expect_end(s);
	}
}

static void a_query_nobody_waits_for(void **state)
{
	struct sim *s = sim_begin(2, NULL);
	struct sim_client *c = sim_hanging(s);

	(void)state;
	sim_vanish(c);
	sim_settle(s);
	stop(s);
	sim_pass(s, 20 * SEC);
	expect_end(s);
}

static void with_a_cancel_under_way(void **state)
{
	struct sim *s = sim_begin(2, NULL);
	struct sim_client *c = sim_hanging(s), *k;

	(void)state;
	s->pg.hold_cancel = true;
	k = sim_cancel(s, c);
	sim_settle(s);
	stop(s);
	assert_false(sim_closed(k));
	sim_pass(s, 12 * SEC);
	assert_true(sim_closed(k));
	sim_answer(s, "EZ");
	sim_pass(s, 1 * SEC);
	expect_told_and_end(c);
}

static void with_a_cancel_at_the_end_of_the_grace(void **state)
{
	struct sim *s = sim_begin(2, NULL);
	struct sim_client *c = sim_hanging(s), *k;

	(void)state;
	stop(s);
	sim_pass(s, 29 * SEC);
	s->pg.hold_cancel = true;
	k = sim_cancel(s, c);
	sim_settle(s);
	sim_pass(s, 2 * SEC);
	expect_told(c);
	assert_true(sim_closed(k));
	expect_end(s);
}

/* A client that does not take its last words has five seconds. */
static void a_client_that_does_not_read(void **state)
{
	struct sim *s = sim_begin(2, NULL);
	struct sim_client *c = sim_client(s);

	(void)state;
	sim_query(c, "ROWS 100000 100");
	c->p.deaf = true;
	sim_settle(s);
	stop(s);
	sim_pass(s, 31 * SEC);
	sim_pass(s, 6 * SEC);
	expect_end(s);
}

static void in_a_tls_handshake(void **state)
{
	struct sim *s = sim_new();
	struct sim_client *c;
	struct err e;
	struct tls_live *tls = tls_live_new(tls_server_ctx_new(&(struct tls_opts){.host_name = "localhost"}, &e));

	(void)state;
	s->opts.client_tls = tls;
	sim_start(s);
	c = sim_connect(s);
	assert_int_equal(sim_request(c, SIM_SSL_REQUEST), 'S');
	stop(s);
	assert_true(sim_closed(c));
	expect_end(s);
	tls_live_unref(tls);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(after_a_failed_copy),
		cmocka_unit_test(nothing_going_on),
		cmocka_unit_test(clients_without_a_query),
		cmocka_unit_test(in_a_query),
		cmocka_unit_test(in_a_transaction),
		cmocka_unit_test(in_an_open_batch),
		cmocka_unit_test(until_the_grace_is_over),
		cmocka_unit_test(a_second_call_is_for_the_impatient),
		cmocka_unit_test(waiting_for_a_server),
		cmocka_unit_test(waiting_for_logins),
		cmocka_unit_test(waiting_for_a_login_that_fails),
		cmocka_unit_test(waiting_for_a_server_that_is_away),
		cmocka_unit_test(while_logging_in),
		cmocka_unit_test(with_connections_kept_ready),
		cmocka_unit_test(with_connections_to_be_kept_ready),
		cmocka_unit_test(servers_on_their_way_to_idle),
		cmocka_unit_test(a_query_nobody_waits_for),
		cmocka_unit_test(with_a_cancel_under_way),
		cmocka_unit_test(with_a_cancel_at_the_end_of_the_grace),
		cmocka_unit_test(a_client_that_does_not_read),
		cmocka_unit_test(in_a_tls_handshake),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
