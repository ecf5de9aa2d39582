/* Servers that are no PostgreSQL: unexpected messages in every state, split anywhere, lengths beyond reason. Nothing of
 * it may crash, hang or cost memory; and the secret goes nowhere but where it should. */
#include "sim.h"
#include <stdio.h>
#include <sys/socket.h>
#include "base/mem.h"
#include "pg/message.h"
#include "pg/parse.h"

static struct sim *begin(struct slice raw)
{
	struct sim *s = sim_new();

	s->pg.raw = raw;
	sim_start(s);
	return s;
}

#define B(text) {(const unsigned char *)(text), sizeof(text) - 1}
#define OK      "R\0\0\0\10\0\0\0\0"
#define KEY     "K\0\0\0\14\0\0\0\1abcd"
#define READY   "Z\0\0\0\5I"
#define TZ      "S\0\0\0\21TimeZone\0UTC\0"

/* Says this instead of a login; it must be refused at once as a breach of protocol, or with another error. */
static const struct {
	struct slice bytes;
	const char *sqlstate;
} bad_logins[] = {
	{B("Z\0\0\0\5I"), "08P01"},                   /* no authentication at all */
	{B("S\0\0\0\10a\0b\0" OK), "08P01"},          /* a parameter before it */
	{B(KEY), "08P01"},
	{B("C\0\0\0\7OK\0"), "08P01"},
	{B("D\0\0\0\6\0\0"), "08P01"},
	{B("R\0\0\0\4"), "08P01"},                    /* no request in it */
	{B("R\0\0\0\7\0\0\0"), "08P01"},
	{B("R\0\0\0\11\0\0\0\0x"), "08P01"},          /* AuthenticationOk with something behind it */
	{B("R\0\0\0\10\0\0\0\13"), "08P01"},          /* SASLContinue, not begun */
	{B("R\0\0\0\10\0\0\0\14"), "08P01"},          /* SASLFinal, not begun */
	{B("R\0\0\0\10\0\0\0\3"), "28000"},           /* a password, and there is none to give */
	{B("R\0\0\0\10\0\0\0\7"), "28000"},           /* GSSAPI */
	{B("R\0\0\0\10\377\377\377\377"), "28000"},
	{B("R\0\0\0\3"), "08P01"},
	{B("R\377\377\377\377"), "08P01"},
	{B("R\177\377\377\377"), "08P01"},
	{B("R\0\1\0\0"), "08P01"},
	{B("\0\0\0\0\0\0\0\0"), "08P01"},
	{B("HTTP/1.1 400 Bad Request\r\n\r\n"), "08P01"},
	{B("SSH-2.0-OpenSSH_9.2\r\n"), "08P01"},
	{B(OK OK), "08P01"},
	{B(OK "Z\0\0\0\5T"), "08P01"},
	{B(OK "Z\0\0\0\5E"), "08P01"},
	{B(OK "Z\0\0\0\5x"), "08P01"},
	{B(OK "Z\0\0\0\4"), "08P01"},
	{B(OK "Z\0\0\0\6II"), "08P01"},
	{B(OK KEY KEY READY), "08P01"},               /* several keys */
	{B(OK "K\0\0\0\10\0\0\0\1"), "08P01"},        /* no key in it */
	{B(OK "K\0\0\0\13\0\0\0\1abc"), "08P01"},
	{B(OK "S\0\0\0\4"), "08P01"},
	{B(OK "S\0\0\0\6a\0"), "08P01"},
	{B(OK "S\0\0\0\7a\0b"), "08P01"},
	{B(OK "S\0\0\0\6\0\0"), "08P01"},
	{B(OK "S\177\377\377\377"), "08P01"},
	{B(OK "E\0\0\0\4"), "08P01"},
	{B(OK "D\0\0\0\6\0\0"), "08P01"},
	{B(OK "G\0\0\0\7\0\0\0"), "08P01"},
	{B(OK "R\0\0\0\10\0\0\0\3"), "08P01"},        /* and now a password? */
	{B("v\0\0\0\4"), "08P01"},                     /* more of these in test_version.c */
	{B(OK "v\0\0\0\14\0\3\0\0\0\0\0\0"), "08P01"},
	{B(OK READY READY), "08P01"},                  /* BEHIND_READY of these */
	{B(OK READY "?\0\0\0\4"), "08P01"},
	{B(OK READY "C\0\0\0\7OK\0"), "08P01"},
};

#define BEHIND_READY 3

