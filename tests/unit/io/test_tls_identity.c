/* Who the other side is by its certificate, and the certificate we show. */
#include "raw.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include "base/mem.h"

static void has(const char *text, const char *part)
{
	if (!strstr(text, part))
		fail_msg("\"%s\" not in: %s", part, text);
}

/* A handshake; both ends stay open until part. */
static void meet(struct raw_world *f, struct tls_ctx *server, struct tls_ctx *client)
{
	raw_meet(&f->server, &f->client, f->l, server, client, "db.example.com");
}

static void part(struct raw_world *f)
{
	raw_part(&f->server, &f->client);
}

/* A server that asks for certificates that way, and a client that shows this one, or none. */
static int show(struct raw_world *f, enum tls_verify verify, const struct kit_cert *shown)
{
	struct tls_opts so = {.verify = verify,
			      .ca_file = f->tls.ca_file,
			      .cert_file = f->tls.cert_file,
			      .key_file = f->tls.key_file},
			co = {.verify = TLS_VERIFY_FULL, .ca_file = f->tls.ca_file};
	char *cert = shown ? kit_write_cert(f->tls.dir, "shown.pem", shown) : NULL;
	char *key = shown ? kit_write_key(f->tls.dir, "shown.key", shown, NULL) : NULL;
	struct tls_ctx *s, *c;
	struct err e;

	co.cert_file = cert;
	co.key_file = key;
	s = tls_server_ctx_new(&so, &e);
	c = tls_client_ctx_new(&co, &e);
	assert_non_null(s);
	assert_non_null(c);
	meet(f, s, c);
	tls_ctx_unref(s);
	tls_ctx_unref(c);
	free(cert);
	free(key);
	return f->server.done;
}

static void good_certificates_have_a_name(void **state)
{
	static const enum tls_verify ways[] = {TLS_VERIFY_SHOWN, TLS_VERIFY_CHAIN};
	struct raw_world *f = *state;
	struct kit_cert c = kit_cert_new(&(struct kit_cert_opts){.cn = "app_user"}, &f->tls.ca);
	char cn[64];

	for (size_t i = 0; i < 2; i++) {
		assert_int_equal(show(f, ways[i], &c), 1);
		assert_true(stream_tls_peer_cn(f->server.s, cn, sizeof cn));
		assert_string_equal(cn, "app_user");
		assert_false(stream_is_verified(f->server.s));
		assert_true(stream_tls_peer_cn(f->client.s, cn, sizeof cn));
		assert_string_equal(cn, "db.example.com");
		assert_true(stream_tls_peer_cn(f->server.s, cn, 9));
		assert_false(stream_tls_peer_cn(f->server.s, cn, 8)); /* not cut */
		assert_string_equal(cn, "");
		part(f);
	}
	/* who does not ask learns nothing */
	assert_int_equal(show(f, TLS_VERIFY_NONE, &c), 1);
	assert_false(stream_tls_peer_cn(f->server.s, cn, sizeof cn));
	part(f);
	kit_cert_free(&c);
}

static void no_certificate(void **state)
{
	struct raw_world *f = *state;
	char cn[64] = "x";

	assert_int_equal(show(f, TLS_VERIFY_SHOWN, NULL), 1);
	assert_false(stream_tls_peer_cn(f->server.s, cn, sizeof cn));
	assert_string_equal(cn, "");
	part(f);
	assert_int_equal(show(f, TLS_VERIFY_CHAIN, NULL), -1);
	has(f->server.err.msg, "peer did not return a certificate");
	assert_false(stream_tls_peer_cn(f->server.s, cn, sizeof cn));
	part(f);
}

