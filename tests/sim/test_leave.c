/* Clients that leave: at any moment, in any way. The server is used again after a reset or closed, and the next client
 * never sees a byte that was for the last one (pitfalls 25, 52, 53). */
#include "sim.h"
#include <sys/socket.h>
#include "base/mem.h"

/* The next client has a server at once, and its answers are its own. */
static void next_works(struct sim *s, unsigned connections)
{
	struct sim_client *c = sim_client(s);

	sim_query(c, "ROWS 3 10");
	sim_expect(c, "TDCZ");
	assert_int_equal(c->rows, 3);
	assert_int_equal(c->tx, 'I');
	assert_int_equal(s->pg.n, connections);
	sim_assert_servers(s, 0, 1);
	sim_free(s);
}

static void between_queries(void **state)
{
	static const char *const ways[] = {"X", ""};

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct sim *s = sim_begin(1, NULL);
		struct sim_client *c = sim_client(s);

		sim_works(c);
		sim_say(c, ways[i]);
		sim_settle(s);
		sim_vanish(c);
		sim_assert_servers(s, 1, 0);
		assert_string_equal(fakepg_log(sim_server(s)), "Q:SELECT 1;Q:DISCARD ALL;");
		next_works(s, 1);
	}
}

static void without_a_query(void **state)
{
	struct sim *s = sim_begin(1, NULL);

	(void)state;
	sim_say(sim_client(s), "X");
	sim_vanish(sim_client(s));
	sim_assert_servers(s, 1, 0);
	assert_string_equal(fakepg_log(sim_server(s)), "");
	next_works(s, 1);
}

/* PostgreSQL, too, ends the query before it notices; its answer is nobody's. */
static void in_a_query(void **state)
{
	struct sim *s = sim_begin(1, NULL);
	struct sim_client *c = sim_client(s);

	(void)state;
	s->pg.mute = true;
	sim_query(c, "SELECT pg_sleep(3)");
	sim_settle(s);
	sim_vanish(c);
	sim_pass(s, 3 * SEC);
	assert_string_equal(fakepg_log(sim_server(s)), "Q:SELECT pg_sleep(3);");
	s->pg.mute = false;
	sim_answer(s, "TDDDCZ");
	sim_pass(s, 1 * SEC);
	assert_string_equal(fakepg_log(sim_server(s)), "Q:DISCARD ALL;");
	next_works(s, 1);
}

static void in_a_query_that_does_not_end(void **state)
{
	struct sim *s = sim_begin(1, NULL);
	struct sim_client *c = sim_client(s);

	(void)state;
	sim_query(c, "HANG");
	sim_settle(s);
	sim_vanish(c);
	/* it is cancelled before it is closed: closing alone would leave it running */
	sim_pass(s, 7 * SEC);
	assert_int_equal(s->pg.cancels, 1);
	assert_int_equal(s->pg.cancel_pid, sim_server(s)->pid);
	sim_pass(s, 6 * SEC);
	assert_int_equal(fakepg_open(&s->pg), 0);
	next_works(s, 3);
}

/* Who breaks the connection off waits for nothing: what it left running is cancelled at once. */
static void broken_off_in_a_query(void **state)
{
	struct sim *s = sim_begin(1, NULL);
	struct sim_client *c = sim_client(s);

	(void)state;
	c->p.deaf = true; /* what it has not read makes its end a reset */
	sim_query(c, "SELECT 1");
	sim_query(c, "HANG");
	sim_settle(s);
	sim_vanish(c);
	sim_pass(s, 1 * SEC);
	assert_int_equal(s->pg.cancels, 1);
	assert_int_equal(s->pg.cancel_pid, sim_server(s)->pid);
	sim_free(s);
}

static void in_a_message(void **state)
{
	static const size_t cuts[] = {1, 4, 5, 6, 20};

	(void)state;
	for (size_t i = 0; i < sizeof(cuts) / sizeof(*cuts); i++) {
		struct sim *s = sim_begin(1, NULL);
		struct sim_client *c = sim_client(s);

		sim_works(c);
		sim_send(c, "Q\0\0\0\100SELECT 12345678901234567890", cuts[i]);
		sim_settle(s);
		sim_vanish(c);
		sim_settle(s);
		/* a head not complete was never sent on; a message cut short cannot be mended */
		next_works(s, cuts[i] < 5 ? 1 : 2);
	}
}

