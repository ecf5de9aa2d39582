/* Logging in to servers that are slow, broken or full: what the client is told, and when. */
#include <semaphore.h>
#include "sim.h"
#include "base/mem.h"
#include "pg/parse.h"

/* A server that asks for a password by this method, and a client that knows it. */
static struct sim *begin(uint32_t auth)
{
	struct sim *s = sim_new();

	s->target.auth = auth == AUTH_OK ? TARGET_AUTH_NONE : TARGET_AUTH_PASSWORD;
	s->pg.auth = auth;
	s->pg.password = s->secret.secret;
	return s;
}

static void a_session(void **state)
{
	struct sim *s = begin(AUTH_OK);
	struct sim_client *c;

	(void)state;
	sim_start(s);
	c = sim_client(s);
	assert_string_equal(params_get(&c->params, "server_version"), "16.4");
	sim_works(c);
	sim_assert_servers(s, 0, 1);
	sim_say(c, "X");
	sim_settle(s);
	assert_true(sim_closed(c));
	assert_string_equal(fakepg_log(fakepg_conn(&s->pg, 0)), "Q:SELECT 1;Q:DISCARD ALL;");
	sim_assert_servers(s, 1, 0);
	sim_free(s);
}

static void passwords(void **state)
{
	static const uint32_t methods[] = {AUTH_CLEARTEXT, AUTH_SASL, AUTH_MD5};

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		struct sim *s = begin(methods[i]);
		struct sim_client *c;

		s->pg.watch = "sesame";
		sim_start(s);
		c = sim_login(s, "joe", NULL);
		sim_until(s, c->said_n > 0);
		sim_expect(c, "RSKZ");
		sim_works(c);
		assert_int_equal(s->secret.asked, 1);
		assert_int_equal(s->pg.heard, methods[i] == AUTH_CLEARTEXT);
		sim_free(s);
	}
}

/* The steps that come in a login by SCRAM. */
static const enum fakepg_step steps[] = {FAKEPG_ACCEPT, FAKEPG_STARTUP, FAKEPG_PASSWORD, FAKEPG_SCRAM,
                                         FAKEPG_PROVEN, FAKEPG_AUTH_OK, FAKEPG_PARAMS,  FAKEPG_KEY};
#define STEPS (sizeof(steps) / sizeof(*steps))

static void silence_at_each_step(void **state)
{
	(void)state;
	for (size_t i = 0; i < STEPS; i++) {
		struct sim *s = begin(AUTH_SASL);
		struct sim_client *c;

		s->pg.silent_at = steps[i];
		sim_start(s);
		c = sim_login(s, "joe", NULL);
		sim_settle(s);
		if (steps[i] >= FAKEPG_SCRAM) /* the hash is computed on a thread */
			sim_until(s, s->pg.conns[0]->packets == 3);
		sim_pass(s, 14 * SEC);
		sim_expect(c, "");
		assert_false(sim_closed(c));
		sim_pass(s, 2 * SEC);
		sim_expect_fatal(c, "08001", "server_connect_timeout");
		assert_int_equal(fakepg_open(&s->pg), 0);
		assert_int_equal(sim_db(s)->login_errors[ERR_LOGIN_TIMEOUT], 1);
		sim_free(s);
	}
}

struct busy {
	sem_t begun, over;
};

static void be_busy(void *data)
{
	struct busy *b = data;

	sem_post(&b->begun);
	sem_wait(&b->over);
}

static void nothing(void *data)
{
	(void)data;
}

/* The helper that computes hashes has other things to do, until the time is over: it is not the server that is slow. */
static void no_end_of_a_hash(void **state)
{
	struct busy helper;
	struct sim *s = begin(AUTH_SASL);
	struct sim_client *c;

	(void)state;
	sem_init(&helper.begun, 0, 0);
	sem_init(&helper.over, 0, 0);
	sim_start(s);
	assert_non_null(offload_start(s->offload, s->mail, be_busy, nothing, nothing, &helper));
	sem_wait(&helper.begun); /* the simulator's time would pass before the thread has run at all */
	c = sim_login(s, "joe", NULL);
	sim_pass(s, 14 * SEC);
	assert_int_equal(s->pg.conns[0]->packets, 2); /* it has had its turn, and waits for the proof */
	sim_expect(c, "");
	sim_pass(s, 2 * SEC);
	sim_expect_fatal(c, "08001", "server_connect_timeout (scram_hash)");
	assert_int_equal(fakepg_open(&s->pg), 0);
	sem_post(&helper.over);
	sim_free(s);
	sem_destroy(&helper.begun);
	sem_destroy(&helper.over);
}

