/* Where secrets go and where not (design rule 1): what was heard by a server that is not the right one is looked through
 * for the secret. */
#include <signal.h>
#include <sys/ioctl.h>
#include "../unit/io/kit.h"
#include "sim.h"
#include "base/mem.h"
#include "pg/parse.h"

struct fixture {
	struct kit_tls good, other; /* two CAs; both certificates say db.test */
	struct tls_ctx *unverified;
	SSL_CTX *server, *impostor;
};

static SSL_CTX *server_ctx(const struct kit_cert *c)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());

	if (!ctx || SSL_CTX_use_certificate(ctx, c->x) != 1 || SSL_CTX_use_PrivateKey(ctx, c->key) != 1)
		abort();
	return ctx;
}

static int setup(void **state)
{
	struct fixture *f = mem_zalloc(sizeof(*f));
	struct err e;

	signal(SIGPIPE, SIG_IGN); /* of the server: OpenSSL's socket BIO writes to what was closed */
	kit_tls_init(&f->good, "db.test", "DNS:db.test");
	kit_tls_init(&f->other, "db.test", "DNS:db.test");
	f->unverified = tls_client_ctx_new(&(struct tls_opts){.ca_file = f->good.ca_file, .verify = TLS_VERIFY_NONE}, &e);
	assert_non_null(f->unverified);
	f->server = server_ctx(&f->good.server);
	f->impostor = server_ctx(&f->other.server);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	SSL_CTX_free(f->server);
	SSL_CTX_free(f->impostor);
	tls_ctx_unref(f->unverified);
	kit_tls_fini(&f->good);
	kit_tls_fini(&f->other);
	free(f);
	return 0;
}

/* tls: pgiam's context, NULL for plaintext; server: the server's, NULL if it has none. */
static struct sim *begin(enum secret_kind kind, uint32_t auth, struct tls_ctx *tls, SSL_CTX *server)
{
	struct sim *s = sim_new();

	s->target.auth = kind == SECRET_IAM_TOKEN ? TARGET_AUTH_IAM : TARGET_AUTH_PASSWORD;
	s->target.tls = tls ? tls_live_new(tls_ctx_ref(tls)) : NULL;
	s->secret.ops.kind = kind;
	s->secret.secret = "sesame";
	s->pg.password = "sesame";
	s->pg.watch = "sesame";
	s->pg.auth = auth;
	s->pg.tls = server;
	return s;
}

/* The login fails so, without the secret having been asked for or heard. */
static void refused(struct sim *s, const char *sqlstate, const char *text)
{
	struct sim_client *c;

	sim_start(s);
	c = sim_login(s, "joe", NULL);
	sim_expect_fatal(c, sqlstate, text);
	assert_int_equal(s->secret.asked, 0);
	assert_false(s->pg.heard);
	assert_int_equal(fakepg_open(&s->pg), 0);
	sim_free(s);
}

static void a_token_over_verified_tls(void **state)
{
	struct fixture *f = *state;
	struct sim *s = begin(SECRET_IAM_TOKEN, AUTH_CLEARTEXT, f->good.client_ctx, f->server);
	struct sim_client *c;

	sim_start(s);
	c = sim_client(s);
	sim_works(c);
	assert_true(s->pg.heard);
	assert_int_equal(s->secret.asked, 1);
	assert_int_equal(sim_db(s)->tokens, 1);
	/* a cancel travels in the same way */
	sim_query(c, "HANG");
	sim_settle(s);
	sim_cancel(s, c);
	sim_settle(s);
	assert_int_equal(s->pg.cancels, 1);
	assert_non_null(strstr(fakepg_log(fakepg_conn(&s->pg, 0)), "HANG"));
	sim_free(s);
}

