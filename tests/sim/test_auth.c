/* Clients that must prove who they are: each auth_type with each kind of secret, and what strangers can learn. */
#include "auth.h"

#include <stdio.h>
#include "pg/message.h"

#define PENALTY (600 * MS)

static const char *const users[] = {"plain", "md5", "scram", "empty", "nobody"};

static const char *const type_names[] = {"trust", "plain", "md5", "scram-sha-256"};

/* Which user can log in by which type; [type][user]. */
static const bool can[][5] = {
	[AUTH_TYPE_PLAIN] = {true, true, true, false, false},
	[AUTH_TYPE_MD5] = {true, true, true, false, false},
	[AUTH_TYPE_SCRAM] = {true, false, true, false, false},
};

/* Welcomed, or refused as PostgreSQL refuses. */
static bool logged_in(struct sim *s, struct sim_client *c, const char *user)
{
	char text[100];

	snprintf(text, sizeof(text), "password authentication failed for user \"%s\"", user);
	/* a hash may be on the helper thread */
	for (unsigned i = 0; i < 200 && !c->tx && !sim_closed(c); i++) {
		loop_turn(s->loop, 500);
		sim_pass(s, 10 * MS);
	}
	if (c->tx) {
		sim_works(c);
		return true;
	}
	assert_string_equal(c->sqlstate, "28P01");
	assert_string_equal(c->text, text);
	assert_string_equal(c->severity, "FATAL");
	assert_string_equal(c->hint, "");
	assert_true(sim_closed(c));
	return false;
}

static bool try_login(struct sim *s, const char *user, const char *password)
{
	struct sim_client *c = auth_client(s, user, "app");
	bool in;

	auth_answer(c, user, password);
	c->said_n = 0;
	c->said[0] = '\0';
	/* what came before is of no interest to sim_works */
	for (unsigned i = 0; i < 400 && !c->tx && !sim_closed(c); i++) {
		loop_turn(s->loop, 500);
		sim_pass(s, 10 * MS);
	}
	c->said_n = 0;
	c->said[0] = '\0';
	in = logged_in(s, c, user);
	sim_vanish(c);
	sim_settle(s);
	return in;
}

static void matrix(void **state)
{
	(void)state;
	for (enum auth_type t = AUTH_TYPE_PLAIN; t <= AUTH_TYPE_SCRAM; t++) {
		struct sim *s = auth_world(t, auth_all_kinds);

		for (unsigned i = 0; i < 5; i++) {
			if (try_login(s, users[i], "sesame") != can[t][i])
				fail_msg("auth_type %s, user %s: not as it should be", type_names[t], users[i]);
			if (try_login(s, users[i], "Sesame"))
				fail_msg("auth_type %s, user %s: let in with a wrong password", type_names[t], users[i]);
		}
		assert_true(sim_logged(s, "the password is wrong"));
		assert_false(sim_logged(s, "sesame"));
		auth_end(s);
	}
}

/* ---- what a stranger sees ---- */

/* Everything that is sent to a client until it is closed, but for the nonce and the salt of md5. */
static void transcript(struct sim *s, const char *user, const char *database, const char *password, struct buf *out)
{
	struct sim_client *c = auth_client(s, user, database);
	struct slice data;
	uint32_t request = auth_request(c, &data);

	buf_printf(out, "%u:", (unsigned)request);
	for (size_t i = 0; request != AUTH_MD5 && i < data.n; i++)
		buf_add_char(out, data.p[i] ? (char)data.p[i] : '.');
	auth_answer(c, user, password);
	buf_printf(out, "%u %zu", (unsigned)auth_request(c, &data), data.n);
	for (unsigned i = 0; i < 400 && !sim_closed(c); i++) {
		loop_turn(s->loop, 500);
		sim_pass(s, 10 * MS);
	}
	buf_printf(out, "%s %s %s %s", c->said, c->severity, c->sqlstate, c->text);
}