static void the_end_at_each_step(void **state)
{
	(void)state;
	for (size_t i = 0; i < STEPS; i++) {
		struct sim *s = begin(AUTH_SASL);
		struct sim_client *c;

		s->pg.close_at = steps[i];
		sim_start(s);
		c = sim_login(s, "joe", NULL);
		sim_until(s, sim_closed(c));
		sim_expect_fatal(c, "08006", "closed the connection");
		assert_int_equal(sim_db(s)->login_errors[ERR_SERVER_CLOSED], 1);
		assert_int_equal(sim_db(s)->sv_login, 0);
		sim_free(s);
	}
}

static void an_error_at_each_step(void **state)
{
	(void)state;
	for (size_t i = 0; i < STEPS; i++) {
		struct sim *s = begin(AUTH_SASL);
		struct sim_client *c;

		s->pg.error_at = steps[i];
		s->pg.sqlstate = "3D000";
		sim_start(s);
		c = sim_login(s, "joe", NULL);
		sim_until(s, sim_closed(c));
		/* the server's own words, as a direct connection would show them */
		sim_expect_fatal(c, "3D000", steps[i] == FAKEPG_ACCEPT ? "from the first moment" : "the test says no");
		assert_int_equal(s->secret.refused, 0);
		sim_free(s);
	}
}

/* Who has not authenticated and is not of this machine sees no text of the server. */
static void strangers_see_no_server_text(void **state)
{
	struct sim *s = begin(AUTH_OK);
	struct sim_client *c;
	struct buf startup;

	(void)state;
	s->pg.error_at = FAKEPG_STARTUP;
	s->pg.sqlstate = "3D000";
	sim_start(s);
	c = sim_connect_remote(s);
	buf_init(&startup, 1024);
	startup_write_message(&startup, STARTUP_3_0, "joe", "app", NULL, NULL);
	sim_send(c, startup.p, startup.n);
	buf_free(&startup);
	sim_settle(s);
	assert_true(sim_closed(c));
	assert_string_equal(c->severity, "FATAL");
	assert_null(strstr(c->text, "the test says no"));
	sim_free(s);
}

static void no_server_at_all(void **state)
{
	struct sim *s = begin(AUTH_OK);
	struct sim_client *c;

	(void)state;
	free(s->target.host);
	s->target.host = mem_strdup("/nowhere/at/all");
	sim_start(s);
	c = sim_login(s, "joe", NULL);
	sim_expect_fatal(c, "08001", "connect: cannot connect to /nowhere/at/all");
	assert_int_equal(sim_db(s)->login_errors[ERR_CONNECT], 1);
	sim_free(s);
}

/* ---- again and again ---- */

static void new_clients_are_told_the_same_at_once(void **state)
{
	struct sim *s = begin(AUTH_OK);
	unsigned tries;

	(void)state;
	s->pg.error_at = FAKEPG_STARTUP;
	s->pg.sqlstate = "3D000";
	sim_start(s);
	sim_expect_fatal(sim_login(s, "joe", NULL), "3D000", "the test says no");
	tries = s->pg.n;
	assert_int_equal(tries, 1);
	for (int i = 0; i < 5; i++)
		sim_expect_fatal(sim_login(s, "joe", NULL), "3D000", "the test says no");
	assert_int_equal(s->pg.n, tries);
	/* after server_login_retry it is tried again, and only then */
	sim_pass(s, 1300 * MS);
	s->pg.error_at = FAKEPG_NEVER;
	sim_works(sim_client(s));
	sim_free(s);
}