static void logins_that_are_none(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(bad_logins) / sizeof(*bad_logins); i++) {
		struct sim *s = begin(bad_logins[i].bytes);
		struct sim_client *c = sim_login(s, "joe", NULL);

		sim_expect_fatal(c, bad_logins[i].sqlstate, "");
		assert_int_equal(fakepg_open(&s->pg), 0);
		sim_free(s);
	}
}

/* The same, byte by byte. */
static void logins_that_are_none_in_small_pieces(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(bad_logins) / sizeof(*bad_logins); i++) {
		struct sim *s = begin(bad_logins[i].bytes);
		struct sim_client *c;

		s->pg.step = 1;
		c = sim_login(s, "joe", NULL);
		if (i + BEHIND_READY < sizeof(bad_logins) / sizeof(*bad_logins)) {
			sim_expect_fatal(c, bad_logins[i].sqlstate, "");
		} else {
			/* ReadyForQuery came alone: it was a good login, of a server that then misbehaves */
			sim_expect(c, "RKZ");
			assert_int_equal(fakepg_open(&s->pg), 0);
		}
		sim_free(s);
	}
}

static void every_cut_of_a_good_login(void **state)
{
	static const char login[] = "N\0\0\0\14SNOTICE\0" OK TZ "N\0\0\0\14SNOTICE\0" KEY TZ READY;
	size_t n = sizeof(login) - 1;

	(void)state;
	for (size_t cut = 1; cut < n; cut++) {
		struct sim *s = begin(slice_of(login, cut));
		struct sim_client *c = sim_login(s, "joe", NULL);

		sim_expect(c, "");
		peer_say(&fakepg_conn(&s->pg, 0)->p, login + cut, n - cut);
		sim_expect(c, "RSKZ");
		sim_works(c);
		sim_free(s);
	}
}

/* Every length the wire can say, in front of a login's first message and of a parameter. */
static void lengths(void **state)
{
	static const unsigned char high[] = {0x00, 0x01, 0x7f, 0x80, 0xff};

	(void)state;
	for (size_t i = 0; i < sizeof(high); i++) {
		for (unsigned type = 0; type < 256; type += 3) {
			unsigned char raw[14] = OK;
			struct sim *s;
			struct sim_client *c;

			raw[9] = (unsigned char)type;
			raw[10] = high[i];
			raw[11] = raw[12] = raw[13] = 0xff;
			s = begin(slice_of(raw, sizeof(raw)));
			c = sim_login(s, "joe", NULL);
			sim_expect_fatal(c, "08P01", "");
			sim_free(s);
		}
	}
}

static void floods(void **state)
{
	static struct buf raw;

	(void)state;
	for (int what = 0; what < 4; what++) {
		struct sim *s;

		buf_init(&raw, 4u << 20);
		message_auth_ok(&raw);
		for (int i = 0; i < 5000; i++) {
			char name[32];

			snprintf(name, sizeof(name), what == 0 ? "p%d" : "p", i);
			if (what < 2)
				message_parameter_status(&raw, name, "x");
			else if (what == 2)
				message_notice(&raw, &(struct message_error){"NOTICE", "00000", "note", NULL, NULL});
			else
				message_parameter_status(&raw, "", "");
		}
		message_ready(&raw, 'I');
		s = begin(buf_slice(&raw));
		sim_expect_fatal(sim_login(s, "joe", NULL), "08P01", "");
		assert_int_equal(fakepg_open(&s->pg), 0);
		sim_free(s);
		buf_free(&raw);
	}
}

/* What a server says whose welcome does not fit into a client's socket at once. */
static void large_welcome(struct buf *raw)
{
	static char value[20001];

	buf_init(raw, 4u << 20);
	memset(value, 'v', 20000);
	message_auth_ok(raw);
	for (int i = 0; i < 30; i++) {
		char name[32];

		snprintf(name, sizeof(name), "p%d", i);
		message_parameter_status(raw, name, value);
	}
	message_backend_key(raw, 7, slice_of("abcd", 4));
	message_ready(raw, 'I');
}

/* What the client says meanwhile is answered behind it, whether it said so before it was welcomed, in the middle of that, or
 * both. */
static void a_large_welcome(void **state)
{
	struct buf raw;
	struct sim *s;
	struct sim_client *c;

	(void)state;
	large_welcome(&raw);
	for (unsigned when = 1; when <= 3; when++) {
		s = begin(buf_slice(&raw));
		c = sim_login(s, "joe", NULL);
		if (when & 1)
			sim_query(c, "SELECT 1");
		c->p.deaf = true;
		sim_pass(s, 1 * SEC);
		if (when & 2)
			sim_query(c, "SELECT 1");
		sim_pass(s, 1 * SEC);
		c->p.deaf = false;
		sim_expect(c, when == 3 ? "RSKZCZCZ" : "RSKZCZ");
		assert_int_equal(strlen(params_get(&c->params, "p29")), 20000);
		sim_works(c);
		sim_free(s);
	}
	buf_free(&raw);
}