static void tokens_elsewhere(void **state)
{
	static const uint32_t methods[] = {AUTH_SASL, AUTH_MD5, AUTH_GSS, AUTH_SSPI, AUTH_KERBEROS_V5};
	struct fixture *f = *state;

	/* in the clear, not even where a password may */
	refused(begin(SECRET_IAM_TOKEN, AUTH_CLEARTEXT, NULL, NULL), "28000", "not verified TLS");
	/* encrypted, but to whom? */
	refused(begin(SECRET_IAM_TOKEN, AUTH_CLEARTEXT, f->unverified, f->server), "28000", "not verified TLS");
	/* to a server that wants something else */
	for (size_t i = 0; i < sizeof(methods) / sizeof(*methods); i++) {
		refused(begin(SECRET_IAM_TOKEN, methods[i], f->good.client_ctx, f->server), "28000",
		        "instead of an IAM token");
		refused(begin(SECRET_IAM_TOKEN, methods[i], NULL, NULL), "28000", "instead of an IAM token");
	}
}

static void passwords_elsewhere(void **state)
{
	static const uint32_t methods[] = {AUTH_CLEARTEXT, AUTH_SASL, AUTH_MD5};
	struct fixture *f = *state;

	for (size_t i = 0; i < 3; i++)
		refused(begin(SECRET_PASSWORD, methods[i], f->unverified, f->server), "28000", "not verified TLS");
	refused(begin(SECRET_PASSWORD, AUTH_GSS, f->good.client_ctx, f->server), "28000", "GSSAPI");
	refused(begin(SECRET_PASSWORD, AUTH_GSS, NULL, NULL), "28000", "GSSAPI");
}

/* Not even who logs in is told to an impostor. */
static void impostors(void **state)
{
	struct fixture *f = *state;
	struct sim *s = begin(SECRET_IAM_TOKEN, AUTH_CLEARTEXT, f->good.client_ctx, f->impostor);
	struct sim_client *c;

	sim_start(s);
	c = sim_login(s, "joe", NULL);
	sim_expect_fatal(c, "08001", "TLS");
	assert_false(s->pg.conns[0]->started);
	sim_free(s);
	/* the right CA, another name */
	s = begin(SECRET_IAM_TOKEN, AUTH_CLEARTEXT, f->good.client_ctx, f->server);
	free(s->target.tls_name);
	s->target.tls_name = mem_strdup("other.test");
	sim_start(s);
	c = sim_login(s, "joe", NULL);
	sim_expect_fatal(c, "08001", "TLS");
	assert_false(s->pg.conns[0]->started);
	sim_free(s);
}

static void answers_to_ssl_request(void **state)
{
	static const struct {
		const char *bytes;
		size_t n;
	} wrong[] = {
		{"N", 1}, {"E", 1}, {"X", 1}, {"\0", 1}, {"S\26\3\3\0\2\2\50", 8}, {"SS", 2}, {"NS", 2},
		{"EFATAL: sorry, too many clients already\n", 41}, {"R\0\0\0\10\0\0\0\3", 9},
		{"SR\0\0\0\10\0\0\0\3", 10},
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
		struct sim *s = begin(SECRET_IAM_TOKEN, AUTH_CLEARTEXT, f->good.client_ctx, f->server);

		s->pg.ssl_answer = slice_of(wrong[i].bytes, wrong[i].n);
		refused(s, "08001", "TLS");
	}
}

static void no_answer_to_ssl_request(void **state)
{
	struct fixture *f = *state;
	struct sim *s = begin(SECRET_IAM_TOKEN, AUTH_CLEARTEXT, f->good.client_ctx, f->server);
	struct sim_client *c;

	s->pg.silent_at = FAKEPG_SSL;
	sim_start(s);
	c = sim_login(s, "joe", NULL);
	sim_pass(s, 14 * SEC);
	sim_expect(c, "");
	sim_pass(s, 2 * SEC);
	sim_expect_fatal(c, "08001", "TLS: no answer within server_connect_timeout");
	sim_free(s);
	s = begin(SECRET_IAM_TOKEN, AUTH_CLEARTEXT, f->good.client_ctx, f->server);
	s->pg.close_at = FAKEPG_SSL;
	refused(s, "08006", "TLS: the server closed the connection");
	/* and one that never goes on with the handshake */
	s = begin(SECRET_IAM_TOKEN, AUTH_CLEARTEXT, f->good.client_ctx, f->server);
	s->pg.ssl_answer = slice_of("S", 1);
	sim_start(s);
	c = sim_login(s, "joe", NULL);
	sim_pass(s, 16 * SEC);
	sim_expect_fatal(c, "08001", "TLS: no answer within server_connect_timeout");
	sim_free(s);
}

