/* From a client's first byte to its welcome: requests and packets in every form and pieces, time-outs, TLS, and who is
 * kept out. */
#include <signal.h>
#include "sim.h"
#include "base/mem.h"

#define STARTUP     "\0\0\0\37\0\3\0\0user\0joe\0database\0app\0\0"

static struct sim_client *says(struct sim *s, const void *bytes, size_t n)
{
	struct sim_client *c = sim_connect(s);

	sim_send(c, bytes, n);
	return c;
}

static void every_cut_of_a_startup_packet(void **state)
{
	static const char all[] = STARTUP "Q\0\0\0\15SELECT 1";
	size_t n = sizeof(all); /* with the query's NUL */
	struct sim *s = sim_begin(4, NULL);

	(void)state;
	for (size_t cut = 1; cut < n; cut++) {
		struct sim_client *c = says(s, all, cut);

		sim_settle(s);
		sim_send(c, all + cut, n - cut);
		sim_expect(c, "RSKZCZ");
		sim_say(c, "X");
		sim_settle(s);
		assert_true(sim_closed(c));
	}
	sim_free(s);
}

static void packets_that_are_none(void **state)
{
	static const struct {
		const char *bytes;
		size_t n;
		const char *sqlstate;
	} wrong[] = {
		{"\0\0\0\0", 4, "08P01"},
		{"\0\0\0\7", 4, "08P01"},
		{"\0\0\47\25", 4, "08P01"},
		{"\377\377\377\377", 4, "08P01"},
		{"\200\0\0\0", 4, "08P01"},
		{"GET / HTTP/1.1\r\n\r\n", 18, "08P01"},
		{"\0\0\0\10\0\4\0\0", 8, "0A000"},
		{"\0\0\0\10\4\322\26\61", 8, "0A000"},
		{"\0\0\0\11\0\3\0\0\0", 9, "28000"},
		{"\0\0\0\11\0\3\0\0x", 9, "28000"}, /* a terminator may be any byte */
		{"\0\0\0\23\0\3\0\0user\0joe\0\0x", 19, "08P01"},
		{"\0\0\0\23\0\3\0\0user\0joe\0xx", 19, "08P01"},
		{"\0\0\0\17\0\3\0\0user\0\0\0", 15, "28000"},
	};
	struct sim *s = sim_begin(4, NULL);

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++)
		sim_expect_fatal(says(s, wrong[i].bytes, wrong[i].n), wrong[i].sqlstate, "");
	assert_int_equal(s->pg.n, 0);
	sim_free(s);
}

/* Pitfalls 2 and 3: each kind of request once, in any order. */
/* What comes behind a request before its answer could be anybody's. The answer comes first, as from PostgreSQL. */
static void bytes_behind_a_request(void **state)
{
	static const struct {
		const char *bytes;
		size_t n;
		const char *text;
	} wrong[] = {
		{SIM_SSL_REQUEST SIM_SSL_REQUEST, 16, "unencrypted data after SSL request"},
		{SIM_SSL_REQUEST STARTUP, 8 + 31, "unencrypted data after SSL request"},
		{SIM_GSS_REQUEST "x", 9, "unencrypted data after GSSAPI encryption request"},
	};
	struct sim *s = sim_begin(4, NULL);

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
		struct sim_client *c = sim_connect(s);

		c->expect_byte = true;
		sim_send(c, wrong[i].bytes, wrong[i].n);
		sim_expect_fatal(c, "08P01", wrong[i].text);
		assert_int_equal(c->byte, 'N');
	}
	assert_int_equal(s->pg.n, 0);
	sim_free(s);
}

static void requests_for_encryption(void **state)
{
	struct sim *s = sim_begin(4, NULL);
	struct sim_client *c;

	(void)state;
	for (int order = 0; order < 2; order++) {
		c = sim_connect(s);
		for (int i = 0; i < 2; i++)
			assert_int_equal(sim_request(c, i == order ? SIM_SSL_REQUEST : SIM_GSS_REQUEST), 'N');
		sim_send(c, STARTUP, 31);
		sim_expect(c, "RSKZ");
	}
	for (int gss = 0; gss < 2; gss++) {
		c = sim_connect(s);
		sim_request(c, gss ? SIM_GSS_REQUEST : SIM_SSL_REQUEST);
		sim_send(c, gss ? SIM_GSS_REQUEST : SIM_SSL_REQUEST, 8);
		sim_expect_fatal(c, "0A000", "unsupported frontend protocol");
	}
	sim_free(s);
}