/* A user who is not there, and one who is, with a wrong password; a database that is there, and one that is not. */
static void alike(void **state)
{
	static const char *const files[] = {
		"\"there1\" \"secret\"\n",
		"\"there1\" \"md55d41402abc4b2a76b9719d911017c592\"\n",
		("\"there1\" \"SCRAM-SHA-256$8000:MDEyMzQ1Njc4OWFi$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:"
		 "wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=\"\n"),
	};

	(void)state;
	for (enum auth_type t = AUTH_TYPE_PLAIN; t <= AUTH_TYPE_SCRAM; t++) {
		for (unsigned f = 0; f < sizeof(files) / sizeof(*files); f++) {
			struct sim *s = auth_world(t, files[f]);
			struct buf texts[4];
			uint64_t hashes[4];

			for (unsigned i = 0; i < 4; i++) {
				const char *user = i % 2 ? "nobody" : "there1";

				buf_init(&texts[i], 8192);
				hashes[i] = sim_stats(s)->client_hashes;
				transcript(s, user, i < 2 ? "app" : "nowhere", "wrong", &texts[i]);
				hashes[i] = sim_stats(s)->client_hashes - hashes[i];
				for (const char *p; (p = strstr(buf_cstr(&texts[i]), user));)
					memcpy(texts[i].p + (p - buf_cstr(&texts[i])), "******", 6);
			}
			for (unsigned i = 1; i < 4; i++) {
				if (!slice_eq(buf_slice(&texts[i]), buf_slice(&texts[0])))
					fail_msg("%s, file %u: \"%s\" and \"%s\"", type_names[t], f, buf_cstr(&texts[0]),
					         buf_cstr(&texts[i]));
				assert_int_equal(hashes[i], hashes[0]); /* the work, too */
			}
			for (unsigned i = 0; i < 4; i++)
				buf_free(&texts[i]);
			auth_end(s);
		}
	}
}

/* The challenge for a name that does not exist is the same each time, and not the same for another name. */
static void mock_is_steady(void **state)
{
	struct sim *s = auth_world(AUTH_TYPE_SCRAM, auth_all_kinds);
	unsigned char salts[3][64];
	static const char *const names[] = {"ghost", "ghost", "spectre"};

	(void)state;
	for (unsigned i = 0; i < 3; i++) {
		struct sim_client *c = auth_client(s, names[i], "app");
		struct slice data;
		const unsigned char *salt;

		message_sasl_initial(&c->p.out, SCRAM_SHA_256, slice_str("n,,n=,r=abc"));
		sim_settle(s);
		assert_int_equal(auth_request(c, &data), AUTH_SASL_CONTINUE);
		salt = (const unsigned char *)strstr((const char *)data.p, ",s=");
		assert_non_null(salt);
		memcpy(salts[i], salt, 27);
	}
	assert_memory_equal(salts[0], salts[1], 27);
	assert_memory_not_equal(salts[0], salts[2], 27);
	auth_end(s);
}

/* The database is looked for after the password was right, not before. */
static void database_after(void **state)
{
	struct sim *s = auth_world(AUTH_TYPE_PLAIN, auth_all_kinds);
	struct sim_client *c = auth_client(s, "plain", "nowhere");

	(void)state;
	auth_say_password(c, "sesame");
	sim_expect_fatal(c, "3D000", "database \"nowhere\" does not exist");
	auth_end(s);
}

/* ---- what is out of order ---- */

static struct sim_client *asked(struct sim *s)
{
	struct sim_client *c = auth_client(s, "scram", "app");

	sim_expect(c, "R");
	return c;
}

