/* Attacks that once worked. */
#include "sim.h"
#include "proxy/verdict.h"
#include <stdio.h>
#include "base/mem.h"
#include "pg/message.h"
#include "pg/parse.h"
#include "proxy/database.h"

static void report(struct fakepg_conn *c, const char *name, const char *value)
{
	struct buf b;

	buf_init(&b, 65536);
	message_parameter_status(&b, name, value);
	peer_say(&c->p, b.p, b.n);
	buf_free(&b);
}

/* A server connection that has served somebody and is idle. */
static struct sim *idling(void)
{
	struct sim *s = sim_new();
	struct sim_client *c;

	s->target.pool_size = 1;
	sim_start(s);
	c = sim_client(s);
	sim_works(c);
	sim_say(c, "X");
	sim_settle(s);
	sim_assert_servers(s, 1, 0);
	return s;
}

/* ---- the server ---- */

/* What an idle server reports is remembered: that had no bound, neither of memory nor of the time to find it again. */
static void parameters_without_end(void **state)
{
	struct sim *s = idling();
	char name[16];

	(void)state;
	for (unsigned i = 0; i < 300; i++) {
		snprintf(name, sizeof(name), "p%u", i);
		report(sim_server(s), name, "");
	}
	sim_settle(s);
	sim_assert_servers(s, 0, 0);
	assert_true(sim_logged(s, "reports parameters without end"));
	sim_works(sim_client(s));
	sim_free(s);
}

static void the_same_parameter_without_end(void **state)
{
	struct sim *s = idling();

	(void)state;
	for (unsigned i = 0; i < 1000; i++)
		report(sim_server(s), "TimeZone", i % 2 ? "UTC" : "GMT");
	sim_settle(s);
	sim_assert_servers(s, 1, 0);
	report(sim_server(s), "TimeZone", "GMT");
	sim_settle(s);
	sim_assert_servers(s, 0, 0);
	sim_free(s);
}

static void large_parameters(void **state)
{
	struct sim *s = idling();
	char *value = mem_zalloc(20001), name[16];

	(void)state;
	memset(value, 'x', 20000);
	for (unsigned i = 0; i < 100; i++)
		report(sim_server(s), "search_path", value + i); /* in the place of the one before */
	sim_settle(s);
	sim_assert_servers(s, 1, 0);
	for (unsigned i = 0; i < 50; i++) {
		snprintf(name, sizeof(name), "p%u", i);
		report(sim_server(s), name, value);
	}
	sim_settle(s);
	sim_assert_servers(s, 0, 0);
	free(value);
	sim_free(s);
}

