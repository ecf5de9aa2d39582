/* Credentials that cannot be had: what is worth waiting for is waited for, by those who are only just connecting as well,
 * and the rest is told at once. */
#include "sim.h"
#include "pg/parse.h"

/* A server that asks for a password which nobody has. */
static struct sim *begin(enum err_code code, bool names_user)
{
	struct sim *s = sim_new();

	s->target.auth = TARGET_AUTH_PASSWORD;
	s->pg.auth = AUTH_CLEARTEXT;
	s->pg.password = s->secret.secret;
	s->secret.error = "imds: status 503";
	s->secret.error_code = code;
	s->secret.names_user = names_user;
	sim_start(s);
	return s;
}

static unsigned count(struct sim *s, const char *text)
{
	unsigned n = 0;

	for (const char *at = buf_cstr(&s->log_text); (at = strstr(at, text)); at++)
		n++;
	return n;
}

static void waited_for(void **state)
{
	(void)state;
	for (int names_user = 0; names_user < 2; names_user++) {
		struct sim *s = begin(ERR_CREDENTIALS_AWAY, names_user);
		struct sim_client *c = sim_login(s, "joe", NULL);

		sim_pass(s, 60 * SEC);
		sim_expect(c, "");
		/* asked for all the time, and never in a hurry; the database notices nothing, and the log little */
		assert_in_range(s->secret.asked, 60, 60 * 2);
		assert_int_equal(s->pg.n, names_user ? 0 : 1);
		assert_in_range(count(s, "login failed"), 2, 60 / 10 + 1);
		s->secret.error = NULL;
		sim_pass(s, 1 * SEC);
		sim_expect(c, "RSKZ");
		sim_works(c);
		sim_free(s);
	}
}

/* Many pools, and a source that never had anything yet: not one connection, and all are served when it is there. */
static void nobody_is_dialled(void **state)
{
	static const enum err_code codes[] = {ERR_CREDENTIALS_AWAY, ERR_CREDENTIALS, ERR_REGION};
	enum { POOLS = 15 };
	struct sim_client *c[POOLS];
	char user[8];

	(void)state;
	for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
		struct sim *s = begin(codes[i], false);

		s->secret.away = true;
		for (unsigned turn = 0; turn < 20; turn++) {
			for (unsigned n = 0; n < POOLS && (turn == 0 || sim_closed(c[0])); n++) {
				snprintf(user, sizeof(user), "joe%u", n);
				c[n] = sim_login(s, user, NULL);
			}
			sim_pass(s, 1 * SEC);
		}
		assert_int_equal(s->pg.n, 0);
		assert_int_equal(sim_closed(c[0]), codes[i] != ERR_CREDENTIALS_AWAY);
		s->secret.error = NULL;
		sim_pass(s, 1 * SEC);
		for (unsigned n = 0; n < POOLS && sim_closed(c[n]); n++) {
			snprintf(user, sizeof(user), "joe%u", n);
			c[n] = sim_login(s, user, NULL);
		}
		sim_pass(s, 1 * SEC);
		for (unsigned n = 0; n < POOLS; n++) {
			sim_expect(c[n], "RSKZ");
			sim_works(c[n]);
		}
		assert_int_equal(s->pg.n, POOLS);
		sim_free(s);
	}
}

/* The server has its whole time, however long the source took of its own. */
static void the_source_takes_its_time(void **state)
{
	struct sim *s = begin(ERR_CREDENTIALS_AWAY, true);
	struct sim_client *c;

	(void)state;
	s->secret.error = NULL;
	s->secret.silent = true;
	s->pg.silent_at = FAKEPG_STARTUP;
	c = sim_login(s, "joe", NULL);
	sim_pass(s, 14 * SEC);
	assert_int_equal(s->pg.n, 0);
	s->secret.silent = false;
	sim_secret_answer(s);
	sim_pass(s, 14 * SEC);
	assert_int_equal(s->pg.n, 1);
	assert_int_equal(fakepg_open(&s->pg), 1);
	sim_expect(c, "");
	sim_pass(s, 2 * SEC);
	sim_expect_fatal(c, "08001", "no end within server_connect_timeout (auth)");
	sim_free(s);
}

static void not_for_ever(void **state)
{
	struct sim *s = begin(ERR_CREDENTIALS_AWAY, false);
	struct sim_client *c = sim_login(s, "joe", NULL);

	(void)state;
	sim_pass(s, 119 * SEC);
	sim_expect(c, "");
	sim_pass(s, 2 * SEC);
	sim_expect_fatal(c, "08006", "query_wait_timeout");
	assert_non_null(strstr(c->detail, "imds: status 503"));
	assert_non_null(strstr(c->hint, "goes on asking"));
	sim_free(s);
}