static void tries_get_rarer(void **state)
{
	struct sim *s = begin(AUTH_OK);
	struct sim_client *c;
	unsigned at[3];

	(void)state;
	s->target.query_wait_timeout_us = 0;
	s->pg.error_at = FAKEPG_STARTUP;
	s->pg.sqlstate = "57P03"; /* starting up: nobody is told, everybody waits (pitfall 59) */
	sim_start(s);
	c = sim_login(s, "joe", NULL);
	for (int i = 0; i < 3; i++) {
		sim_pass(s, 60 * SEC);
		at[i] = s->pg.n;
	}
	sim_expect(c, "");
	assert_in_range(at[0], 22, 42);          /* 1 + 2 + 2 + 2 ..., each up to a quarter off */
	assert_in_range(at[1] - at[0], 22, 41);  /* never rarer than every 2 s or so: it may be back any moment */
	assert_in_range(at[2] - at[1], 22, 41);
	s->pg.error_at = FAKEPG_NEVER;
	sim_pass(s, 20 * SEC);
	sim_expect(c, "RSKZ");
	sim_works(c);
	sim_free(s);
}

/* Even without a pause to begin with. */
static void tries_do_not_spin(void **state)
{
	struct sim *s = begin(AUTH_OK);
	struct sim_client *c;

	(void)state;
	s->target.login_retry_us = 0;
	s->pg.error_at = FAKEPG_STARTUP;
	s->pg.sqlstate = "57P03";
	sim_start(s);
	c = sim_login(s, "joe", NULL);
	sim_pass(s, 60 * SEC);
	assert_in_range(s->pg.n, 22, 52);
	s->pg.error_at = FAKEPG_NEVER;
	sim_pass(s, 3 * SEC);
	sim_expect(c, "RSKZ");
	sim_free(s);
}

/* When a database comes back, its pgiams do not all come at the same moment. */
static void tries_are_spread(void **state)
{
	uint64_t least = UINT64_MAX, most = 0;

	(void)state;
	for (int i = 0; i < 12; i++) {
		struct sim *s = begin(AUTH_OK);
		uint64_t waited = 0;

		s->target.query_wait_timeout_us = 0;
		s->pg.error_at = FAKEPG_STARTUP;
		s->pg.sqlstate = "57P03";
		sim_start(s);
		sim_login(s, "joe", NULL);
		sim_settle(s);
		assert_int_equal(s->pg.n, 1);
		for (; s->pg.n < 2; waited += 20 * MS)
			sim_pass(s, 20 * MS);
		assert_in_range(waited, 740 * MS, 1300 * MS); /* server_login_retry, up to a quarter off */
		least = waited < least ? waited : least;
		most = waited > most ? waited : most;
		sim_free(s);
	}
	assert_true(most > least);
}

static void waiting_has_an_end(void **state)
{
	struct sim *s = begin(AUTH_OK);
	struct sim_client *c;

	(void)state;
	s->pg.error_at = FAKEPG_STARTUP;
	s->pg.sqlstate = "57P03";
	sim_start(s);
	c = sim_login(s, "joe", NULL);
	sim_pass(s, 119 * SEC);
	sim_expect(c, "");
	sim_pass(s, 2 * SEC);
	sim_expect_fatal(c, "08006", "query_wait_timeout");
	sim_free(s);
}

/* A client that was welcomed before is told only what waiting cannot mend. */
static void a_query_outlives_a_restart(void **state)
{
	struct sim *s = begin(AUTH_OK);
	struct sim_client *c;

	(void)state;
	sim_start(s);
	c = sim_client(s);
	fakepg_close(fakepg_conn(&s->pg, 0));
	sim_assert_servers(s, 0, 0);
	s->pg.close_at = FAKEPG_STARTUP;
	sim_query(c, "SELECT 1");
	sim_pass(s, 10 * SEC);
	sim_expect(c, "");
	/* others, who are only connecting, hear of it */
	sim_expect_fatal(sim_login(s, "joe", NULL), "08006", "closed");
	s->pg.close_at = FAKEPG_NEVER;
	sim_pass(s, 20 * SEC);
	sim_expect(c, "CZ");
	sim_free(s);
}

