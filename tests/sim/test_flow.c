/* Pressure: peers that read slowly or not at all, in one direction or both. Nothing is held in memory but two buffers a
 * link, nothing deadlocks (pitfall 54), and nothing turns in place. */
#include "sim.h"
#include <stdio.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#include "base/mem.h"
#include "pg/message.h"

/* Is the loop at rest, really waiting, and not woken again and again by what it does not act upon? */
static void assert_at_rest(struct sim *s)
{
	struct timespec a, b;
	unsigned early = 0;

	sim_settle(s);
	for (int i = 0; i < 8; i++) {
		clock_gettime(CLOCK_MONOTONIC, &a);
		loop_turn(s->loop, 20 * MS);
		clock_gettime(CLOCK_MONOTONIC, &b);
		early += (b.tv_sec - a.tv_sec) * 1000 + (b.tv_nsec - a.tv_nsec) / 1000000 < 10;
	}
	assert_in_range(early, 0, 2);
}

static void a_slow_reader_of_much(void **state)
{
	struct sim *s = sim_begin(2, NULL);
	struct sim_client *c = sim_client(s);
	uint64_t told;

	(void)state;
	c->p.deaf = true;
	sim_query(c, "ROWS 25000 4096");
	sim_settle(s);
	told = sim_server(s)->p.sent;
	assert_in_range(told, 65536, 1u << 20); /* buffers of two sockets and ours; not a hundred megabytes */
	assert_true(sim_stats(s)->iobufs <= 2);
	assert_at_rest(s);
	/* it takes a little: a little more is read */
	c->p.deaf = false;
	c->p.step = 10000;
	for (int i = 0; i < 100; i++) {
		loop_turn(s->loop, 0);
		fakepg_pump(&s->pg);
		sim_client_pump(c);
		assert_true(sim_stats(s)->iobufs <= 2);
	}
	assert_in_range(sim_server(s)->p.sent - told, 500000, 1100000);
	c->p.step = 0;
	sim_expect(c, "TDCZ");
	assert_int_equal(c->rows, 25000);
	assert_int_equal(sim_stats(s)->iobufs, 0);
	sim_free(s);
}

/* Both directions full of bytes, both ends slow: each byte arrives. */
static void both_ways_at_once(void **state)
{
	struct sim *s = sim_begin(2, NULL);
	struct sim_client *c = sim_client(s);
	struct fakepg_conn *pg;
	static char data[4u << 20];

	(void)state;
	sim_query(c, "COPY IN");
	sim_expect(c, "G");
	pg = sim_server(s);
	c->p.step = pg->p.step = 5000;
	memset(data, 'd', sizeof(data));
	for (int i = 0; i < 8000; i++) {
		sim_send(c, "d\0\0\1\4", 5);
		sim_send(c, data, 256);
		message_notice(&pg->p.out, &(struct message_error){"NOTICE", "00000", "a notice of some length", NULL, NULL});
	}
	sim_say(c, "c");
	sim_expect(c, "NCZ");
	assert_int_equal(c->messages, 7 + 1 + 8000 + 2); /* the welcome of seven, G, N, C and Z */
	assert_int_equal(sim_stats(s)->iobufs, 0);
	sim_free(s);
}

/* The server reads nothing: what it says still arrives. */
static void a_server_that_does_not_read(void **state)
{
	struct sim *s = sim_begin(2, NULL);
	struct sim_client *c = sim_client(s);
	static char data[1u << 20];

	(void)state;
	sim_query(c, "COPY IN");
	sim_expect(c, "G");
	sim_server(s)->p.deaf = true;
	sim_send(c, "d\0\20\0\4", 5);
	sim_send(c, data, sizeof(data));
	sim_settle(s);
	assert_in_range(c->p.out.n, 1, sizeof(data));
	assert_true(sim_stats(s)->iobufs <= 2);
	assert_at_rest(s);
	sim_answer(s, "NN");
	sim_expect(c, "N");
	sim_server(s)->p.deaf = false;
	sim_say(c, "c");
	sim_expect(c, "CZ");
	sim_free(s);
}

/* The client reads nothing: what it says still arrives. */
static void a_client_that_does_not_read(void **state)
{
	struct sim *s = sim_begin(2, NULL);
	struct sim_client *c = sim_client(s), *k;

	(void)state;
	c->p.deaf = true;
	sim_query(c, "ROWS 1000 4096");
	sim_settle(s);
	fakepg_log(sim_server(s));
	sim_query(c, "SELECT 2");
	k = sim_cancel(s, c);
	sim_settle(s);
	assert_int_equal(s->pg.cancels, 1);
	assert_true(sim_closed(k));
	c->p.deaf = false;
	sim_expect(c, "TDCZCZ");
	sim_free(s);
}

/* The buffer fills up in the very turn in which the client takes all again, and the server's event comes first: the server
 * has to be read on. (It was not: bulk stalled once in some hundred dumps.) */