static void wrong_messages(void **state)
{
	struct sim *s = auth_world(AUTH_TYPE_SCRAM, auth_all_kinds);
	struct sim_client *c;

	(void)state;
	c = asked(s);
	sim_query(c, "SELECT 1");
	sim_expect_fatal(c, "08P01", "expected SASL response, got message type 81");
	c = asked(s); /* a second startup packet (pitfall 73) */
	startup_write_message(&c->p.out, STARTUP_3_0, "plain", "app", NULL, NULL);
	sim_expect_fatal(c, "08P01", "expected SASL response, got message type 0");
	c = asked(s); /* its length is looked at before it is there (pitfall 12) */
	sim_send(c, "p\x7f\xff\xff\xff", 5);
	sim_expect_fatal(c, "08P01", "invalid message length");
	c = asked(s);
	sim_send(c, "p\0\0\0\3", 5);
	sim_expect_fatal(c, "08P01", "invalid message length");
	c = asked(s);
	auth_say_password(c, "sesame"); /* taken for the name of a mechanism */
	sim_expect_fatal(c, "08P01", "client selected an invalid SASL authentication mechanism");
	c = asked(s);
	auth_say_password(c, SCRAM_SHA_256);
	sim_expect_fatal(c, "08P01", "insufficient data left in message");
	c = asked(s);
	message_sasl_initial(&c->p.out, "OAUTHBEARER", slice_str("n,,\1auth=Bearer x\1\1"));
	sim_expect_fatal(c, "08P01", "client selected an invalid SASL authentication mechanism");
	c = asked(s); /* no TLS, no certificate to bind to */
	message_sasl_initial(&c->p.out, SCRAM_SHA_256_PLUS, slice_str("p=tls-server-end-point,,n=,r=abc"));
	sim_expect_fatal(c, "08P01", "client selected an invalid SASL authentication mechanism");
	c = asked(s);
	message_sasl_initial(&c->p.out, SCRAM_SHA_256, slice_str("n,,n=,r="));
	sim_expect_fatal(c, "08P01", "non-printable characters in SCRAM nonce");
	c = asked(s); /* the first message again in place of the last */
	message_sasl_initial(&c->p.out, SCRAM_SHA_256, slice_str("n,,n=,r=abc"));
	sim_expect(c, "R");
	message_sasl_response(&c->p.out, slice_str("n,,n=,r=abc"));
	sim_expect_fatal(c, "08P01", "malformed SCRAM message");
	assert_int_equal(s->pg.n, 0); /* nobody came near the server */
	auth_end(s);
}

/* Without an initial response the challenge is empty (RFC 4422). */
static void late_first(void **state)
{
	struct sim *s = auth_world(AUTH_TYPE_SCRAM, auth_all_kinds);
	struct sim_client *c = asked(s);
	struct slice data;

	(void)state;
	sim_send(c, "p\0\0\0\x16SCRAM-SHA-256\0\xff\xff\xff\xff", 23);
	sim_expect(c, "R");
	assert_int_equal(auth_request(c, &data), AUTH_SASL_CONTINUE);
	assert_int_equal(data.n, 0);
	message_sasl_response(&c->p.out, slice_str("n,,n=,r=abc"));
	sim_expect(c, "R");
	assert_int_equal(auth_request(c, &data), AUTH_SASL_CONTINUE);
	assert_true(data.n > 0);
	auth_end(s);
}

static void bad_passwords(void **state)
{
	struct sim *s = auth_world(AUTH_TYPE_PLAIN, auth_all_kinds);
	struct sim_client *c;

	(void)state;
	c = auth_client(s, "plain", "app");
	auth_say_password(c, "");
	sim_expect_fatal(c, "28P01", "empty password returned by client");
	c = auth_client(s, "plain", "app");
	sim_send(c, "p\0\0\0\x0bses\0me\0", 12);
	sim_expect_fatal(c, "08P01", "invalid password packet size");
	c = auth_client(s, "plain", "app");
	sim_send(c, "p\0\0\0\4", 5);
	sim_expect_fatal(c, "08P01", "invalid password packet size");
	c = auth_client(s, "plain", "app");
	sim_send(c, "p\0\0\x20\x05", 5); /* one more than may be */
	sim_expect_fatal(c, "08P01", "invalid message length");
	auth_end(s);
}

/* ---- time ---- */

/* It takes no longer than client_login_timeout, however the time is spent. */
static void login_timeout(void **state)
{
	struct sim *s = auth_world(AUTH_TYPE_PLAIN, auth_all_kinds);
	struct sim_client *c = auth_client(s, "plain", "app");

	(void)state;
	sim_expect(c, "R");
	sim_pass(s, 59 * SEC);
	assert_false(sim_closed(c));
	sim_pass(s, 2 * SEC);
	assert_true(sim_closed(c));
	sim_expect(c, "");
	auth_end(s);
}

