#include "kinds.h"

#include "../unit/io/kit.h"
#include "base/mem.h"

#define HOST "db.test"

static const struct kind kinds[] = {
	{SECRET_IAM_TOKEN, VERIFIED, TARGET_TLS_ASK, 0}, {SECRET_PASSWORD, VERIFIED, TARGET_TLS_ASK, 0},
	{SECRET_NONE, VERIFIED, TARGET_TLS_ASK, 0}, {SECRET_NONE, UNVERIFIED, TARGET_TLS_ASK, 0},
	{SECRET_PASSWORD, NO_TLS, TARGET_TLS_ASK, 0}, {SECRET_NONE, NO_TLS, TARGET_TLS_ASK, 0},
	{SECRET_IAM_TOKEN, NO_TLS, TARGET_TLS_ASK, 0}, {SECRET_PASSWORD, UNVERIFIED, TARGET_TLS_ASK, 0},
	{SECRET_IAM_TOKEN, UNVERIFIED, TARGET_TLS_ASK, 0}, {SECRET_IAM_TOKEN, VERIFIED, TARGET_TLS_DIRECT, 0},
	{SECRET_NONE, UNVERIFIED, TARGET_TLS_DIRECT, 0}, {SECRET_NONE, UNVERIFIED, TARGET_TLS_OFFER, 0},
	{SECRET_PASSWORD, VERIFIED, TARGET_TLS_ASK, SHOWS}, {SECRET_PASSWORD, VERIFIED, TARGET_TLS_ASK, NAMED},
	{SECRET_NONE, VERIFIED, TARGET_TLS_DIRECT, SHOWS | CONNECTS}, {SECRET_PASSWORD, NO_TLS, TARGET_TLS_ASK, NAMED | CONNECTS},
};
#define KINDS (sizeof(kinds) / sizeof(*kinds))

static struct {
	struct kit_tls pki, other;
	struct tls_ctx *unverified, *showing;
	SSL_CTX *server[KINDS_CERTS][2];
	struct target *targets[KINDS][KINDS_PROTOCOLS];
	bool alpn; /* of the present input */
} kit;

/* ---- the server's side ---- */

static int choose_alpn(SSL *ssl, const unsigned char **out, unsigned char *n, const unsigned char *in, unsigned in_n,
                       void *arg)
{
	static const unsigned char ours[] = "postgresql";

	(void)ssl;
	(void)in;
	(void)in_n;
	(void)arg;
	*out = ours;
	*n = sizeof(ours) - 1;
	return kit.alpn ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_NOACK;
}

static int take_any(int good, X509_STORE_CTX *x)
{
	(void)good;
	(void)x;
	return 1;
}

static SSL_CTX *server_ctx(const struct kit_cert *c, bool old)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());

	talk_must(ctx && SSL_CTX_use_certificate(ctx, c->x) == 1 && SSL_CTX_use_PrivateKey(ctx, c->key) == 1);
	SSL_CTX_set_alpn_select_cb(ctx, choose_alpn, NULL);
	SSL_CTX_set_max_proto_version(ctx, old ? TLS1_2_VERSION : TLS1_3_VERSION);
	if (old)
		SSL_CTX_set_max_send_fragment(ctx, 512);
	return ctx;
}

/* ---- ours ---- */

static struct target *target_of(const struct sim *s, const struct kind *k, unsigned protocols)
{
	struct tls_ctx *tls = k->tls == UNVERIFIED ? kit.unverified : k->more & SHOWS ? kit.showing : kit.pki.client_ctx;
	struct target t = s->target;

	t.name = mem_strdup("app");
	t.host = mem_strdup(s->pg.dir);
	t.tls_name = mem_strdup(HOST);
	t.iam_host = mem_strdup(HOST);
	t.reset_query = mem_strdup(k->more & CONNECTS ? "" : "DISCARD ALL");
	t.connect_query = k->more & CONNECTS ? mem_strdup("SELECT 0") : NULL;
	t.auth = k->secret == SECRET_NONE ? TARGET_AUTH_NONE
	         : k->more & NAMED ? TARGET_AUTH_SECRET
	         : k->secret == SECRET_PASSWORD ? TARGET_AUTH_PASSWORD : TARGET_AUTH_IAM;
	t.min_protocol = protocols == 2 ? STARTUP_3_2 : STARTUP_3_0;
	t.max_protocol = protocols == 0 ? STARTUP_3_0 : STARTUP_3_2;
	t.tls = k->tls == NO_TLS ? NULL : tls_live_new(tls_ctx_ref(tls));
	t.tls_start = k->start;
	t.server_connect_timeout_us = t.dial.timeout_us = 3 * SEC;
	t.query_wait_timeout_us = 8 * SEC;
	return target_new(&t);
}

static struct tls_ctx *client_ctx(enum tls_verify verify, const char *cert_file, const char *key_file)
{
	struct tls_opts o = {.ca_file = kit.pki.ca_file, .verify = verify, .alpn = "postgresql", .cert_file = cert_file,
	                     .key_file = key_file};
	struct tls_ctx *c;
	struct err e;

	c = tls_client_ctx_new(&o, &e);
	talk_must(c != NULL);
	return c;
}

static void forget_files(void)
{
	kit_dir_free(kit.pki.dir);
	kit_dir_free(kit.other.dir);
}

static void make(const struct sim *s)
{
	struct kit_cert certs[KINDS_CERTS];

	kit_tls_init(&kit.pki, HOST, "DNS:" HOST);
	kit_tls_init(&kit.other, HOST, "DNS:" HOST);
	kit.unverified = client_ctx(TLS_VERIFY_NONE, NULL, NULL);
	kit.showing = client_ctx(TLS_VERIFY_FULL, kit.pki.cert_file, kit.pki.key_file);
	certs[KINDS_GOOD] = kit.pki.server;
	certs[KINDS_OTHER_CA] = kit.other.server;
	certs[KINDS_OTHER_NAME] = kit_cert_new(&(struct kit_cert_opts){.cn = HOST, .san = "DNS:evil.test"}, &kit.pki.ca);
	certs[KINDS_EXPIRED] = kit_cert_new(
		&(struct kit_cert_opts){.cn = HOST, .san = "DNS:" HOST, .from_days = -9, .to_days = -1}, &kit.pki.ca);
	for (unsigned i = 0; i < KINDS_CERTS; i++)
		for (unsigned k = 0; k < 2; k++)
			kit.server[i][k] = server_ctx(&certs[i], k);
	kit_cert_free(&certs[KINDS_OTHER_NAME]);
	kit_cert_free(&certs[KINDS_EXPIRED]);
	for (unsigned i = 0; i < KINDS; i++)
		for (unsigned k = 0; k < KINDS_PROTOCOLS; k++)
			kit.targets[i][k] = target_of(s, &kinds[i], k);
	atexit(forget_files);
}

const struct kind *kinds_get(uint8_t choice)
{
	return &kinds[choice % KINDS];
}

struct target *kinds_target(const struct sim *s, const struct kind *k, unsigned protocols)
{
	if (!kit.pki.dir)
		make(s);
	return kit.targets[k - kinds][protocols];
}

SSL_CTX *kinds_server(const struct kinds_tls *t)
{
	SSL_CTX *ctx = kit.server[t->cert][t->old];

	kit.alpn = t->alpn;
	SSL_CTX_set_verify(ctx, t->asks ? SSL_VERIFY_PEER : SSL_VERIFY_NONE, take_any);
	return ctx;
}