static void full_and_empty_in_one_turn(void **state)
{
	struct sim *s = sim_begin(2, NULL);
	struct sim_client *c = sim_client(s);
	static char row[8192];
	unsigned rows = 0;
	struct peer *p;

	(void)state;
	s->pg.mute = true;
	c->p.deaf = true;
	sim_query(c, "SELECT 1");
	sim_settle(s);
	p = &sim_server(s)->p;
	for (; sim_stats(s)->iobufs == 0; rows++) { /* until the client's socket is full and our buffer nearly empty */
		assert_true(rows < 1000);
		peer_say(p, "D\0\0\40\4", 5);
		peer_say(p, row, sizeof(row));
		sim_settle(s);
	}
	for (int i = 0; i < 20; i++, rows++) {
		peer_say(p, "D\0\0\40\4", 5);
		peer_say(p, row, sizeof(row));
	}
	peer_pump(p);
	c->p.deaf = false;
	peer_pump(&c->p);
	loop_turn(s->loop, 0);
	sim_answer(s, "CZ");
	sim_expect(c, "DCZ");
	assert_int_equal(c->rows, rows);
	assert_int_equal(sim_stats(s)->iobufs, 0);
	sim_free(s);
}

/* The server is gone while its client reads nothing: what it said before is still delivered, and nobody spins. */
static void the_server_dies_under_pressure(void **state)
{
	(void)state;
	for (int unread = 0; unread < 2; unread++) {
		struct sim *s = sim_begin(2, NULL);
		struct sim_client *c = sim_client(s);
		static char data[1u << 20];

		sim_query(c, "ROWS 1000 4096");
		c->p.deaf = true;
		sim_settle(s);
		if (unread) { /* bytes it did not read make the close a reset */
			sim_server(s)->p.deaf = true;
			sim_send(c, "d\0\20\0\4", 5);
			sim_send(c, data, sizeof(data));
			sim_settle(s);
		}
		peer_close(&s->pg.conns[0]->p);
		assert_at_rest(s);
		c->p.deaf = false;
		sim_settle(s);
		assert_true(sim_closed(c));
		assert_true(c->rows > 20);
		sim_free(s);
	}
}

static void the_client_dies_under_pressure(void **state)
{
	struct sim *s = sim_begin(2, NULL);
	struct sim_client *c = sim_client(s);

	(void)state;
	sim_query(c, "ROWS 4000 4096"); /* 16 MB: as much as is worth reading and dropping */
	c->p.deaf = true;
	sim_settle(s);
	sim_vanish(c);
	sim_pass(s, 1 * SEC);
	assert_int_equal(sim_stats(s)->iobufs, 0);
	sim_assert_servers(s, 1, 0);
	/* more than that is not worth it */
	c = sim_client(s);
	sim_query(c, "ROWS 10000 4096");
	c->p.deaf = true;
	sim_settle(s);
	sim_vanish(c);
	sim_pass(s, 10 * SEC);
	sim_assert_servers(s, 0, 0);
	sim_free(s);
}

/* Last words of a server that are there, but cannot be asked for: the write failed first. */
static void last_words_before_a_reset(void **state)
{
	struct sim *s = sim_begin(2, NULL);
	struct sim_client *c = sim_client(s);
	struct peer *p;

	(void)state;
	sim_works(c);
	p = &sim_server(s)->p;
	p->deaf = true;
	sim_query(c, "SELECT 1");
	sim_settle(s); /* not read: closing resets */
	message_query(&c->p.out, "SELECT 2");
	peer_pump(&c->p); /* the client's event comes first */
	fakepg_error(sim_server(s), "FATAL", "57P01", "administrator");
	peer_pump(p);
	peer_close(p);
	sim_expect_fatal(c, "57P01", "administrator");
	sim_free(s);
}

/* More messages pipelined, of changing kinds, than the queue takes at once: held back, and gone on with. */
static void a_very_long_pipeline(void **state)
{
	struct sim *s = sim_begin(2, NULL);
	struct sim_client *c = sim_client(s);

	(void)state;
	sim_works(c);
	sim_server(s)->p.deaf = true;
	for (int i = 0; i < 40000; i++)
		sim_say(c, "CS");
	sim_settle(s);
	assert_true(c->p.out.n > 0);
	assert_true(sim_stats(s)->iobufs <= 2);
	assert_at_rest(s);
	/* the answers to what got through make room for the rest */
	sim_server(s)->p.deaf = false;
	c->p.step = 1000;
	for (int turns = 0; turns < 100000 && c->messages < 7 + 2 + 80000; turns++) {
		loop_turn(s->loop, 0);
		fakepg_pump(&s->pg);
		sim_client_pump(c);
		c->said_n = 0;
		c->said[0] = '\0';
	}
	assert_int_equal(c->messages, 7 + 2 + 80000);
	c->p.step = 0;
	sim_works(c);
	sim_free(s);
}

static void idle_links_hold_nothing(void **state)
{
	struct sim *s = sim_new();

	(void)state;
	s->target.pool_size = 50;
	sim_start(s);
	for (int i = 0; i < 100; i++)
		sim_client(s);
	for (int i = 0; i < 50; i++)
		sim_works(s->clients[i]);
	assert_int_equal(sim_stats(s)->iobufs, 0);
	assert_at_rest(s);
	sim_free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_slow_reader_of_much),
		cmocka_unit_test(both_ways_at_once),
		cmocka_unit_test(a_server_that_does_not_read),
		cmocka_unit_test(a_client_that_does_not_read),
		cmocka_unit_test(full_and_empty_in_one_turn),
		cmocka_unit_test(the_server_dies_under_pressure),
		cmocka_unit_test(the_client_dies_under_pressure),
		cmocka_unit_test(last_words_before_a_reset),
		cmocka_unit_test(a_very_long_pipeline),
		cmocka_unit_test(idle_links_hold_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
