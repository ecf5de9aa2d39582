/* CancelRequests: delivered to the right server or nowhere, and never to whoever has it next (pitfalls 9, 50, 51). */
#include <unistd.h>
#include "sim.h"
#include "base/mem.h"

static void a_query_is_cancelled(void **state)
{
	struct sim *s = sim_begin(1, NULL);
	struct sim_client *c = sim_hanging(s), *k = sim_cancel(s, c);

	(void)state;
	sim_settle(s);
	assert_int_equal(s->pg.cancels, 1);
	assert_int_equal(s->pg.cancel_pid, sim_server(s)->pid);
	assert_true(slice_eq_str(buf_slice(&s->pg.cancel_key), "kkkk"));
	/* the answer to a CancelRequest is that the connection is closed, and nothing else */
	assert_true(sim_closed(k));
	sim_expect(k, "");
	sim_answer(s, "EZ");
	sim_expect(c, "EZ");
	sim_works(c);
	assert_int_equal(sim_db(s)->cancels_received, 1);
	assert_int_equal(sim_db(s)->cancels_sent, 1);
	sim_free(s);
}

/* The first one stands behind a SET of pgiam's own, whose answer is still on its way. */
static void a_first_query_is_cancelled(void **state)
{
	static const char *const more[] = {"application_name", "x", NULL};
	struct sim *s = sim_begin(1, NULL);
	struct sim_client *c = sim_login(s, "joe", more);

	(void)state;
	sim_expect(c, "RSKZ");
	s->pg.mute = true;
	sim_query(c, "SELECT 1");
	sim_settle(s);
	sim_cancel(s, c);
	sim_settle(s);
	assert_int_equal(s->pg.cancels, 1);
	sim_answer(s, "CZEZ");
	sim_expect(c, "EZ");
	sim_free(s);
}

/* The server does not close a CancelRequest's connection by itself: it may strike at any time. */
static void held(struct sim *s)
{
	s->pg.hold_cancel = true;
}

/* A world in which the server holds the cancel of c's query, and next has a query for the same connection. */
static struct sim *begin_held(struct sim_client **c, struct sim_client **next)
{
	struct sim *s = sim_begin(1, held);

	*c = sim_hanging(s);
	*next = sim_client(s);
	sim_cancel(s, *c);
	sim_settle(s);
	sim_query(*next, "SELECT 1");
	return s;
}

/* The client that cancels is not told before the server is: when its connection closes, the cancel is through. */
static void the_asker_waits_until_it_is_through(void **state)
{
	struct sim *s = sim_begin(1, held);
	struct sim_client *c = sim_hanging(s), *k;

	(void)state;
	k = sim_cancel(s, c);
	sim_pass(s, 5 * SEC);
	assert_int_equal(s->pg.cancels, 1);
	assert_false(sim_closed(k));
	fakepg_close(s->pg.conns[1]);
	sim_settle(s);
	assert_true(sim_closed(k));
	sim_free(s);
}

/* The server cannot be reached any more: nobody is held up by a cancel that was never sent, and the server itself serves on. */
static void nowhere_to_send_it(void **state)
{
	struct sim *s = sim_begin(1, NULL);
	struct sim_client *c = sim_hanging(s), *k;
	char *socket_file = mem_printf("%s/.s.PGSQL.5432", s->pg.dir);

	(void)state;
	unlink(socket_file);
	k = sim_cancel(s, c);
	sim_settle(s);
	assert_true(sim_closed(k));
	assert_int_equal(s->pg.cancels, 0);
	assert_int_equal(sim_db(s)->cancels_sent, 0);
	assert_true(sim_logged(s, "cancel request not delivered"));
	sim_answer(s, "CZ");
	sim_expect(c, "CZ");
	sim_leave(c);
	sim_assert_servers(s, 1, 0);
	free(socket_file);
	sim_free(s);
}