/* A server that repeats the secret it was sent must not bring it into the log, or to a client. */
static void our_secret_in_the_servers_words(void **state)
{
	static const struct {
		enum secret_kind kind;
		const char *secret, *words;
		bool left_out;
	} tries[] = {
		{SECRET_PASSWORD, "open, sesame", "who says \"open, sesame\"?", true},
		{SECRET_PASSWORD, "open, sesame", "who says \"sesame\"?", false},
		{SECRET_PASSWORD, "joe", "user joe does not exist", false},
		{SECRET_IAM_TOKEN, "db:1/?X-Amz-Signature=0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
	         "no: X-Amz-Signature=0123", true},
		{SECRET_IAM_TOKEN, "db:1/?X-Amz-Signature=0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
	         "no: 0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef", true},
		{SECRET_IAM_TOKEN, "db:1/?X-Amz-Signature=0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
	         "PAM authentication failed for db:1", false},
		/* a piece that was cut at both ends */
		{SECRET_PASSWORD, "correct horse battery staple", "no: rrect horse battery st...", true},
		{SECRET_IAM_TOKEN, "db:1/?DBUser=the_application&X-Amz-Security-Token=IQoJb3JpZ2luX2VjEFAbCdEf&X-Amz-Signature=01",
		 "no: QoJb3JpZ2luX2VjEFAbCdE...", true},
		{SECRET_IAM_TOKEN, "db:1/?DBUser=the_application&X-Amz-Security-Token=IQoJb3JpZ2luX2VjEFAbCdEf&X-Amz-Signature=01",
		 "PAM authentication failed for user the_application", false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(tries) / sizeof(*tries); i++) {
		struct sim *s = sim_new();
		struct sim_client *c;

		s->target.auth = TARGET_AUTH_PASSWORD;
		s->secret.secret = tries[i].secret;
		s->pg.auth = AUTH_CLEARTEXT;
		s->pg.silent_at = FAKEPG_PASSWORD;
		sim_start(s);
		c = sim_login(s, "joe", NULL);
		sim_settle(s);
		s->secret.ops.kind = tries[i].kind; /* a token needs TLS, which this server does not have */
		fakepg_error(sim_server(s), "FATAL", "42501", tries[i].words);
		sim_expect_fatal(c, "42501", tries[i].left_out ? "repeat the secret" : tries[i].words);
		if (tries[i].left_out)
			assert_false(sim_logged(s, tries[i].words));
		sim_free(s);
	}
}

/* ---- the client ---- */

/* What was kept for a packet full of parameters was twenty times its size, and that a thousand times (max_pools). */
static void packets_full_of_parameters(void **state)
{
	const char *more[2 * 200 + 1] = {NULL};
	char names[200][8];
	struct sim *s = sim_new();

	(void)state;
	sim_start(s);
	for (unsigned i = 0; i < 200; i++) {
		snprintf(names[i], sizeof(names[i]), "p%u", i);
		more[2 * i] = names[i];
		more[2 * i + 1] = "";
	}
	sim_expect_fatal(sim_login(s, "joe", more), "54000", "startup parameters");
	assert_int_equal(sim_db(s)->pools, 0);
	more[2 * 100] = NULL;
	sim_expect(sim_login(s, "joe", more), "RSKZ");
	sim_free(s);
}

/* Names that nobody knows, asked for by somebody who may connect, brought the rate of everybody's logins down to one in
 * two seconds: a refused token was taken for an overloaded server. */
static void unknown_users_do_not_slow_down_logins(void **state)
{
	struct sim *s = sim_new();
	struct verdict_input in;
	struct database *d;
	struct err e;

	(void)state;
	s->target.auth = TARGET_AUTH_IAM;
	s->target.profile = profile_get(PROFILE_RDS);
	s->target.login_rate = s->target.profile->login_rate;
	s->target.login_rate_max = s->target.profile->login_rate_max;
	sim_start(s);
	d = database_new(s->targets[0], s->loop, NULL, NULL);
	err_set(&e, ERR_AUTH_IAM, "PAM authentication failed");
	for (unsigned i = 0; i < 10; i++) {
		in = (struct verdict_input){.code = e.code, .class = err_class(&e), .retried = i & 1};
		database_login_done(d, &e, verdict_of(&in)->outcome);
	}
	assert_true(d->governor.rate == 10);
	in.known = true; /* somebody it knew yesterday */
	database_login_done(d, &e, verdict_of(&in)->outcome);
	assert_true(d->governor.rate == 5);
	database_free(d);
	sim_free(s);
}

/* As many connections as there may be, and none says a word: they kept everybody out for client_login_timeout, and later
 * for two seconds, which was as good if new ones kept coming. */
static void silent_connections_keep_nobody_out(void **state)
{
	struct sim *s = sim_new();
	struct sim_client *silent[8];

	(void)state;
	s->opts.max_client_conn = 4;
	s->opts.max_logins = 8;
	sim_start(s);
	for (int i = 0; i < 8; i++)
		silent[i] = sim_connect(s);
	sim_settle(s);
	sim_send(silent[0], "\0", 1); /* a byte is no step of a login */
	sim_settle(s);
	for (int i = 0; i < 4; i++)
		sim_works(sim_client(s)); /* at once */
	sim_expect_fatal(silent[0], "53300", "not logged in");
	for (int i = 1; i < 8; i++) /* one place was enough: nobody stays in it */
		assert_false(sim_closed(silent[i]));
	assert_int_equal(sim_stats(s)->clients, 11);
	sim_expect_fatal(sim_login(s, "joe", NULL), "53300", "max_client_conn");
	sim_free(s);
}

/* Whoever gets on is not pushed out before those that do not. */
static void newcomers_push_out_who_does_not_get_on(void **state)
{
	struct sim *s = sim_new();
	struct sim_client *slow, *silent;

	(void)state;
	s->opts.max_logins = 2;
	sim_start(s);
	slow = sim_connect(s);
	sim_settle(s);
	silent = sim_connect(s);
	sim_settle(s);
	assert_int_equal(sim_request(slow, SIM_GSS_REQUEST), 'N');
	sim_connect(s);
	sim_expect_fatal(silent, "53300", "not logged in");
	assert_false(sim_closed(slow));
	assert_true(proxy_make_room(s->proxy));
	sim_settle(s);
	assert_true(sim_closed(slow));
	assert_true(proxy_make_room(s->proxy));
	assert_false(proxy_make_room(s->proxy));
	sim_works(sim_client(s)); /* those who are in are not concerned */
	assert_false(proxy_make_room(s->proxy));
	sim_free(s);
}

/* One that does not even take its last words has no time for them: the place is free at once. */
static void pushed_out_and_deaf(void **state)
{
	struct sim *s = sim_new();

	(void)state;
	s->opts.max_logins = 2;
	sim_start(s);
	for (int i = 0; i < 2; i++)
		sim_connect_deaf(s);
	sim_settle(s);
	for (unsigned i = 0; i < 2; i++) {
		assert_int_equal(sim_stats(s)->clients, 2 - i);
		assert_true(proxy_make_room(s->proxy));
	}
	assert_int_equal(sim_stats(s)->clients, 0);
	sim_works(sim_client(s));
	sim_free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(parameters_without_end),
		cmocka_unit_test(the_same_parameter_without_end),
		cmocka_unit_test(large_parameters),
		cmocka_unit_test(our_secret_in_the_servers_words),
		cmocka_unit_test(packets_full_of_parameters),
		cmocka_unit_test(unknown_users_do_not_slow_down_logins),
		cmocka_unit_test(silent_connections_keep_nobody_out),
		cmocka_unit_test(newcomers_push_out_who_does_not_get_on),
		cmocka_unit_test(pushed_out_and_deaf),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