/* Whoever does not take it is not logged in yet, and has no more time for that than others. */
static void a_welcome_that_is_not_taken(void **state)
{
	struct buf raw;
	struct sim *s;
	struct sim_client *stuck, *slow;

	(void)state;
	large_welcome(&raw);
	s = begin(buf_slice(&raw));
	stuck = sim_login(s, "joe", NULL);
	slow = sim_login(s, "joe", NULL);
	stuck->p.deaf = slow->p.deaf = true;
	sim_pass(s, 59 * SEC);
	sim_query(stuck, "SELECT 1"); /* which buys it nothing */
	sim_settle(s);
	assert_int_equal(sim_stats(s)->clients, 2);
	slow->p.deaf = false;
	sim_expect(slow, "RSKZ");
	sim_pass(s, 2 * SEC);
	assert_int_equal(sim_stats(s)->clients, 1);
	assert_true(sim_logged(s, "did not take its welcome within client_login_timeout"));
	assert_int_equal(sim_stats(s)->client_errors[ERR_CLIENT_TIMEOUT], 1);
	sim_pass(s, 600 * SEC);
	sim_works(slow); /* once it has it, it has all the time */
	sim_free(s);
	buf_free(&raw);
}

/* It has closed its side, or pgiam stops, in the middle of it: it is given what is left if it takes that in time. */
static void a_welcome_in_the_middle_of_which_it_ends(void **state)
{
	struct buf raw;

	(void)state;
	large_welcome(&raw);
	for (int takes = 0; takes < 2; takes++) {
		for (int stop = 0; stop < 2; stop++) {
			struct sim *s = begin(buf_slice(&raw));
			struct sim_client *c = sim_login(s, "joe", NULL);

			c->p.deaf = true;
			sim_settle(s);
			if (stop) {
				sim_stop(s, 60 * SEC);
			} else {
				sim_query(c, "SELECT 1");
				sim_settle(s);
				shutdown(c->p.fd, SHUT_WR);
			}
			sim_pass(s, 4 * SEC);
			assert_int_equal(sim_stats(s)->clients, 1);
			if (takes) {
				c->p.deaf = false;
				sim_expect(c, stop ? "RSKZE" : "RSKZCZ");
				assert_true(sim_closed(c));
			}
			sim_pass(s, 2 * SEC);
			assert_int_equal(sim_stats(s)->clients, 0);
			sim_free(s);
		}
	}
	buf_free(&raw);
}

/* One that is beyond all reason is not cut short in silence. */
static void a_welcome_beyond_reason(void **state)
{
	static struct buf raw;
	static char value[29001];
	struct sim *s;
	struct sim_client *c;

	(void)state;
	buf_init(&raw, 8u << 20);
	memset(value, 'v', 29000);
	message_auth_ok(&raw);
	for (int i = 0; i < 100; i++) {
		char name[32];

		snprintf(name, sizeof(name), "p%d", i);
		message_parameter_status(&raw, name, value);
	}
	message_ready(&raw, 'I');
	s = begin(buf_slice(&raw));
	c = sim_login(s, "joe", NULL);
	sim_settle(s);
	assert_true(sim_closed(c));
	assert_string_equal(c->severity, "FATAL");
	sim_free(s);
	buf_free(&raw);
}

/* ---- in a session ---- */

/* While a query runs: whatever answers nothing, or is no message, ends the session with an error, and the server. */
static void nonsense_in_a_query(void **state)
{
	static const struct slice wrong[] = {
		B("?\0\0\0\4"),         B("\0\0\0\0\0"),     B("R\0\0\0\10\0\0\0\0"), B(KEY),
		B("Z\0\0\0\5x"),        B("Z\0\0\0\4"),      B("Z\0\0\0\6II"),        B("C\0\0\0\3"),
		B("D\377\377\377\377"), B("D\100\0\0\3"),    B("S\0\1\0\0"),          B("1\0\0\0\4"),
		B("2\0\0\0\4"),         B("s\0\0\0\4"),      B("n\0\0\0\4"),          B("t\0\0\0\6\0\0"),
		B("C\0\1\0\0"),         B("v\0\0\0\4"),      B("p\0\0\0\4"),          B("Q\0\0\0\5\0"),
	};

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
		for (size_t cut = 0; cut < wrong[i].n; cut++) {
			struct sim *s = begin(slice_of(NULL, 0));
			struct sim_client *c = sim_client(s);

			s->pg.mute = true;
			sim_query(c, "SELECT 1");
			sim_settle(s);
			peer_say(&s->pg.conns[0]->p, wrong[i].p, cut);
			sim_settle(s);
			peer_say(&s->pg.conns[0]->p, wrong[i].p + cut, wrong[i].n - cut);
			sim_expect_fatal(c, "08P01", "the server sent");
			sim_assert_servers(s, 0, 0);
			sim_free(s);
		}
	}
}