static void but_not_for_ever(void **state)
{
	struct sim *s = sim_begin(1, held);
	struct sim_client *c = sim_hanging(s), *k;

	(void)state;
	k = sim_cancel(s, c);
	sim_pass(s, 11 * SEC);
	assert_true(sim_closed(k));
	assert_false(sim_closed(c));
	sim_free(s);
}

/* Pitfall 50: the next client would have its query cancelled. */
static void the_server_is_held_back(void **state)
{
	struct sim_client *c, *next;
	struct sim *s = begin_held(&c, &next);

	(void)state;
	sim_answer(s, "EZ");
	sim_expect(c, "EZ");
	sim_say(c, "X");
	fakepg_log(sim_server(s));
	sim_pass(s, 3 * SEC);
	/* not even the reset: it could be what is cancelled */
	assert_string_equal(fakepg_log(sim_server(s)), "");
	assert_int_equal(sim_db(s)->sv_used, 1);
	sim_expect(next, "");
	fakepg_close(s->pg.conns[1]);
	sim_expect(next, "CZ");
	assert_string_equal(fakepg_log(sim_server(s)), "Q:DISCARD ALL;Q:SELECT 1;");
	sim_free(s);
}

static void or_given_up(void **state)
{
	struct sim_client *c, *next;
	struct sim *s = begin_held(&c, &next);

	(void)state;
	sim_answer(s, "EZ");
	sim_settle(s);
	sim_say(c, "X");
	sim_pass(s, 25 * SEC);
	sim_expect(next, "CZ");
	sim_free(s);
}

/* The time for a cancel is over, but the server has it, or may have it: it can strike whenever it likes, so that nobody
 * else may have this connection. */
static void a_cancel_that_was_not_confirmed(void **state)
{
	struct sim *s = sim_begin(1, held);
	struct sim_client *c = sim_hanging(s), *next = sim_client(s);

	(void)state;
	sim_cancel(s, c);
	sim_settle(s);
	sim_answer(s, "CZ");
	sim_expect(c, "CZ");
	sim_pass(s, 11 * SEC);
	sim_works(c); /* it was for this client */
	fakepg_log(sim_server(s));
	sim_query(next, "SELECT 2");
	sim_say(c, "X");
	sim_expect(next, "CZ");
	assert_int_equal(s->pg.n, 3); /* the first, the cancel, and another */
	assert_string_equal(fakepg_log(s->pg.conns[0]), "X;");
	sim_free(s);
}

/* The same while the next client waits already. */
static void nor_while_somebody_waits(void **state)
{
	struct sim_client *c, *next;
	struct sim *s = begin_held(&c, &next);

	(void)state;
	sim_settle(s);
	sim_answer(s, "CZ");
	sim_settle(s);
	fakepg_log(sim_server(s));
	sim_say(c, "X");
	sim_pass(s, 11 * SEC);
	sim_expect(next, "CZ");
	assert_string_equal(fakepg_log(s->pg.conns[0]), "X;");
	sim_free(s);
}

static void held_for_ever(struct sim *s)
{
	s->opts.cancel_wait_timeout_us = 0;
	held(s);
}

/* cancel_wait_timeout = 0 means for ever, not at once. */
static void a_cancel_with_all_the_time_of_the_world(void **state)
{
	struct sim *s = sim_begin(1, held_for_ever);
	struct sim_client *c = sim_hanging(s);

	(void)state;
	sim_cancel(s, c);
	sim_pass(s, 100 * SEC);
	assert_true(s->pg.conns[1]->p.fd >= 0);
	sim_answer(s, "CZ");
	sim_expect(c, "CZ");
	sim_say(c, "X");
	sim_pass(s, 100 * SEC);
	fakepg_close(s->pg.conns[1]);
	sim_settle(s);
	sim_assert_servers(s, 1, 0);
	sim_free(s);
}