static void in_a_transaction(void **state)
{
	static const char *const sql[] = {"SELECT 1", "ERROR"};

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct sim *s = sim_begin(1, NULL);
		struct sim_client *c = sim_client(s);

		sim_query(c, "BEGIN");
		sim_query(c, sql[i]);
		sim_settle(s);
		assert_int_equal(c->tx, i == 0 ? 'T' : 'E');
		sim_say(c, "X"); /* pitfall 53 */
		sim_settle(s);
		assert_true(sim_closed(c));
		assert_non_null(strstr(fakepg_log(sim_server(s)), "Q:ROLLBACK;Q:DISCARD ALL;"));
		next_works(s, 1);
	}
}

static void in_copy(void **state)
{
	struct sim *s = sim_begin(1, NULL);
	struct sim_client *c = sim_client(s);

	(void)state;
	sim_query(c, "COPY IN");
	sim_say(c, "ddd");
	sim_expect(c, "G");
	sim_vanish(c);
	sim_settle(s);
	/* CopyDone in its stead would make the rows permanent */
	assert_int_equal(fakepg_open(&s->pg), 0);
	next_works(s, 2);
}

static void with_copy_done_on_its_way(void **state)
{
	struct sim *s = sim_begin(1, NULL);
	struct sim_client *c = sim_client(s);

	(void)state;
	sim_query(c, "COPY IN");
	sim_expect(c, "G");
	sim_say(c, "dddcX");
	sim_expect(c, "CZ"); /* it is still given its answer */
	assert_true(sim_closed(c));
	sim_assert_servers(s, 1, 0);
	next_works(s, 1);
}

/* All is answered, but the batch's transaction is open: a reset in it would commit what the client never synced. */
static void with_an_unsynced_batch(void **state)
{
	static const char *const batches[] = {"P", "PBE", "PBEH", "PBEPBE"};

	(void)state;
	for (size_t i = 0; i < sizeof(batches) / sizeof(*batches); i++) {
		struct sim *s = sim_begin(1, NULL);
		struct sim_client *c = sim_client(s);

		sim_say(c, batches[i]);
		sim_settle(s);
		sim_vanish(c);
		sim_settle(s);
		assert_int_equal(fakepg_open(&s->pg), 0);
		next_works(s, 2);
	}
}

static void with_a_pipeline(void **state)
{
	struct sim *s = sim_begin(1, NULL);
	struct sim_client *c = sim_client(s);

	(void)state;
	s->pg.mute = true;
	sim_say(c, "PBDESPBDESQSF");
	sim_settle(s);
	sim_vanish(c);
	sim_settle(s);
	/* the first ReadyForQuery is not the end */
	sim_answer(s, "12nCZ");
	sim_settle(s);
	sim_answer(s, "12nCZCZZ");
	sim_settle(s);
	assert_null(strstr(fakepg_log(sim_server(s)), "DISCARD"));
	s->pg.mute = false;
	sim_answer(s, "VZ");
	sim_settle(s);
	assert_string_equal(fakepg_log(sim_server(s)), "Q:DISCARD ALL;");
	next_works(s, 1);
}

/* What it said before it said goodbye is done and answered. */
static void goodbye_behind_queries(void **state)
{
	struct sim *s = sim_begin(1, NULL);
	struct sim_client *c = sim_client(s);

	(void)state;
	sim_say(c, "QPBESX");
	sim_expect(c, "CZ12CZ");
	assert_true(sim_closed(c));
	sim_assert_servers(s, 1, 0);
	next_works(s, 1);
}

/* The first bytes of a session, cut short or wrong. */
static void a_violation_is_told(void **state)
{
	struct sim *s = sim_begin(1, NULL);
	struct sim_client *c = sim_client(s);

	(void)state;
	sim_say(c, "Q");
	sim_send(c, "!\0\0\0\4", 5);
	/* the query before it is done, as PostgreSQL does */
	sim_settle(s);
	assert_string_equal(c->sqlstate, "08P01");
	assert_true(sim_closed(c));
	assert_non_null(strstr(fakepg_log(sim_server(s)), "Q:SELECT 1;"));
	sim_assert_servers(s, 1, 0);
	next_works(s, 1);
}

static void violations(void **state)
{
	static const struct {
		const char *bytes;
		size_t n;
		const char *text;
	} wrong[] = {
		{"!\0\0\0\4",             5, "invalid frontend message type 33"},
                {"p\0\0\0\5x",            6, "invalid frontend message type 112"},
		{"Q\0\0\0\3",             5, "invalid message length"          },
                {"Q\377\377\377\377",     5, "invalid message length"          },
		{"Q\177\377\377\377",     5, "invalid message length"          },
                {"S\0\1\0\0",             5, "invalid message length"          },
		{"\0\0\0\10\4\322\26\57", 8, "invalid frontend message type 0" }, /* SSLRequest */
	};

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
		for (int first = 0; first < 2; first++) {
			struct sim *s = sim_begin(1, NULL);
			struct sim_client *c = sim_client(s);

			if (!first)
				sim_works(c);
			sim_send(c, wrong[i].bytes, wrong[i].n);
			sim_expect_fatal(c, "08P01", wrong[i].text);
			sim_assert_servers(s, 1, 0);
			next_works(s, 1);
		}
	}
}