/* Nor does anybody hear of it whose query waits. */
static void a_query_waits(void **state)
{
	struct sim *s = begin(ERR_CREDENTIALS_AWAY, false);
	struct sim_client *c;

	(void)state;
	s->secret.error = NULL;
	c = sim_client(s);
	fakepg_close(fakepg_conn(&s->pg, 0));
	sim_assert_servers(s, 0, 0);
	s->secret.error = "imds: status 503";
	sim_query(c, "SELECT 1");
	sim_pass(s, 60 * SEC);
	sim_expect(c, "");
	s->secret.error = NULL;
	sim_pass(s, 3 * SEC);
	sim_expect(c, "CZ");
	sim_free(s);
}

static void told_at_once(void **state)
{
	struct sim *s = begin(ERR_CREDENTIALS, false);

	(void)state;
	sim_expect_fatal(sim_login(s, "joe", NULL), "28000", "imds: status 503");
	sim_expect_fatal(sim_login(s, "joe", NULL), "28000", "imds: status 503");
	assert_int_equal(s->secret.asked, 1);
	/* asked again for those who come later, the database is not */
	sim_pass(s, 1 * SEC);
	sim_expect_fatal(sim_login(s, "joe", NULL), "28000", "imds: status 503");
	assert_int_equal(s->secret.asked, 2);
	assert_int_equal(s->pg.n, 1);
	s->secret.error = NULL;
	sim_pass(s, 1 * SEC);
	sim_works(sim_client(s));
	sim_free(s);
}

/* What has another reason is told at once, and that it is told again is bounded. */
static void another_reason(void **state)
{
	struct sim *s = begin(ERR_CREDENTIALS_AWAY, true);

	(void)state;
	sim_login(s, "joe", NULL);
	sim_pass(s, 5 * SEC);
	assert_int_equal(count(s, "login failed"), 1);
	s->secret.error = "imds: nobody answers";
	sim_pass(s, 1 * SEC);
	assert_int_equal(count(s, "login failed"), 2);
	sim_pass(s, 24 * SEC);
	assert_int_equal(count(s, "login failed"), 4);
	assert_in_range(sim_db(s)->login_errors[ERR_CREDENTIALS_AWAY], 26, 60); /* all are counted */
	sim_free(s);
}

/* Rule 6: whoever is not of this machine and has proven nothing does not learn whose credentials they are. */
static void strangers_learn_nothing(void **state)
{
	static const enum err_code codes[] = {ERR_CREDENTIALS, ERR_CREDENTIALS_AWAY, ERR_REGION};

	(void)state;
	for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
		struct sim *s = begin(codes[i], i % 2);
		struct sim_client *c = sim_connect_remote(s);
		struct buf startup;

		s->secret.error = "the secret arn:aws:secretsmanager:us-east-1:123456789012:secret:x: status 403";
		buf_init(&startup, 1024);
		startup_write_message(&startup, STARTUP_3_0, "joe", "app", NULL, NULL);
		sim_send(c, startup.p, startup.n);
		buf_free(&startup);
		sim_pass(s, 130 * SEC);
		assert_true(sim_closed(c));
		assert_string_equal(c->severity, "FATAL");
		assert_null(strstr(c->text, "arn:"));
		assert_string_equal(c->detail, "");
		assert_true(sim_logged(s, "arn:aws:secretsmanager"));
		sim_free(s);
	}
}

/* Nobody answers at all: it is not the server that is slow, so newcomers wait here, too. */
static void silence(void **state)
{
	(void)state;
	for (int names_user = 0; names_user < 2; names_user++) {
		struct sim *s = begin(ERR_CREDENTIALS_AWAY, names_user);
		struct sim_client *c;

		s->secret.silent = true;
		c = sim_login(s, "joe", NULL);
		sim_pass(s, 40 * SEC);
		sim_expect(c, "");
		assert_true(sim_logged(s, "the credentials did not come within server_connect_timeout"));
		s->secret.silent = false;
		s->secret.error = NULL;
		sim_pass(s, 20 * SEC);
		sim_expect(c, "RSKZ");
		sim_free(s);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(waited_for),   cmocka_unit_test(not_for_ever), cmocka_unit_test(a_query_waits),
		cmocka_unit_test(told_at_once), cmocka_unit_test(silence),      cmocka_unit_test(strangers_learn_nothing),
		cmocka_unit_test(nobody_is_dialled), cmocka_unit_test(the_source_takes_its_time), cmocka_unit_test(another_reason),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