/* The asker goes away: the cancel goes on, and is still waited for. */
static void an_impatient_asker(void **state)
{
	struct sim *s = sim_begin(1, held);
	struct sim_client *c = sim_hanging(s), *k;

	(void)state;
	k = sim_cancel(s, c);
	sim_settle(s);
	sim_vanish(k);
	sim_settle(s);
	assert_int_equal(s->pg.cancels, 1);
	sim_answer(s, "EZ");
	sim_settle(s);
	sim_say(c, "X");
	sim_pass(s, 1 * SEC);
	assert_int_equal(sim_db(s)->sv_used, 1);
	fakepg_close(s->pg.conns[1]);
	sim_assert_servers(s, 1, 0);
	sim_free(s);
}

static void nothing_to_cancel(void **state)
{
	struct sim *s = sim_begin(1, NULL);
	struct sim_client *idle = sim_client(s), *linked = sim_client(s), wrong, *k;

	(void)state;
	sim_works(linked);
	wrong = *linked;
	wrong.key[3] ^= 1;
	k = sim_cancel(s, idle);
	sim_settle(s);
	assert_true(sim_closed(k));
	k = sim_cancel(s, linked);
	sim_settle(s);
	assert_true(sim_closed(k));
	k = sim_cancel(s, &wrong);
	sim_settle(s);
	assert_true(sim_closed(k));
	assert_int_equal(s->pg.cancels, 0);
	assert_int_equal(s->pg.n, 1);
	assert_int_equal(sim_stats(s)->cancel_unknown, 1);
	assert_int_equal(sim_db(s)->cancels_received, 2);
	sim_free(s);
}

/* A key is good as long as its client is there. */
static void keys_die_with_their_clients(void **state)
{
	struct sim *s = sim_begin(1, NULL);
	struct sim_client *c = sim_client(s), was = *c;

	(void)state;
	sim_works(c);
	sim_say(c, "X");
	sim_settle(s);
	sim_cancel(s, &was);
	sim_settle(s);
	assert_int_equal(s->pg.cancels, 0);
	assert_int_equal(sim_stats(s)->cancel_unknown, 1);
	sim_free(s);
}

static void no_key(struct sim *s)
{
	s->pg.key_bytes = 0;
}

static void long_key(struct sim *s)
{
	s->target.max_protocol = STARTUP_3_2;
	s->pg.key_bytes = STARTUP_CANCEL_KEY_MAX;
}

/* RDS Proxy gives none (pitfall 9). */
static void a_server_without_a_key(void **state)
{
	struct sim *s = sim_begin(1, no_key);
	struct sim_client *c = sim_hanging(s), *k = sim_cancel(s, c);

	(void)state;
	sim_settle(s);
	assert_true(sim_closed(k));
	assert_int_equal(s->pg.n, 1);
	sim_answer(s, "CZ");
	sim_expect(c, "CZ");
	sim_free(s);
}

static void a_server_with_a_long_key(void **state)
{
	struct sim *s = sim_begin(1, long_key);
	struct sim_client *c = sim_hanging(s);

	(void)state;
	sim_cancel(s, c);
	sim_settle(s);
	assert_int_equal(s->pg.cancels, 1);
	assert_int_equal(s->pg.cancel_key.n, STARTUP_CANCEL_KEY_MAX);
	sim_free(s);
}

static void rds_proxy(struct sim *s)
{
	s->target.profile = profile_get(PROFILE_RDS_PROXY);
}

static void a_kind_of_server_that_takes_none(void **state)
{
	struct sim *s = sim_begin(1, rds_proxy);
	struct sim_client *c = sim_hanging(s);

	(void)state;
	sim_cancel(s, c);
	sim_settle(s);
	assert_int_equal(s->pg.cancels, 0);
	assert_int_equal(s->pg.n, 1);
	sim_free(s);
}