/* A login that leads to nothing counts as a failed one: it is not repeated without a pause. */
static void servers_that_close_behind_a_login(void **state)
{
	static const char login[] = "R\0\0\0\10\0\0\0\0K\0\0\0\14\0\0\0\1abcdZ\0\0\0\5I";
	struct sim *s = begin(AUTH_OK);
	struct sim_client *c;

	(void)state;
	s->pg.die_after = 50; /* the startup packet and the answer to it */
	s->pg.raw = slice_of(login, sizeof(login) - 1);
	sim_start(s);
	c = sim_login(s, "joe", NULL);
	sim_query(c, "SELECT 1");
	sim_pass(s, 10 * SEC);
	assert_true(sim_db(s)->server_logins > 0);
	assert_in_range(s->pg.n, 1, 20);
	assert_true(sim_logged(s, "right after the login"));
	s->pg.die_after = 0;
	s->pg.raw.n = 0;
	sim_pass(s, 2 * SEC);
	sim_works(sim_client(s));
	sim_free(s);
}

/* What such a server's words mean is known. */
static void a_kind_of_server_with_words_of_its_own(void **state)
{
	static const char says[] = "E\0\0\0\130SFATAL\0VFATAL\0C28000\0"
				   "MWrong user to action mapping. user: admin, action: DbConnect\0";
	struct sim *s = begin(AUTH_OK);
	struct sim_client *c;

	(void)state;
	s->target.profile = profile_get(PROFILE_DSQL);
	s->pg.raw = slice_of(says, sizeof(says));
	sim_start(s);
	c = sim_login(s, "joe", NULL);
	sim_expect_fatal(c, "28000", "Wrong user to action mapping");
	assert_non_null(strstr(c->hint, "dsql:DbConnectAdmin"));
	sim_free(s);
}

/* ---- refused secrets ---- */

static void a_refused_secret_is_tried_once_more(void **state)
{
	struct sim *s = begin(AUTH_CLEARTEXT);
	struct sim_client *c;

	(void)state;
	s->secret.secret = "old";
	s->secret.retry = true;
	sim_start(s);
	c = sim_login(s, "joe", NULL);
	sim_expect_fatal(c, "28P01", "password authentication failed");
	assert_int_equal(s->pg.n, 2);
	assert_int_equal(s->secret.asked, 2);
	assert_in_range(s->secret.refused, 1, 2);
	assert_int_equal(s->secret.refused_no, s->secret.refused);
	assert_int_equal(s->secret.explained, 2);
	/* and when a new one helps, nobody hears of the first */
	sim_pass(s, 2 * SEC);
	c = sim_login(s, "joe", NULL);
	loop_turn(s->loop, 0);
	while (s->secret.asked < 3)
		loop_turn(s->loop, 0), fakepg_pump(&s->pg), sim_client_pump(c);
	s->secret.secret = "sesame";
	sim_expect(c, "RSKZ");
	assert_int_equal(s->pg.n, 4);
	sim_free(s);
}

static void a_source_with_nothing_new_is_not_asked_again(void **state)
{
	struct sim *s = begin(AUTH_CLEARTEXT);

	(void)state;
	s->secret.secret = "old";
	s->pg.sqlstate = "28000";
	sim_start(s);
	sim_expect_fatal(sim_login(s, "joe", NULL), "28000", "password authentication failed");
	assert_int_equal(s->pg.n, 1);
	assert_int_equal(s->secret.asked, 1);
	assert_int_equal(s->secret.refused, 1);
	sim_free(s);
}

static void a_source_that_fails_or_hangs(void **state)
{
	struct sim *s = begin(AUTH_CLEARTEXT);
	struct sim_client *c;

	(void)state;
	s->secret.error = "no credentials anywhere";
	sim_start(s);
	sim_expect_fatal(sim_login(s, "joe", NULL), "28000", "no credentials anywhere");
	assert_int_equal(fakepg_open(&s->pg), 0);
	s->secret.error = NULL;
	s->secret.silent = true;
	sim_pass(s, 2 * SEC);
	c = sim_login(s, "joe", NULL);
	sim_settle(s);
	assert_int_equal(s->secret.pending, 1);
	sim_pass(s, 14 * SEC);
	assert_int_equal(s->secret.asked, 2);
	sim_pass(s, 4 * SEC);
	sim_expect(c, "");
	assert_true(sim_logged(s, "the credentials did not come within server_connect_timeout"));
	assert_int_equal(s->secret.asked, 3); /* the next attempt: a question only */
	assert_int_equal(s->pg.n, 1);
	assert_int_equal(s->secret.pending, 1);
	sim_free(s);
}