/* A client of yesterday's COPY still sends its data after the error: that owes it nothing, and it goes in peace. */
static void late_copy_data(void **state)
{
	struct sim *s = sim_begin(1, NULL);
	struct sim_client *c = sim_client(s);

	(void)state;
	sim_query(c, "COPY IN");
	sim_expect(c, "G");
	sim_server(s)->copy = false;
	sim_answer(s, "EZ");
	sim_expect(c, "EZ");
	sim_say(c, "dddcH");
	sim_settle(s);
	sim_say(c, "X");
	sim_settle(s);
	assert_true(sim_closed(c));
	sim_assert_servers(s, 1, 0);
	next_works(s, 1);
}

/* Whoever has said all it will say before it is welcomed is not waited for longer than others. */
static void half_closed_before_the_welcome(void **state)
{
	struct sim *s = sim_new();
	struct sim_client *c[2];

	(void)state;
	s->target.pool_size = 1;
	s->opts.client_idle_timeout_us = 3600 * SEC;
	s->pg.accepts = false;
	sim_start(s);
	for (size_t i = 0; i < 2; i++) {
		c[i] = sim_login(s, "joe", NULL);
		sim_query(c[i], "HANG");
		sim_settle(s);
		shutdown(c[i]->p.fd, SHUT_WR);
	}
	sim_pass(s, 1 * SEC);
	s->pg.accepts = true;
	sim_pass(s, 3 * SEC);
	for (size_t i = 0; i < 2; i++)
		assert_false(sim_closed(c[i]));
	sim_pass(s, 2 * SEC);
	assert_true(sim_closed(c[1])); /* it waits */
	sim_pass(s, 3 * SEC);
	assert_true(sim_closed(c[0])); /* it had a server meanwhile */
	sim_free(s);
}

/* ---- last words ---- */

/* Closing with bytes unread resets the connection, and what the client has not taken yet is gone. */
static void last_words_are_heard(void **state)
{
	static char unread[100000];

	(void)state;
	for (int slow = 0; slow < 2; slow++) {
		struct sim *s = sim_new();
		struct sim_client *c;

		s->opts.client_idle_timeout_us = 30 * SEC;
		s->target.query_wait_timeout_us = 30 * SEC;
		sim_start(s);
		c = sim_connect_tcp(s);
		startup_write_message(&c->p.out, STARTUP_3_0, "joe", "app", NULL, NULL);
		sim_until(s, c->tx == 'I');
		if (slow) { /* it is still reading its rows when it is told, and says something more meanwhile */
			c->p.deaf = true;
			sim_query(c, "ROWS 3 20000");
			sim_pass(s, 31 * SEC);
			sim_query(c, "SELECT 1");
			sim_settle(s);
			c->p.deaf = false;
		} else { /* it said more while it waited than it is worth to keep */
			s->pg.silent_at = FAKEPG_ACCEPT;
			fakepg_close(sim_server(s));
			sim_settle(s);
			sim_query(c, "SELECT 1");
			sim_send(c, unread, sizeof(unread));
			sim_pass(s, 31 * SEC);
		}
		sim_until(s, sim_closed(c));
		assert_string_equal(c->sqlstate, slow ? "57P05" : "08006");
		assert_false(c->p.broken);
		sim_free(s);
	}
}

/* ---- what the log says ---- */

/* What it has not read makes its end a reset. */
static void resets(struct sim_client *c)
{
	c->p.deaf = true;
	sim_query(c, "SELECT 1");
	sim_settle(c->sim);
	peer_close(&c->p);
}

static void says_goodbye(struct sim_client *c)
{
	sim_say(c, "X");
}

static void says_goodbye_early(struct sim_client *c)
{
	sim_query(c, "HANG");
	sim_settle(c->sim);
	sim_say(c, "X");
}

static void breaks_the_protocol(struct sim_client *c)
{
	sim_say(c, "!");
}

static void falls_asleep(struct sim_client *c)
{
	sim_pass(c->sim, 31 * SEC);
}

static void loses_its_server(struct sim_client *c)
{
	sim_query(c, "FATAL");
}