/* Pitfall 51 */
static void storms_are_bounded(void **state)
{
	struct sim *s = sim_begin(1, held);
	struct sim_client *c = sim_hanging(s);

	(void)state;
	for (int i = 0; i < 60; i++)
		sim_cancel(s, c);
	sim_settle(s);
	assert_int_equal(s->pg.n, 1 + 4);
	assert_int_equal(sim_stats(s)->clients, 1 + 4);
	sim_pass(s, 11 * SEC);
	assert_int_equal(sim_stats(s)->clients, 1);
	sim_free(s);
}

static void many_servers(struct sim *s)
{
	s->target.pool_size = 20;
}

static void storms_over_many_servers(void **state)
{
	struct sim *s = sim_begin(1, many_servers);

	(void)state;
	for (int i = 0; i < 20; i++)
		sim_hanging(s);
	assert_int_equal(s->pg.n, 20);
	s->pg.hold_cancel = true;
	for (int i = 0; i < 20; i++)
		for (int n = 0; n < 3; n++)
			sim_cancel(s, s->clients[i]);
	sim_settle(s);
	assert_int_equal(s->pg.n - 20, 2 * 20);
	sim_free(s);
}

/* The server is lost while a cancel for it is under way; the cancel's memory of it must live. */
static void the_server_dies_meanwhile(void **state)
{
	struct sim *s = sim_begin(1, NULL);
	struct sim_client *c = sim_hanging(s), *k;

	(void)state;
	s->pg.accepts = false; /* the cancel does not get through yet */
	k = sim_cancel(s, c);
	sim_settle(s);
	fakepg_close(sim_server(s));
	sim_expect_fatal(c, "08006", "closed the connection");
	assert_false(sim_closed(k));
	s->pg.accepts = true;
	sim_settle(s);
	assert_true(sim_closed(k));
	sim_works(sim_client(s));
	sim_free(s);
}

static void extra_bytes_behind_a_request(void **state)
{
	struct sim *s = sim_begin(1, NULL);
	struct sim_client *c = sim_hanging(s), *k = sim_cancel(s, c);

	(void)state;
	sim_send(k, "X\0\0\0\4", 5); /* pitfall 14 */
	sim_settle(s);
	assert_int_equal(s->pg.cancels, 1);
	assert_true(sim_closed(k));
	sim_expect(k, "");
	sim_free(s);
}

/* ---- several workers ---- */

static void two_workers(struct sim *s)
{
	s->opts.workers = 2;
}

/* A cancel for a client of the other worker. */
static struct sim_client *cancel_elsewhere(struct sim *s, const struct sim_client *c)
{
	struct sim_client other = *c;

	other.pid ^= 1; /* its low bits name the worker */
	return sim_cancel(s, &other);
}

/* Only the other one knows when it is through. */
static void the_asker_waits_for_another_worker(void **state)
{
	struct sim *s = sim_begin(1, two_workers);
	struct sim_client *c = sim_client(s), *first = cancel_elsewhere(s, c), *second;
	uint64_t no;

	(void)state;
	sim_settle(s);
	assert_int_equal(s->routed.count, 1);
	assert_int_equal(s->routed.worker, 1);
	assert_int_equal(s->routed.pid, c->pid ^ 1);
	no = s->routed.no;
	second = cancel_elsewhere(s, c);
	sim_pass(s, 5 * SEC);
	assert_int_equal(s->routed.count, 2);
	assert_int_not_equal(s->routed.no, no);
	assert_false(sim_closed(first));
	proxy_cancel_done(s->proxy, no);
	sim_settle(s);
	assert_true(sim_closed(first));
	assert_false(sim_closed(second));
	proxy_cancel_done(s->proxy, no); /* nobody waits for it */
	sim_pass(s, 6 * SEC);
	assert_true(sim_closed(second)); /* cancel_wait_timeout */
	proxy_cancel_done(s->proxy, s->routed.no);
	sim_works(c);
	sim_free(s);
}