static void silence(void **state)
{
	struct sim *s = sim_begin(4, NULL);
	struct sim_client *c[4];

	(void)state;
	c[0] = sim_connect(s);
	c[1] = says(s, STARTUP, 5);
	c[2] = sim_connect(s);
	c[2]->expect_byte = true;
	sim_send(c[2], SIM_SSL_REQUEST, 8);
	sim_pass(s, 30 * SEC);
	/* what trickles in buys no time */
	sim_send(c[1], &STARTUP[5], 5);
	c[3] = sim_client(s);
	sim_pass(s, 29 * SEC);
	for (int i = 0; i < 3; i++)
		assert_false(sim_closed(c[i]));
	sim_pass(s, 2 * SEC);
	for (int i = 0; i < 3; i++)
		assert_true(sim_closed(c[i]));
	sim_pass(s, 100 * SEC);
	sim_works(c[3]); /* once let in, it has all the time */
	for (int i = 0; i < 3; i++)
		sim_expect(c[i], "");
	assert_true(sim_logged(s, "no login within client_login_timeout"));
	assert_int_equal(sim_stats(s)->client_errors[ERR_CLIENT_TIMEOUT], 3);
	sim_free(s);
}

/* ---- who is kept out ---- */

static void some_users(struct sim *s)
{
	static const char *const users[] = {"joe", "ann", NULL};

	s->opts.client_users = users;
}

static void users(void **state)
{
	struct sim *s = sim_begin(4, some_users);

	(void)state;
	sim_works(sim_client_as(s, "ann"));
	sim_works(sim_client_as(s, "joe"));
	sim_expect_fatal(sim_login(s, "bob", NULL), "28000", "client_users");
	sim_expect_fatal(sim_login(s, "Joe", NULL), "28000", "client_users");
	sim_free(s);
}

static void databases(void **state)
{
	static const char other[] = "\0\0\0\37\0\3\0\0user\0joe\0database\0apq\0\0";
	struct sim *s = sim_begin(4, NULL);

	(void)state;
	sim_expect_fatal(says(s, other, 31), "3D000", "database \"apq\" does not exist");
	assert_int_equal(s->pg.n, 0);
	sim_free(s);
}

/* ---- what the server is asked for ---- */

static void startup_parameters_make_the_pool(void **state)
{
	static const char *const zone[] = {"TimeZone", "CET", "application_name", "one", NULL};
	static const char *const same[] = {"application_name", "two", "timezone", "CET", NULL};
	static const char *const none[] = {"application_name", "three", NULL};
	struct sim *s = sim_begin(4, NULL);
	struct sim_client *c;

	(void)state;
	c = sim_login(s, "joe", zone);
	sim_expect(c, "RSKZ");
	assert_string_equal(params_get(&c->params, "application_name"), "one");
	sim_works(c);
	assert_string_equal(params_get(&fakepg_conn(&s->pg, 0)->startup.params, "TimeZone"), "CET");
	assert_null(params_get(&fakepg_conn(&s->pg, 0)->startup.params, "application_name"));
	sim_say(c, "X");
	sim_settle(s);
	/* the same but for the application's name: the same server, told the new name */
	c = sim_login(s, "joe", same);
	sim_expect(c, "RSKZ");
	sim_works(c);
	assert_int_equal(s->pg.n, 1);
	assert_string_equal(fakepg_log(fakepg_conn(&s->pg, 0)),
	                    "Q:SET application_name = 'one';Q:SELECT 1;Q:DISCARD ALL;"
	                    "Q:SET application_name = 'two';Q:SELECT 1;");
	c = sim_login(s, "joe", none);
	sim_expect(c, "RSKZ");
	assert_int_equal(s->pg.n, 2);
	sim_free(s);
}