/* ---- other beginnings ---- */

static int choose_alpn(SSL *ssl, const unsigned char **out, unsigned char *n, const unsigned char *in, unsigned in_n,
                       void *arg)
{
	(void)ssl;
	(void)arg;
	assert_true(in_n == 11 && memcmp(in, "\012postgresql", 11) == 0);
	*out = in + 1;
	*n = 10;
	return SSL_TLSEXT_ERR_OK;
}

static void direct_tls(void **state)
{
	struct fixture *f = *state;
	SSL_CTX *server = server_ctx(&f->good.server);
	struct sim *s = begin(SECRET_IAM_TOKEN, AUTH_CLEARTEXT, f->good.client_ctx, server);
	struct sim_client *c;

	SSL_CTX_set_alpn_select_cb(server, choose_alpn, NULL);
	s->target.tls_start = TARGET_TLS_DIRECT;
	s->pg.direct_tls = true;
	sim_start(s);
	c = sim_client(s);
	sim_works(c);
	assert_true(s->pg.heard);
	sim_query(c, "HANG");
	sim_settle(s);
	sim_cancel(s, c);
	sim_settle(s);
	assert_int_equal(s->pg.cancels, 1);
	sim_free(s);
	SSL_CTX_free(server);
	/* TLS, verified, but not agreed to be PostgreSQL */
	s = begin(SECRET_IAM_TOKEN, AUTH_CLEARTEXT, f->good.client_ctx, f->server);
	s->target.tls_start = TARGET_TLS_DIRECT;
	s->pg.direct_tls = true;
	refused(s, "08001", "without ALPN protocol negotiation extension");
	/* and a stranger is one here as well */
	s = begin(SECRET_IAM_TOKEN, AUTH_CLEARTEXT, f->good.client_ctx, f->impostor);
	s->target.tls_start = TARGET_TLS_DIRECT;
	s->pg.direct_tls = true;
	refused(s, "08001", "cannot be verified");
}

/* A server before PostgreSQL 17 sees a bad packet. */
static void direct_tls_to_an_old_server(void **state)
{
	struct fixture *f = *state;
	struct sim *s = begin(SECRET_IAM_TOKEN, AUTH_CLEARTEXT, f->good.client_ctx, f->server);
	struct sim_client *c;

	s->target.tls_start = TARGET_TLS_DIRECT;
	s->pg.close_at = FAKEPG_ACCEPT;
	sim_start(s);
	c = sim_login(s, "joe", NULL);
	sim_expect_fatal(c, "08001", "TLS");
	assert_non_null(strstr(c->hint, "PostgreSQL 17"));
	assert_int_equal(s->secret.asked, 0);
	sim_free(s);
}

/* sslmode=prefer and allow, with auth=none. */
static struct sim *offer(struct tls_ctx *tls, SSL_CTX *server)
{
	struct sim *s = begin(SECRET_NONE, AUTH_OK, tls, server);

	s->target.auth = TARGET_AUTH_NONE;
	s->target.tls_start = TARGET_TLS_OFFER;
	return s;
}

static void tls_where_there_is_some(void **state)
{
	struct fixture *f = *state;

	for (int with = 0; with < 2; with++) {
		struct sim *s = offer(f->unverified, with ? f->server : NULL);

		sim_start(s);
		sim_works(sim_client(s));
		assert_int_equal(fakepg_conn(&s->pg, 0)->p.ssl != NULL, with);
		sim_free(s);
	}
	{
		struct sim *s = offer(f->unverified, NULL);

		s->pg.ssl_answer = slice_of("NR\0\0\0\10\0\0\0\0", 10);
		refused(s, "08001", "unencrypted data after the answer");
		/* should a secret ever come here, it goes no further */
		s = begin(SECRET_IAM_TOKEN, AUTH_CLEARTEXT, f->good.client_ctx, NULL);
		s->target.tls_start = TARGET_TLS_OFFER;
		refused(s, "28000", "not verified TLS");
		s = begin(SECRET_PASSWORD, AUTH_SASL, f->unverified, f->server);
		s->target.tls_start = TARGET_TLS_OFFER;
		refused(s, "28000", "not verified TLS");
	}
}