static void bad_certificates(void **state)
{
	static const enum tls_verify ways[] = {TLS_VERIFY_SHOWN, TLS_VERIFY_CHAIN};
	struct raw_world *f = *state;
	struct kit_cert other_ca = kit_cert_new(&(struct kit_cert_opts){.cn = "Other CA", .ca = true}, NULL);
	struct kit_cert stranger = kit_cert_new(&(struct kit_cert_opts){.cn = "app_user"}, &other_ca);
	struct kit_cert expired = kit_cert_new(
		&(struct kit_cert_opts){.cn = "app_user", .from_days = -9, .to_days = -1}, &f->tls.ca);
	struct kit_cert own = kit_cert_new(&(struct kit_cert_opts){.cn = "app_user"}, NULL);
	const struct kit_cert *bad[] = {&stranger, &expired, &own};
	static const char *const why[] = {"unable to get local issuer", "expired", "self-signed"};
	char cn[64];

	for (size_t i = 0; i < 6; i++) {
		assert_int_equal(show(f, ways[i % 2], bad[i / 2]), -1);
		assert_int_equal(f->server.err.code, ERR_TLS_VERIFY);
		has(f->server.err.msg, "the client's certificate cannot be verified: ");
		has(f->server.err.msg, why[i / 2]);
		has(f->server.err.detail, "subject \"CN = app_user\"");
		has(f->server.err.detail, f->tls.ca_file);
		has(f->server.err.hint, "client_tls_ca_file");
		assert_false(stream_tls_peer_cn(f->server.s, cn, sizeof cn));
		part(f);
	}
	kit_cert_free(&own);
	kit_cert_free(&expired);
	kit_cert_free(&stranger);
	kit_cert_free(&other_ca);
}

/* A certificate whose subject has these common names and nothing else. */
static struct kit_cert named(struct raw_world *f, const char *a, int an, const char *b)
{
	struct kit_cert c = kit_cert_new(&(struct kit_cert_opts){.cn = "x"}, &f->tls.ca);
	X509_NAME *name = X509_NAME_new();

	if (an >= 0)
		X509_NAME_add_entry_by_NID(name, NID_commonName, V_ASN1_UTF8STRING, (const unsigned char *)a, an, -1,
					   0);
	if (b)
		X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8, (const unsigned char *)b, -1, -1, 0);
	X509_NAME_add_entry_by_txt(name, "O", MBSTRING_UTF8, (const unsigned char *)"app_user", -1, -1, 0);
	X509_set_subject_name(c.x, name);
	X509_NAME_free(name);
	assert_true(X509_sign(c.x, f->tls.ca.key, EVP_sha256()) > 0);
	return c;
}

static void names_that_are_none(void **state)
{
	static const struct {
		const char *a;
		int n;
		const char *b;
	} bad[] = {
		{"app_user\0.evil.example", 22, NULL   }, /* CVE-2009-4034 */
		{"\0app_user",              9,  NULL   },
		{"app_user",                8,  "other"}, /* which of the two? */
		{"app_user",                8,  "app_user"},
		{"",                        0,  NULL   },
		{"",                        -1, NULL   }, /* none at all */
	};
	struct raw_world *f = *state;
	char cn[64];

	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		struct kit_cert c = named(f, bad[i].a, bad[i].n, bad[i].b);

		assert_int_equal(show(f, TLS_VERIFY_CHAIN, &c), 1);
		memcpy(cn, "app_user", 9);
		if (stream_tls_peer_cn(f->server.s, cn, sizeof cn))
			fail_msg("%zu: \"%s\"", i, cn);
		assert_string_equal(cn, "");
		part(f);
		kit_cert_free(&c);
	}
}

/* As text of PostgreSQL's: UTF-8, whatever the certificate has. */
static void names_become_utf8(void **state)
{
	struct raw_world *f = *state;
	struct kit_cert c = named(f, "", -1, NULL);
	X509_NAME *name = X509_NAME_new();
	char cn[64];

	X509_NAME_add_entry_by_NID(name, NID_commonName, V_ASN1_BMPSTRING, (const unsigned char *)"\0j\0\xf6\0g", 6, -1,
				   0);
	X509_set_subject_name(c.x, name);
	X509_NAME_free(name);
	assert_true(X509_sign(c.x, f->tls.ca.key, EVP_sha256()) > 0);
	assert_int_equal(show(f, TLS_VERIFY_CHAIN, &c), 1);
	assert_true(stream_tls_peer_cn(f->server.s, cn, sizeof cn));
	assert_string_equal(cn, "j\xc3\xb6g");
	part(f);
	kit_cert_free(&c);
}