static void rds_proxy(struct sim *s)
{
	s->target.profile = profile_get(PROFILE_RDS_PROXY);
}

/* A SET would cost the session its place among those that RDS Proxy multiplexes. */
static void where_a_set_pins_the_name_goes_with_the_login(void **state)
{
	static const char *const one[] = {"application_name", "one", NULL};
	static const char *const two[] = {"application_name", "two", NULL};
	struct sim *s = sim_begin(4, rds_proxy);
	struct sim_client *c = sim_login(s, "joe", one), *other;

	(void)state;
	sim_expect(c, "RSKZ");
	assert_string_equal(params_get(&c->params, "application_name"), "one");
	sim_works(c);
	assert_string_equal(params_get(&fakepg_conn(&s->pg, 0)->startup.params, "application_name"), "one");
	assert_string_equal(fakepg_log(fakepg_conn(&s->pg, 0)), "Q:SELECT 1;");
	sim_say(c, "X");
	sim_settle(s);
	/* and so it is somebody else's server */
	other = sim_login(s, "joe", two);
	sim_expect(other, "RSKZ");
	sim_works(other);
	assert_int_equal(s->pg.n, 2);
	assert_string_equal(params_get(&fakepg_conn(&s->pg, 1)->startup.params, "application_name"), "two");
	sim_free(s);
}

/* Which depends on its version. It is told before there is a server for the client, and has to stay true then. */
static void a_name_is_told_as_the_server_shows_it(void **state)
{
	static const char *const more[] = {"application_name", "caf\xc3\xa9", NULL};
	static const char *const params[][5] = {
		{"server_version", "15.4", "application_name", "", NULL},
		{"server_version", "16.4", "application_name", "", NULL},
	};
	static const struct {
		const char *told, *asked;
	} wants[] = {
		{"caf??", "Q:SET application_name = 'caf?" "?';Q:SELECT 1;"},
		{"caf\\xc3\\xa9", "Q:SET application_name =  E'caf\\\\xc3\\\\xa9';Q:SELECT 1;"},
	};

	(void)state;
	for (int i = 0; i < 2; i++) {
		struct sim *s = sim_new();
		struct sim_client *c;

		s->pg.params = params[i];
		sim_start(s);
		c = sim_login(s, "joe", more);
		sim_expect(c, "RSKZ");
		assert_string_equal(params_get(&c->params, "application_name"), wants[i].told);
		sim_works(c);
		assert_string_equal(fakepg_log(fakepg_conn(&s->pg, 0)), wants[i].asked);
		sim_free(s);
	}
	{ /* what goes with the login goes as it is, and what the server makes of it is what it says */
		struct sim *s = sim_begin(4, rds_proxy);
		struct sim_client *c = sim_login(s, "joe", more);

		sim_expect(c, "RSKZ");
		assert_string_equal(params_get(&fakepg_conn(&s->pg, 0)->startup.params, "application_name"), more[1]);
		assert_string_equal(params_get(&c->params, "application_name"), more[1]);
		sim_free(s);
	}
}

/* What is hidden from the client is hidden wholly, and what is not comes whole. */
static void the_name_is_set_behind_the_clients_back(void **state)
{
	static const char *const more[] = {"application_name", "x'; DROP TABLE t; --\\", NULL};
	struct sim *s = sim_begin(4, NULL);
	struct sim_client *c = sim_login(s, "joe", more);

	(void)state;
	sim_expect(c, "RSKZ");
	s->pg.mute = true;
	sim_query(c, "SELECT 1");
	sim_settle(s);
	assert_string_equal(fakepg_log(fakepg_conn(&s->pg, 0)),
	                    "Q:SET application_name =  E'x''; DROP TABLE t; --\\\\';Q:SELECT 1;");
	sim_answer(s, "NC");
	sim_expect(c, "");
	sim_answer(s, "S"); /* a reloaded configuration: that is the client's */
	sim_expect(c, "S");
	sim_answer(s, "ZTDC");
	sim_expect(c, "TDC");
	sim_answer(s, "Z");
	sim_expect(c, "Z");
	sim_free(s);
}