/* Whoever looks into a connection that went away has to know who ended it. */
static void the_log_says_why(void **state)
{
	static const struct {
		void (*go)(struct sim_client *c);
		const char *reason;
	} ways[] = {
		{says_goodbye,        "reason=terminate"          },
		{says_goodbye_early,  "reason=terminate"          },
		{sim_vanish,          "reason=eof"                },
		{resets,              "reason=connection_lost"    },
		{breaks_the_protocol, "reason=client_protocol"    },
		{falls_asleep,        "reason=client_idle_timeout"},
		{loses_its_server,    "reason=server_closed"      },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(ways) / sizeof(*ways); i++) {
		for (int linked = 0; linked < 2; linked++) {
			struct sim *s = sim_new();
			struct sim_client *c;

			s->opts.log_disconnections = true;
			s->opts.client_idle_timeout_us = 30 * SEC;
			sim_start(s);
			c = sim_client(s);
			if (linked)
				sim_works(c);
			ways[i].go(c);
			sim_settle(s);
			sim_pass(s, 7 * SEC);
			assert_true(sim_logged(s, "client disconnected"));
			if (!sim_logged(s, ways[i].reason))
				fail_msg("not %s: %s", ways[i].reason, buf_cstr(&s->log_text));
			sim_free(s);
		}
	}
}

/* ---- when the way back to idle goes wrong ---- */

static void a_reset_that_fails(void **state)
{
	(void)state;
	for (int way = 0; way < 3; way++) {
		struct sim *s = sim_begin(1, NULL);
		struct sim_client *c = sim_client(s);

		sim_works(c);
		s->pg.mute = true;
		sim_say(c, "X");
		sim_settle(s);
		if (way == 0)
			sim_answer(s, "EZ");
		else if (way == 1)
			fakepg_close(sim_server(s));
		else
			sim_pass(s, 11 * SEC);
		sim_assert_servers(s, 0, 0);
		s->pg.mute = false;
		next_works(s, 2);
	}
}

static void a_reset_that_leaves_a_transaction(void **state)
{
	struct sim *s = sim_begin(1, NULL);
	struct sim_client *c = sim_client(s);

	(void)state;
	sim_works(c);
	sim_server(s)->pg->mute = true;
	sim_say(c, "X");
	sim_settle(s);
	sim_server(s)->tx = 'T';
	sim_answer(s, "CZ");
	sim_assert_servers(s, 0, 0);
	s->pg.mute = false;
	next_works(s, 2);
}

static void no_reset_query(void **state)
{
	struct sim *s = sim_new();

	(void)state;
	s->target.pool_size = 1;
	s->target.reset_query[0] = '\0';
	sim_start(s);
	sim_works(sim_client(s));
	sim_say(s->clients[0], "X");
	sim_assert_servers(s, 1, 0);
	assert_string_equal(fakepg_log(sim_server(s)), "Q:SELECT 1;");
	next_works(s, 1);
}

static void replication_is_never_shared(void **state)
{
	static const char *const more[] = {"replication", "database", NULL};
	struct sim *s = sim_begin(1, NULL);
	struct sim_client *c;

	(void)state;
	c = sim_login(s, "joe", more);
	sim_expect(c, "RSKZ");
	assert_string_equal(params_get(&sim_server(s)->startup.params, "x") ? "x" : "", "");
	sim_works(c);
	sim_say(c, "X");
	sim_settle(s);
	assert_int_equal(fakepg_open(&s->pg), 0);
	next_works(s, 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(between_queries),
		cmocka_unit_test(without_a_query),
		cmocka_unit_test(in_a_query),
		cmocka_unit_test(in_a_query_that_does_not_end),
		cmocka_unit_test(broken_off_in_a_query),
		cmocka_unit_test(in_a_message),
		cmocka_unit_test(in_a_transaction),
		cmocka_unit_test(in_copy),
		cmocka_unit_test(with_copy_done_on_its_way),
		cmocka_unit_test(with_an_unsynced_batch),
		cmocka_unit_test(with_a_pipeline),
		cmocka_unit_test(goodbye_behind_queries),
		cmocka_unit_test(a_violation_is_told),
		cmocka_unit_test(violations),
		cmocka_unit_test(late_copy_data),
		cmocka_unit_test(half_closed_before_the_welcome),
		cmocka_unit_test(last_words_are_heard),
		cmocka_unit_test(the_log_says_why),
		cmocka_unit_test(a_reset_that_fails),
		cmocka_unit_test(a_reset_that_leaves_a_transaction),
		cmocka_unit_test(no_reset_query),
		cmocka_unit_test(replication_is_never_shared),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