/* Two logins had begun with the secret that was changed then: the second refusal is no news. */
static void refusals_that_come_late(void **state)
{
	struct sim *s = begin(AUTH_CLEARTEXT);
	struct sim_client *c[3];

	(void)state;
	sim_start(s);
	c[0] = sim_client(s);
	sim_query(c[0], "HANG");
	sim_settle(s);
	s->pg.password = "new";
	s->secret.retry = true;
	for (int i = 1; i < 3; i++)
		c[i] = sim_client(s);
	s->pg.accepts = false;
	for (int i = 1; i < 3; i++)
		sim_query(c[i], "SELECT 1");
	sim_settle(s);
	s->pg.accepts = true;
	while (s->secret.asked < 3 || s->secret.pending > 0) { /* the old one goes out, twice */
		loop_turn(s->loop, 0);
		fakepg_pump(&s->pg);
		for (int i = 1; i < 3; i++)
			sim_client_pump(c[i]);
	}
	s->secret.secret = "new";
	for (int i = 1; i < 3; i++)
		sim_expect(c[i], "CZ");
	assert_int_equal(s->pg.n, 5);
	assert_int_equal(s->secret.refused, 1);
	sim_free(s);
}

/* ---- who logs in ---- */

static void the_source_names_the_user(void **state)
{
	static const uint32_t methods[] = {AUTH_OK, AUTH_CLEARTEXT, AUTH_MD5, AUTH_SASL};

	(void)state;
	for (size_t i = 0; i < sizeof(methods) / sizeof(*methods); i++) {
		struct sim *s = begin(methods[i]);
		struct sim_client *c;

		s->target.auth = TARGET_AUTH_PASSWORD;
		s->secret.names_user = true;
		s->secret.user = i % 2 ? "its_own" : NULL;
		sim_start(s);
		c = sim_login(s, "joe", NULL);
		sim_until(s, c->said_n > 0);
		sim_expect(c, "RSKZ");
		sim_works(c);
		assert_string_equal(fakepg_conn(&s->pg, 0)->user, i % 2 ? "its_own" : "joe");
		assert_int_equal(s->secret.asked, 1);
		sim_free(s);
	}
}

/* The server is not even dialled while nobody knows who logs in. */
static void a_source_that_names_nobody(void **state)
{
	struct sim *s = begin(AUTH_CLEARTEXT);
	struct sim_client *c;

	(void)state;
	s->secret.names_user = true;
	s->secret.error = "no such secret";
	sim_start(s);
	sim_expect_fatal(sim_login(s, "joe", NULL), "28000", "no such secret");
	assert_int_equal(s->pg.n, 0);
	s->secret.error = NULL;
	s->secret.silent = true;
	sim_pass(s, 2 * SEC);
	c = sim_login(s, "joe", NULL);
	sim_settle(s);
	assert_int_equal(s->secret.pending, 1);
	sim_pass(s, 18 * SEC);
	sim_expect(c, "");
	assert_true(sim_logged(s, "the credentials did not come within server_connect_timeout"));
	assert_int_equal(s->secret.pending, 1);
	assert_int_equal(s->pg.n, 0);
	sim_free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_session),
		cmocka_unit_test(passwords),
		cmocka_unit_test(silence_at_each_step),
		cmocka_unit_test(no_end_of_a_hash),
		cmocka_unit_test(the_end_at_each_step),
		cmocka_unit_test(an_error_at_each_step),
		cmocka_unit_test(strangers_see_no_server_text),
		cmocka_unit_test(no_server_at_all),
		cmocka_unit_test(a_kind_of_server_with_words_of_its_own),
		cmocka_unit_test(new_clients_are_told_the_same_at_once),
		cmocka_unit_test(tries_get_rarer),
		cmocka_unit_test(tries_do_not_spin),
		cmocka_unit_test(tries_are_spread),
		cmocka_unit_test(waiting_has_an_end),
		cmocka_unit_test(a_query_outlives_a_restart),
		cmocka_unit_test(servers_that_close_behind_a_login),
		cmocka_unit_test(a_refused_secret_is_tried_once_more),
		cmocka_unit_test(a_source_with_nothing_new_is_not_asked_again),
		cmocka_unit_test(a_source_that_fails_or_hangs),
		cmocka_unit_test(refusals_that_come_late),
		cmocka_unit_test(the_source_names_the_user),
		cmocka_unit_test(a_source_that_names_nobody),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