/* A server that does not know the password cannot pretend to. */
static void scram_proves_the_server(void **state)
{
	(void)state;
	for (int way = 0; way < 2; way++) {
		struct sim *s = begin(SECRET_PASSWORD, AUTH_SASL, NULL, NULL);
		struct sim_client *c;

		s->pg.scram_liar = way == 0;
		s->pg.scram_wrong = way == 1;
		sim_start(s);
		c = sim_login(s, "joe", NULL);
		sim_until(s, sim_closed(c));
		assert_string_equal(c->said, "E");
		assert_int_equal(fakepg_open(&s->pg), 0);
		assert_false(s->pg.heard);
		sim_free(s);
	}
}

#define PLAIN "SCRAM-SHA-256\0"
#define PLUS  "SCRAM-SHA-256-PLUS\0"

/* Binding to the channel where both ends can, and saying what is true where they do not (RFC 5802 section 6): "y" to a server
 * that offers it is an attack. */
static void channel_binding(void **state)
{
	enum { CLEAR, TLS, NO_HASH };
	static const struct {
		int line;
		struct slice offer;
		const char *begins; /* NULL: there is no login */
	} cases[] = {
		{CLEAR,   {(const unsigned char *)PLAIN, sizeof(PLAIN)},           "SCRAM-SHA-256 n"     },
		{CLEAR,   {(const unsigned char *)PLUS PLAIN, sizeof(PLUS PLAIN)}, "SCRAM-SHA-256 n"     },
		{CLEAR,   {(const unsigned char *)PLUS, sizeof(PLUS)},             NULL                  },
		{TLS,     {(const unsigned char *)PLAIN, sizeof(PLAIN)},           "SCRAM-SHA-256 y"     },
		{TLS,     {(const unsigned char *)PLUS PLAIN, sizeof(PLUS PLAIN)}, "SCRAM-SHA-256-PLUS p"},
		{TLS,     {(const unsigned char *)PLUS, sizeof(PLUS)},             "SCRAM-SHA-256-PLUS p"},
		{NO_HASH, {(const unsigned char *)PLAIN, sizeof(PLAIN)},           "SCRAM-SHA-256 y"     },
		{NO_HASH, {(const unsigned char *)PLUS PLAIN, sizeof(PLUS PLAIN)}, "SCRAM-SHA-256 n"     },
		{NO_HASH, {(const unsigned char *)PLUS, sizeof(PLUS)},             NULL                  },
	};
	struct fixture *f = *state;
	struct kit_cert ca = kit_cert_new(&(struct kit_cert_opts){.cn = "No hash", .ca = true, .ed25519 = true}, NULL);
	struct kit_cert cert = kit_cert_new(&(struct kit_cert_opts){.cn = "db.test", .san = "DNS:db.test"}, &ca);
	char *ca_file = kit_write_cert(f->good.dir, "no-hash.pem", &ca);
	SSL_CTX *server = server_ctx(&cert);
	struct err e;
	struct tls_ctx *client = tls_client_ctx_new(&(struct tls_opts){.ca_file = ca_file, .verify = TLS_VERIFY_FULL}, &e);

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		int line = cases[i].line;
		struct sim *s = begin(SECRET_PASSWORD, AUTH_SASL,
		                      line == CLEAR ? NULL : line == TLS ? f->good.client_ctx : client,
		                      line == CLEAR ? NULL : line == TLS ? f->server : server);
		struct sim_client *c;

		s->pg.sasl_offer = cases[i].offer;
		sim_start(s);
		c = sim_login(s, "joe", NULL);
		sim_until(s, c->said_n > 0);
		if (cases[i].begins) {
			sim_expect(c, "RSKZ");
			assert_string_equal(sim_server(s)->scram_begin, cases[i].begins);
		} else {
			sim_expect_fatal(c, "28000", "only SCRAM-SHA-256-PLUS");
			assert_int_equal(s->secret.asked, 0);
		}
		sim_free(s);
	}
	tls_ctx_unref(client);
	SSL_CTX_free(server);
	free(ca_file);
	kit_cert_free(&cert);
	kit_cert_free(&ca);
}

