/* One whole scenario, over and over: the server, or the client, is lost after one byte, after two, and so on to the end.
 * Whoever it hits is told or closed, nothing is left behind, and afterwards everything works. */
#include "sim.h"
#include <sys/socket.h>
#include "base/mem.h"
#include "pg/parse.h"

/* Logs in, asks a bit of everything, goes in one of several ways. */
static struct sim_client *first(struct sim *s)
{
	static const char *const more[] = {"application_name", "app", NULL};
	struct sim_client *c = sim_login(s, "joe", more);

	sim_query(c, "SELECT 1");
	sim_say(c, "PBDEHSQ");
	sim_settle(s);
	sim_query(c, "BEGIN");
	sim_query(c, "COPY IN");
	sim_settle(s);
	sim_say(c, "ddcF");
	sim_query(c, "ERROR");
	sim_query(c, "ROWS 20 10");
	sim_settle(s);
	sim_say(c, "X");
	return c;
}

/* Ends well or with a word, never in silence: what a client reads last is an answer, an error, or half of either. */
static void had_its_answer(struct sim_client *c)
{
	assert_true(sim_closed(c));
	if (c->remain > 0 || c->p.in.n > 0)
		return; /* cut off in a message: nothing can be said any more */
	assert_true(c->said_n > 0);
	if (c->said[c->said_n - 1] != 'Z')
		assert_int_equal(c->said[c->said_n - 1], 'E');
}

static void works_again(struct sim *s)
{
	struct sim_client *c;

	sim_pass(s, 21 * SEC);
	c = sim_client(s);
	sim_works(c);
	assert_int_equal(sim_db(s)->sv_active, 1);
	assert_int_equal(sim_stats(s)->iobufs, 0);
}

static struct sim *begin(void)
{
	struct sim *s = sim_new();

	s->target.pool_size = 1;
	s->target.connect_query = mem_strdup("SET x = 1");
	s->steps = 20;
	s->patience = 4;
	return s;
}

static void the_server_after_so_many_bytes(void **state)
{
	size_t whole;
	struct sim *s = begin();
	struct sim_client *c;

	(void)state;
	sim_start(s);
	c = first(s);
	sim_settle(s);
	assert_true(sim_closed(c));
	whole = s->pg.conns[0]->p.got + s->pg.conns[0]->p.sent;
	assert_in_range(whole, 500, 3000);
	sim_end(s);
	for (size_t k = 1; k <= whole; k++) {
		s->pg.die_after = k;
		s->pg.step = k % 3 == 0 ? 1 : 0; /* also in small pieces */
		sim_start(s);
		c = first(s);
		sim_settle(s);
		s->pg.die_after = 0; /* the next one lives: a client that waits is served by it */
		sim_pass(s, 5 * SEC);
		had_its_answer(c);
		works_again(s);
		sim_end(s);
	}
	sim_start(s);
	sim_free(s);
}

/* With a password, in clear: the steps a plain login does not have. */
static void the_server_in_a_login_with_password(void **state)
{
	struct sim *s = begin();

	(void)state;
	s->target.auth = TARGET_AUTH_PASSWORD;
	s->pg.auth = AUTH_CLEARTEXT;
	for (size_t k = 1; k < 200; k++) {
		struct sim_client *c;

		s->pg.die_after = k;
		sim_start(s);
		c = sim_login(s, "joe", NULL);
		sim_query(c, "SELECT 1");
		sim_settle(s);
		sim_say(c, "X");
		sim_settle(s);
		s->pg.die_after = 0; /* the next one lives: a client that waits is served by it */
		sim_pass(s, 5 * SEC);
		had_its_answer(c);
		works_again(s);
		assert_int_equal(s->secret.pending, 0);
		sim_end(s);
	}
	sim_start(s);
	sim_free(s);
}

static void the_nth_connection(void **state)
{
	(void)state;
	for (unsigned n = 0; n < 4; n++) {
		struct sim *s = begin();

		s->target.pool_size = 4;
		sim_start(s);
		for (unsigned i = 0; i < 4; i++) {
			struct sim_client *c;

			s->pg.close_at = i == n ? FAKEPG_ACCEPT : FAKEPG_NEVER;
			c = sim_login(s, "joe", NULL);
			sim_query(c, "BEGIN");
			sim_settle(s);
		}
		s->pg.close_at = FAKEPG_NEVER;
		sim_pass(s, 30 * SEC);
		for (unsigned i = 0; i < 4; i++)
			assert_true(sim_closed(s->clients[i]) || s->clients[i]->tx == 'T');
		for (unsigned i = 0; i < 4; i++)
			sim_vanish(s->clients[i]);
		works_again(s);
		sim_free(s);
	}
}

/* Everything the scenario's client says, as one string of bytes. */
static struct buf script(void)
{
	struct sim *s = begin();
	struct buf all;
	struct sim_client *c;

	sim_start(s);
	c = sim_login(s, "joe", NULL);
	sim_query(c, "BEGIN");
	sim_say(c, "PBDEHSQPBE");
	sim_query(c, "COPY IN");
	sim_say(c, "ddcFQX");
	buf_init(&all, 65536);
	buf_add_slice(&all, buf_slice(&c->p.out));
	sim_free(s);
	return all;
}

static void the_client_after_so_many_bytes(void **state)
{
	struct buf all = script();
	struct sim *s = begin();

	(void)state;
	for (size_t k = 1; k <= all.n; k++) {
		for (int way = 0; way < 3; way++) {
			struct sim_client *c;

			sim_start(s);
			c = sim_connect(s);
			c->p.step = way == 2 ? 1 : 0;
			sim_send(c, all.p, k);
			if (way > 0)
				sim_settle(s); /* otherwise all of it and the end at once */
			else
				peer_pump(&c->p);
			sim_vanish(c);
			sim_settle(s);
			works_again(s);
			sim_end(s);
		}
	}
	sim_start(s);
	sim_free(s);
	buf_free(&all);
}

/* It closes only its side, and wants to read what it asked for. */
static void half_closed_after_so_many_bytes(void **state)
{
	struct buf all = script();
	struct sim *s = begin();

	(void)state;
	for (size_t k = 1; k <= all.n; k += 2) {
		struct sim_client *c;

		sim_start(s);
		c = sim_connect(s);
		sim_send(c, all.p, k);
		peer_pump(&c->p);
		shutdown(c->p.fd, SHUT_WR);
		sim_pass(s, 6 * SEC);
		assert_true(sim_closed(c));
		works_again(s);
		sim_end(s);
	}
	sim_start(s);
	sim_free(s);
	buf_free(&all);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_server_after_so_many_bytes),
		cmocka_unit_test(the_server_in_a_login_with_password),
		cmocka_unit_test(the_nth_connection),
		cmocka_unit_test(the_client_after_so_many_bytes),
		cmocka_unit_test(half_closed_after_so_many_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