static void a_ca_is_needed(void **state)
{
	struct err e;

	(void)state;
	assert_null(tls_server_ctx_new(&(struct tls_opts){.verify = TLS_VERIFY_SHOWN}, &e));
	assert_int_equal(e.code, ERR_CONFIG);
	assert_null(tls_server_ctx_new(&(struct tls_opts){.verify = TLS_VERIFY_CHAIN, .ca_file = "/nonexistent"}, &e));
	assert_int_equal(e.code, ERR_CONFIG);
	has(e.msg, "/nonexistent");
}

/* A server whose certificate, for that name, comes from that CA. */
static struct tls_ctx *serving(struct raw_world *f, const char *name, const struct kit_cert *ca)
{
	struct kit_cert c = kit_cert_new(&(struct kit_cert_opts){.cn = name}, ca);
	char *cert = kit_write_cert(f->tls.dir, "x.pem", &c), *key = kit_write_key(f->tls.dir, "x.key", &c, NULL);
	struct err e;
	struct tls_ctx *ctx = tls_server_ctx_new(&(struct tls_opts){.cert_file = cert, .key_file = key}, &e);

	assert_non_null(ctx);
	free(cert);
	free(key);
	kit_cert_free(&c);
	return ctx;
}

/* verify-ca of libpq: another name will do, another issuer will not; and no secret goes there. */
static void chain_without_name(void **state)
{
	struct raw_world *f = *state;
	struct kit_cert other = kit_cert_new(&(struct kit_cert_opts){.cn = "Other CA", .ca = true}, NULL);
	struct err e;
	struct tls_ctx *c = tls_client_ctx_new(
			       &(struct tls_opts){.verify = TLS_VERIFY_CHAIN, .ca_file = f->tls.ca_file}, &e),
		       *elsewhere = serving(f, "elsewhere", &f->tls.ca),
		       *stranger = serving(f, "db.example.com", &other);
	char cn[64];

	assert_non_null(c);
	assert_false(tls_ctx_verifies(c));
	meet(f, elsewhere, c);
	assert_int_equal(f->client.done, 1);
	assert_false(stream_is_verified(f->client.s));
	assert_true(stream_tls_peer_cn(f->client.s, cn, sizeof cn));
	assert_string_equal(cn, "elsewhere");
	part(f);
	meet(f, stranger, c);
	assert_int_equal(f->client.done, -1);
	assert_int_equal(f->client.err.code, ERR_TLS_VERIFY);
	part(f);
	tls_ctx_unref(stranger);
	tls_ctx_unref(elsewhere);
	tls_ctx_unref(c);
	kit_cert_free(&other);
}

static void expiry_is_known(void **state)
{
	struct raw_world *f = *state;
	int64_t now = time(NULL), day = 86400;
	struct tls_ctx *own;
	struct err e;

	assert_true(tls_ctx_expires_sec(f->tls.server_ctx) > now + 29 * day);
	assert_true(tls_ctx_expires_sec(f->tls.server_ctx) < now + 31 * day);
	assert_int_equal(tls_ctx_expires_sec(f->tls.client_ctx), 0);
	own = tls_server_ctx_new(&(struct tls_opts){.host_name = "localhost"}, &e);
	assert_true(tls_ctx_expires_sec(own) > now + 300 * day);
	tls_ctx_unref(own);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(good_certificates_have_a_name),
		cmocka_unit_test(no_certificate),
		cmocka_unit_test(bad_certificates),
		cmocka_unit_test(names_that_are_none),
		cmocka_unit_test(names_become_utf8),
		cmocka_unit_test(a_ca_is_needed),
		cmocka_unit_test(chain_without_name),
		cmocka_unit_test(expiry_is_known),
	};

	return cmocka_run_group_tests(tests, raw_world_setup, raw_world_teardown);
}