/* ---- TLS ---- */

struct tls_world {
	struct tls_live *live;
	SSL_CTX *client;
};

static int tls_setup(void **state)
{
	struct tls_world *w = mem_zalloc(sizeof(*w));
	struct err e;
	struct tls_ctx *ctx = tls_server_ctx_new(&(struct tls_opts){.host_name = "localhost"}, &e);

	assert_non_null(ctx);
	w->live = tls_live_new(ctx);
	w->client = SSL_CTX_new(TLS_client_method());
	assert_non_null(w->client);
	*state = w;
	return 0;
}

static int tls_teardown(void **state)
{
	struct tls_world *w = *state;

	tls_live_unref(w->live);
	SSL_CTX_free(w->client);
	free(w);
	return 0;
}

/* A world where nobody is let in without TLS. */
static struct sim *tls_begin(struct tls_world *w)
{
	struct sim *s = sim_new();

	s->opts.client_tls = w->live;
	s->opts.client_tls_required = true;
	sim_start(s);
	return s;
}

static struct sim_client *tls_connect(struct sim *s, struct tls_world *w)
{
	struct sim_client *c = sim_connect(s);

	assert_int_equal(sim_request(c, SIM_SSL_REQUEST), 'S');
	peer_tls_connect(&c->p, w->client);
	return c;
}

static void a_session_over_tls(void **state)
{
	struct tls_world *w = *state;
	struct sim *s = tls_begin(w);
	struct sim_client *c, *k;

	sim_expect_fatal(sim_login(s, "joe", NULL), "28000", "TLS required");
	c = tls_connect(s, w);
	sim_send(c, STARTUP, 31);
	sim_expect(c, "RSKZ");
	sim_query(c, "ROWS 300 20000");
	sim_expect(c, "TDCZ");
	assert_int_equal(c->rows, 300);
	assert_int_equal(sim_stats(s)->iobufs, 0);
	/* inside TLS there is no second one (pitfall 2) */
	k = tls_connect(s, w);
	sim_send(k, SIM_SSL_REQUEST, 8);
	sim_expect_fatal(k, "0A000", "unsupported frontend protocol");
	/* a cancel may come over TLS, or without (pitfall 14) */
	sim_query(c, "HANG");
	sim_settle(s);
	k = tls_connect(s, w);
	startup_write_cancel(&k->p.out, c->pid, slice_of(c->key, 4));
	sim_settle(s);
	assert_int_equal(s->pg.cancels, 1);
	sim_cancel(s, c);
	sim_settle(s);
	assert_int_equal(s->pg.cancels, 2);
	sim_free(s);
}

/* A ClientHello as the first thing (PostgreSQL 17). */
static struct sim_client *direct(struct sim *s, struct tls_world *w, const char *alpn)
{
	struct sim_client *c = sim_connect(s);

	if (alpn)
		SSL_CTX_set_alpn_protos(w->client, (const unsigned char *)alpn, (unsigned)strlen(alpn));
	peer_tls_connect(&c->p, w->client);
	SSL_CTX_set_alpn_protos(w->client, NULL, 0);
	return c;
}

static void direct_tls(void **state)
{
	struct tls_world *w = *state;
	struct sim *s = tls_begin(w);
	struct sim_client *c, *k;

	c = direct(s, w, "\012postgresql");
	sim_send(c, STARTUP, 31);
	sim_expect(c, "RSKZ");
	sim_query(c, "ROWS 300 20000");
	sim_expect(c, "TDCZ");
	/* TLS is there already: no, and then a second one is none; GSS is asked as without TLS */
	k = direct(s, w, "\012postgresql");
	assert_int_equal(sim_request(k, SIM_SSL_REQUEST), 'N');
	assert_int_equal(sim_request(k, SIM_GSS_REQUEST), 'N');
	sim_send(k, SIM_SSL_REQUEST, 8);
	sim_expect_fatal(k, "0A000", "unsupported frontend protocol");
	/* a cancel */
	sim_query(c, "HANG");
	sim_settle(s);
	k = direct(s, w, "\012postgresql");
	startup_write_cancel(&k->p.out, c->pid, slice_of(c->key, 4));
	sim_settle(s);
	assert_int_equal(s->pg.cancels, 1);
	sim_free(s);
}