/* A worker that does not answer keeps no more connections than others' cancels may; those go on untold. */
static void not_all_wait_for_another_worker(void **state)
{
	struct sim *s = sim_begin(1, two_workers);
	struct sim_client *c = sim_client(s);

	(void)state;
	for (int i = 0; i < 60; i++)
		cancel_elsewhere(s, c);
	sim_settle(s);
	assert_int_equal(s->routed.count, 60);
	assert_int_equal(s->routed.no, 0);
	assert_int_equal(sim_stats(s)->clients, 1 + 16);
	sim_pass(s, 11 * SEC);
	assert_int_equal(sim_stats(s)->clients, 1);
	cancel_elsewhere(s, c);
	sim_settle(s);
	assert_int_not_equal(s->routed.no, 0);
	sim_free(s);
}

/* When pgiam stops, an asker does not hold it up for longer than anybody else. */
static void nobody_waits_for_another_worker_at_the_end(void **state)
{
	struct sim *s = sim_begin(1, two_workers);
	struct sim_client *k = cancel_elsewhere(s, sim_client(s));

	(void)state;
	sim_settle(s);
	sim_stop(s, 2 * SEC);
	sim_pass(s, 1 * SEC);
	assert_false(sim_closed(k));
	sim_pass(s, 2 * SEC);
	assert_true(sim_closed(k));
	assert_true(s->stopped);
	proxy_cancel_done(s->proxy, s->routed.no);
	sim_free(s);
}

static void count(void *arg)
{
	++*(unsigned *)arg;
}

/* The other side: a cancel that another worker received. */
static void another_worker_is_told_when_it_is_through(void **state)
{
	struct sim *s = sim_begin(1, held);
	struct sim_client *c = sim_hanging(s);
	struct slice key = slice_of(c->key, c->key_bytes);
	unsigned told = 0;

	(void)state;
	proxy_cancel(s->proxy, c->pid, key, count, &told);
	sim_pass(s, 5 * SEC);
	assert_int_equal(s->pg.cancels, 1);
	assert_int_equal(told, 0);
	fakepg_close(s->pg.conns[1]);
	sim_settle(s);
	assert_int_equal(told, 1);
	proxy_cancel(s->proxy, c->pid, slice_str("wrong"), count, &told);
	assert_int_equal(told, 2);
	proxy_cancel(s->proxy, c->pid, key, count, &told);
	sim_settle(s);
	sim_stop(s, 1 * SEC);
	sim_pass(s, 2 * SEC); /* the grace is over before it is through */
	assert_true(s->stopped);
	assert_int_equal(told, 3);
	sim_free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_query_is_cancelled),
		cmocka_unit_test(a_first_query_is_cancelled),
		cmocka_unit_test(the_asker_waits_until_it_is_through),
		cmocka_unit_test(nowhere_to_send_it),
		cmocka_unit_test(but_not_for_ever),
		cmocka_unit_test(the_server_is_held_back),
		cmocka_unit_test(or_given_up),
		cmocka_unit_test(a_cancel_that_was_not_confirmed),
		cmocka_unit_test(nor_while_somebody_waits),
		cmocka_unit_test(a_cancel_with_all_the_time_of_the_world),
		cmocka_unit_test(an_impatient_asker),
		cmocka_unit_test(nothing_to_cancel),
		cmocka_unit_test(keys_die_with_their_clients),
		cmocka_unit_test(a_server_without_a_key),
		cmocka_unit_test(a_server_with_a_long_key),
		cmocka_unit_test(a_kind_of_server_that_takes_none),
		cmocka_unit_test(storms_are_bounded),
		cmocka_unit_test(storms_over_many_servers),
		cmocka_unit_test(the_server_dies_meanwhile),
		cmocka_unit_test(extra_bytes_behind_a_request),
		cmocka_unit_test(the_asker_waits_for_another_worker),
		cmocka_unit_test(not_all_wait_for_another_worker),
		cmocka_unit_test(nobody_waits_for_another_worker_at_the_end),
		cmocka_unit_test(another_worker_is_told_when_it_is_through),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