/* Guessing costs time: the verdict on a wrong password is late, and nothing is read meanwhile. */
static void penalty(void **state)
{
	struct sim *s = auth_world(AUTH_TYPE_PLAIN, auth_all_kinds);
	struct sim_client *c = auth_client(s, "plain", "app");

	(void)state;
	auth_say_password(c, "wrong");
	auth_say_password(c, "sesame");
	sim_pass(s, 400 * MS);
	sim_expect(c, "R");
	sim_pass(s, PENALTY);
	sim_expect_fatal(c, "28P01", "password authentication failed for user \"plain\"");
	auth_end(s);
}

/* It goes away, is told to go, or the proxy stops, in every phase. */
static void leaving(void **state)
{
	struct sim *s = auth_world(AUTH_TYPE_PLAIN, auth_all_kinds);
	struct sim_client *c[4];

	(void)state;
	c[0] = auth_client(s, "scram", "app");
	sim_vanish(c[0]);
	sim_settle(s);
	c[1] = auth_client(s, "scram", "app");
	message_password(&c[1]->p.out, slice_str("sesame"));
	sim_client_pump(c[1]);
	loop_turn(s->loop, 0); /* the hash is on its way */
	sim_vanish(c[1]);
	c[2] = auth_client(s, "plain", "app");
	auth_say_password(c[2], "wrong");
	c[3] = auth_client(s, "plain", "app");
	auth_end(s); /* checks that nobody and nothing is left */
}

/* Those who only log in do not take the places of those who did; and who has a place keeps it. */
static void places(void **state)
{
	struct sim *s = auth_world(AUTH_TYPE_PLAIN, auth_all_kinds);
	struct sim_client *in;

	(void)state;
	s->opts.max_client_conn = 2;
	in = auth_client(s, "plain", "app");
	auth_say_password(in, "sesame");
	sim_expect(in, "RRSKZ");
	for (unsigned i = 0; i < 200; i++) {
		auth_client(s, "plain", "app");
		if (i % 20 == 0)
			sim_pass(s, 3 * SEC);
	}
	sim_works(in);
	sim_pass(s, 3 * SEC);
	in = auth_client(s, "plain", "app"); /* the oldest of the others makes room */
	auth_say_password(in, "sesame");
	sim_expect(in, "RRSKZ");
	auth_end(s);
}

/* ---- the file ---- */

static void file_changes(void **state)
{
	struct sim *s = auth_world(AUTH_TYPE_PLAIN, auth_all_kinds);

	(void)state;
	assert_true(try_login(s, "plain", "sesame"));
	auth_write(AUTH_FILE_USERS, "\"plain\" \"another\"\n");
	sim_pass(s, 2 * SEC);
	assert_false(try_login(s, "plain", "sesame"));
	assert_true(try_login(s, "plain", "another"));
	assert_true(sim_logged(s, "auth_file was read again"));
	auth_write(AUTH_FILE_USERS, "\"plain\" \"broken\n");
	sim_pass(s, 2 * SEC);
	assert_true(try_login(s, "plain", "another")); /* what it said before holds */
	assert_true(sim_logged(s, "line 1: behind the user there is no secret in double quotes"));
	assert_false(sim_logged(s, "broken\\n"));
	auth_write(AUTH_FILE_USERS, "\"plain\" \"third\"\n");
	sim_pass(s, 2 * SEC);
	assert_true(try_login(s, "plain", "third"));
	auth_end(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(matrix),         cmocka_unit_test(alike),         cmocka_unit_test(mock_is_steady),
		cmocka_unit_test(database_after), cmocka_unit_test(wrong_messages), cmocka_unit_test(late_first),
		cmocka_unit_test(bad_passwords),  cmocka_unit_test(login_timeout), cmocka_unit_test(penalty),
		cmocka_unit_test(leaving),        cmocka_unit_test(places),        cmocka_unit_test(file_changes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
