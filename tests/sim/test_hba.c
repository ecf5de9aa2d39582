/* auth_type = hba, cert and peer, as far as sockets without names go; tests/e2e/test_client_auth.py has the rest. */
#include "auth.h"

#include "pg/message.h"

static struct sim *world(const char *lines)
{
	return auth_world_of(AUTH_TYPE_HBA, auth_all_kinds, lines, NULL);
}

static struct sim_client *remote(struct sim *s, const char *user)
{
	struct sim_client *c = sim_connect_remote(s);

	startup_write_message(&c->p.out, STARTUP_3_0, user, "app", NULL, NULL);
	sim_settle(s);
	return c;
}

static void first_line_that_fits(void **state)
{
	struct sim *s = world("host all plain 127.0.0.0/8 trust\n"
	                      "host all mallory all reject\n"
	                      "hostssl all all 192.0.2.0/24 trust\n"
	                      "host app plain 192.0.2.0/24 password\n");
	struct sim_client *c;

	(void)state;
	c = auth_client(s, "plain", "app");
	sim_expect(c, "RSKZ");
	c = remote(s, "plain"); /* the same user, from elsewhere */
	sim_expect(c, "R");
	auth_say_password(c, "sesame");
	sim_expect(c, "RSKZ");
	c = remote(s, "scram");
	sim_expect_fatal(c, "28000",
	                 "no pg_hba.conf entry for host \"192.0.2.1\", user \"scram\", database \"app\", no encryption");
	c = auth_client(s, "mallory", "app");
	sim_expect_fatal(c, "28000",
	                 "pg_hba.conf rejects connection for host \"127.0.0.1\", user \"mallory\", database \"app\", no encryption");
	c = auth_client(s, "nobody", "nowhere");
	sim_expect_fatal(c, "28000", "no pg_hba.conf entry for host \"127.0.0.1\", user \"nobody\", database \"nowhere\"");
	auth_end(s);
}

/* With that value of the startup parameter, the line for physical replication, a reject, is this client's or is not. */
static void replicates(struct sim *s, struct sim_client *c, const char *value, bool physical)
{
	struct params p;

	params_init(&p);
	params_set(&p, slice_str("replication"), slice_str(value));
	startup_write_message(&c->p.out, STARTUP_3_0, "plain", "app", &p, NULL);
	params_free(&p);
	sim_settle(s);
	if (physical)
		sim_expect_fatal(c, "28000", "pg_hba.conf rejects connection for host");
	else
		sim_expect(c, "R");
}

/* "all" is no line for physical replication, as in PostgreSQL; what is physical its bool says. */
static void replication_has_lines_of_its_own(void **state)
{
	static const struct {
		const char *value;
		bool physical;
	} cases[] = {{"true", true}, {"1", true}, {"database", false}, {"Off", false}, {"0", false}};
	struct sim *s = world("host all plain 127.0.0.0/8 password\nhost replication plain 127.0.0.0/8 reject\n");

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		replicates(s, sim_connect(s), cases[i].value, cases[i].physical);
	auth_end(s);
}

/* Rule 6: a remote client under trust has proven nothing. */
static void trust_is_no_login(void **state)
{
	struct sim *s = world("host all all 127.0.0.0/8 trust\nhost all scram all trust\nhost all all all password\n");
	struct sim_client *c;

	(void)state;
	s->pg.error_at = FAKEPG_STARTUP;
	s->pg.sqlstate = "53300";
	c = remote(s, "scram");
	sim_expect_fatal(c, "08004", "could not log in to the database server");
	sim_pass(s, 20 * SEC);
	c = remote(s, "plain");
	auth_say_password(c, "sesame");
	sim_settle(s);
	assert_string_equal(c->sqlstate, "53300"); /* the server's own */
	auth_end(s);
}

static void no_certificate_no_peer(void **state)
{
	static const struct {
		enum auth_type type;
		const char *text, *why;
	} cases[] = {
		{AUTH_TYPE_CERT, "certificate authentication failed for user \"plain\"", "it has not asked for TLS"},
		{AUTH_TYPE_PEER, "Peer authentication failed for user \"plain\"", "peer is for unix sockets"},
	};

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		struct sim *s = auth_world(cases[i].type, auth_all_kinds);
		struct sim_client *c = auth_client(s, "plain", "app");

		sim_pass(s, 1 * SEC);
		sim_expect_fatal(c, "28000", cases[i].text);
		assert_true(sim_logged(s, cases[i].why));
		auth_end(s);
	}
}

/* What the server will take for an ordinary session is one for the lines, too, however it is spelt. */
static void replication_is_what_the_server_takes_for_it(void **state)
{
	static const struct {
		const char *value;
		bool physical;
	} cases[] = {
		{"true", true}, {"on", true}, {"yes", true}, {"1", true}, {"T", true},
		{"false", false}, {"fal", false}, {"F", false}, {"no", false}, {"n", false}, {"OF", false}, {"off", false},
		{"0", false}, {"database", false},
	};
	struct sim *s = world("host replication plain all reject\nhost all plain all password\n");

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		replicates(s, sim_connect_remote(s), cases[i].value, cases[i].physical);
	auth_end(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(first_line_that_fits),
		cmocka_unit_test(replication_has_lines_of_its_own),
		cmocka_unit_test(trust_is_no_login),
		cmocka_unit_test(no_certificate_no_peer),
		cmocka_unit_test(replication_is_what_the_server_takes_for_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