static void the_end_in_a_query(void **state)
{
	static const char reply[] = "T\0\0\0\6\0\0D\0\0\0\13\0\1\0\0\0\1xC\0\0\0\7OK\0Z\0\0\0\5I";
	size_t n = sizeof(reply) - 1;

	(void)state;
	for (size_t cut = 0; cut < n; cut++) {
		struct sim *s = begin(slice_of(NULL, 0));
		struct sim_client *c = sim_client(s);

		s->pg.mute = true;
		sim_query(c, "SELECT 1");
		sim_settle(s);
		peer_say(&fakepg_conn(&s->pg, 0)->p, reply, cut);
		fakepg_close(fakepg_conn(&s->pg, 0));
		sim_settle(s);
		assert_true(sim_closed(c));
		/* an error where a message may begin; a message cut short is left so */
		if (cut == 0 || cut == 7 || cut == 19 || cut == 27)
			assert_string_equal(c->sqlstate, "08006");
		s->pg.mute = false;
		sim_works(sim_client(s));
		sim_free(s);
	}
}

static void the_servers_own_last_words(void **state)
{
	struct sim *s = begin(slice_of(NULL, 0));
	struct sim_client *c = sim_client(s), *idle = sim_client(s);

	(void)state;
	sim_query(c, "FATAL");
	sim_expect_fatal(c, "57P01", "terminating connection due to administrator command");
	/* between queries, too */
	sim_works(idle);
	fakepg_error(fakepg_conn(&s->pg, 0), "FATAL", "57P01", "administrator");
	fakepg_close(fakepg_conn(&s->pg, 0));
	sim_expect_fatal(idle, "57P01", "administrator");
	sim_free(s);
}

/* The server dies of what pgiam itself asks it on a client's behalf, perhaps in the middle of its answer: the client is
 * told something all the same. */
static void last_words_nobody_was_to_hear(void **state)
{
	static const char *const more[] = {"application_name", "x", NULL};
	static const struct slice half = B("C\0\0\0\10SE");
	enum { NOTHING, HALF, FATAL, WORDS };

	(void)state;
	for (int words = 0; words < WORDS; words++) {
		struct sim *s = begin(slice_of(NULL, 0));
		struct sim_client *c = sim_login(s, "joe", more);

		sim_expect(c, "RSKZ");
		s->pg.mute = true;
		sim_query(c, "SELECT 1");
		sim_settle(s);
		assert_string_equal(fakepg_log(fakepg_conn(&s->pg, 0)), "Q:SET application_name = 'x';Q:SELECT 1;");
		if (words == HALF)
			peer_say(&fakepg_conn(&s->pg, 0)->p, half.p, half.n);
		if (words == FATAL)
			fakepg_error(fakepg_conn(&s->pg, 0), "FATAL", "57P01", "administrator");
		fakepg_close(fakepg_conn(&s->pg, 0));
		sim_settle(s);
		assert_true(sim_closed(c));
		assert_string_equal(c->said, "E");
		assert_string_equal(c->severity, "FATAL");
		sim_free(s);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(logins_that_are_none),
		cmocka_unit_test(logins_that_are_none_in_small_pieces),
		cmocka_unit_test(every_cut_of_a_good_login),
		cmocka_unit_test(lengths),
		cmocka_unit_test(floods),
		cmocka_unit_test(a_large_welcome),
		cmocka_unit_test(a_welcome_that_is_not_taken),
		cmocka_unit_test(a_welcome_in_the_middle_of_which_it_ends),
		cmocka_unit_test(a_welcome_beyond_reason),
		cmocka_unit_test(nonsense_in_a_query),
		cmocka_unit_test(the_end_in_a_query),
		cmocka_unit_test(the_servers_own_last_words),
		cmocka_unit_test(last_words_nobody_was_to_hear),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