static void direct_tls_that_is_refused(void **state)
{
	static const char *const alpn[] = {NULL, "\010http/1.1", "\012postgresql"};
	struct tls_world *w = *state;
	struct sim *s = sim_new();

	signal(SIGPIPE, SIG_IGN); /* of the client: OpenSSL's socket BIO writes to what was closed */
	for (int i = 0; i < 3; i++) {
		struct sim_client *c;

		s->opts.client_tls = i < 2 ? w->live : NULL; /* the last is right, but there is no TLS */
		sim_start(s);
		c = direct(s, w, alpn[i]);
		c->expect_raw = true;
		sim_settle(s);
		assert_true(sim_closed(c));
		assert_int_equal(s->pg.n, 0);
		assert_int_equal(sim_stats(s)->clients, 0);
		sim_end(s);
	}
	/* not once a packet was read */
	s->opts.client_tls = w->live;
	sim_start(s);
	{
		struct sim_client *c = sim_connect(s);

		sim_request(c, SIM_GSS_REQUEST);
		sim_send(c, "\x16\x03\x01\x02\x00\x01\x00\x01", 8);
		sim_settle(s);
		sim_expect_fatal(c, "08P01", "invalid length of startup packet");
	}
	sim_free(s);
}

static void handshakes_that_fail(void **state)
{
	struct tls_world *w = *state;
	struct sim *s = sim_new();
	struct sim_client *slow, *c;

	s->opts.client_tls = w->live;
	sim_start(s);
	slow = sim_connect(s);
	assert_int_equal(sim_request(slow, SIM_SSL_REQUEST), 'S');
	/* no TLS at all behind the S: a startup packet, nonsense, nothing */
	for (int i = 0; i < 3; i++) {
		c = sim_connect(s);
		sim_request(c, SIM_SSL_REQUEST);
		c->expect_raw = true; /* an alert, perhaps */
		if (i < 2)
			sim_send(c, i ? "nonsense" : STARTUP, i ? 8 : 31);
		else
			sim_vanish(c);
		sim_settle(s);
		assert_true(sim_closed(c));
		assert_int_equal(sim_stats(s)->clients, 1);
	}
	sim_pass(s, 61 * SEC);
	assert_true(sim_closed(slow));
	sim_free(s);
}

/* A client that was told parameters gets a server that reports none: there is nothing to tell. */
static void a_server_without_parameters(void **state)
{
	static const char *const none[] = {NULL};
	struct sim *s = sim_new();
	struct sim_client *c;

	(void)state;
	sim_start(s);
	c = sim_client(s);
	s->pg.params = none;
	fakepg_close(fakepg_conn(&s->pg, 0));
	sim_settle(s);
	sim_query(c, "SELECT 1");
	sim_pass(s, 2 * SEC);
	sim_expect(c, "CZ");
	sim_assert_servers(s, 0, 1);
	sim_free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_cut_of_a_startup_packet),
		cmocka_unit_test(packets_that_are_none),
		cmocka_unit_test(bytes_behind_a_request),
		cmocka_unit_test(requests_for_encryption),
		cmocka_unit_test(silence),
		cmocka_unit_test(users),
		cmocka_unit_test(databases),
		cmocka_unit_test(startup_parameters_make_the_pool),
		cmocka_unit_test(where_a_set_pins_the_name_goes_with_the_login),
		cmocka_unit_test(a_name_is_told_as_the_server_shows_it),
		cmocka_unit_test(the_name_is_set_behind_the_clients_back),
		cmocka_unit_test_setup_teardown(a_session_over_tls, tls_setup, tls_teardown),
		cmocka_unit_test_setup_teardown(direct_tls, tls_setup, tls_teardown),
		cmocka_unit_test_setup_teardown(direct_tls_that_is_refused, tls_setup, tls_teardown),
		cmocka_unit_test_setup_teardown(handshakes_that_fail, tls_setup, tls_teardown),
		cmocka_unit_test(a_server_without_parameters),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