/* RDS's authentication helper refuses good tokens now and then: one more try, and one only. */
static void a_refused_token(void **state)
{
	struct fixture *f = *state;

	for (int retry = 0; retry < 2; retry++) {
		struct sim *s = begin(SECRET_IAM_TOKEN, AUTH_CLEARTEXT, f->good.client_ctx, f->server);

		s->pg.password = "other";
		s->pg.sqlstate = "28000";
		s->secret.retry = retry;
		sim_start(s);
		sim_expect_fatal(sim_login(s, "joe", NULL), "28000", "password authentication failed");
		assert_int_equal(s->pg.n, 2);
		assert_int_equal(s->secret.asked, 2);
		assert_true(s->secret.explained > 0);
		sim_free(s);
	}
}

/* Asks for new keys at most so often, and reads no answer, until the socket takes none any more; how often it asked. */
static unsigned ask_for_new_keys(struct sim *s, struct peer *p, unsigned max)
{
	int before, now = 0;
	unsigned n = 0;

	p->deaf = true;
	do {
		before = now;
		assert_int_equal(SSL_key_update(p->ssl, SSL_KEY_UPDATE_REQUESTED), 1);
		assert_int_equal(SSL_do_handshake(p->ssl), 1);
		sim_settle(s);
		assert_int_equal(ioctl(p->fd, FIONREAD, &now), 0);
	} while (++n < max && (now > before || n == 1)); /* OpenSSL puts off its first answer until it hears of this again */
	return n;
}

/* A server that lets somebody in before it has read what it asked for: the rest of that would come in front of the first
 * query, and a stream wants to be offered again what it has not taken whole. */
static void let_in_too_early(void **state)
{
	static const char ask[] = "R\0\0\0\10\0\0\0\3", welcome[] = "R\0\0\0\10\0\0\0\0Z\0\0\0\5I";
	struct fixture *f = *state;
	unsigned keys = UINT_MAX;

	/* no room for the secret: at first not below TLS either, then there only */
	for (int turn = 0; turn < 2; turn++) {
		struct sim *s = begin(SECRET_PASSWORD, AUTH_CLEARTEXT, f->good.client_ctx, f->server);
		struct sim_client *c;
		struct peer *p;

		s->secret.secret = "sesame, and more of it than a short query has bytes";
		s->pg.silent_at = FAKEPG_STARTUP;
		sim_start(s);
		c = sim_login(s, "joe", NULL);
		sim_settle(s);
		p = &sim_server(s)->p;
		keys = ask_for_new_keys(s, p, keys) - 1;
		peer_say(p, ask, sizeof(ask) - 1);
		sim_settle(s);
		assert_int_equal(s->secret.asked, 1);
		peer_say(p, welcome, sizeof(welcome) - 1);
		sim_query(c, "SELECT 1");
		sim_settle(s);
		p->deaf = false;
		sim_expect_fatal(c, "08P01", "before it had read");
		sim_free(s);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(let_in_too_early),
		cmocka_unit_test(a_token_over_verified_tls),
		cmocka_unit_test(tokens_elsewhere),
		cmocka_unit_test(passwords_elsewhere),
		cmocka_unit_test(impostors),
		cmocka_unit_test(answers_to_ssl_request),
		cmocka_unit_test(no_answer_to_ssl_request),
		cmocka_unit_test(direct_tls),
		cmocka_unit_test(direct_tls_to_an_old_server),
		cmocka_unit_test(tls_where_there_is_some),
		cmocka_unit_test(scram_proves_the_server),
		cmocka_unit_test(channel_binding),
		cmocka_unit_test(a_refused_token),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
