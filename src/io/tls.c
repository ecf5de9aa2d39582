/* One SSL_CTX for many connections. Everything a connection may not change is set here once; what depends
 * on the connection (name, SNI) is in tls_verify.c. */
#include "config.h"
#include "io/tls_private.h"

#include <stdlib.h>
#include <string.h>
#include <openssl/err.h>
#include "base/mem.h"
#include "io/sock.h"

/* Read-ahead in one recv. Two of PostgreSQL's 8 KB records, or one of the largest, fit. Not more: for every
 * further record in it OpenSSL 3.0 moves all that follows to an aligned place (ssl3_read_n), so that a
 * bigger buffer costs more copying than it saves system calls. */
#define TLS_READ_BUFFER_BYTES 17408

/* ---- life ---- */

/* Every string of the options. */
#define TLS_OPTS_STRINGS(X) \
	X(ca_file) X(cert_file) X(key_file) X(ciphers) X(ciphers13) X(groups) X(alpn) X(host_name)

static void tls_opts_copy(struct tls_opts *to, const struct tls_opts *from)
{
	*to = *from;
#define X(name) to->name = mem_strdup(from->name);
	TLS_OPTS_STRINGS(X)
#undef X
}

bool tls_opts_equal(const struct tls_opts *a, const struct tls_opts *b)
{
#define X(name) && !a->name == !b->name && (!a->name || strcmp(a->name, b->name) == 0)
	return a->verify == b->verify && a->versions == b->versions && a->dhe == b->dhe TLS_OPTS_STRINGS(X);
#undef X
}

static void tls_opts_release(struct tls_opts *o)
{
#define X(name) free((void *)(uintptr_t)o->name); /* made by tls_opts_copy, const for its readers */
	TLS_OPTS_STRINGS(X)
#undef X
}

static void tls_ctx_release(struct tls_ctx *c)
{
	SSL_CTX_free(c->ssl_ctx);
	BIO_meth_free(c->bio);
	for (size_t i = 0; i < c->file_count; i++)
		free(c->file[i].path);
	free(c->ca_text);
	tls_opts_release(&c->opts);
	free(c);
}

void tls_wipe_what_was_read(void *ssl_ctx)
{
	SSL_CTX_set_options(ssl_ctx, SSL_OP_CLEANSE_PLAINTEXT);
}

struct tls_ctx *tls_ctx_ref(struct tls_ctx *c)
{
	atomic_fetch_add_explicit(&c->refs, 1, memory_order_relaxed);
	return c;
}

void tls_ctx_unref(struct tls_ctx *c)
{
	if (c && atomic_fetch_sub_explicit(&c->refs, 1, memory_order_acq_rel) == 1)
		tls_ctx_release(c);
}

static struct tls_ctx *tls_ctx_new(const struct tls_opts *o, bool server, struct err *e)
{
	struct tls_ctx *c = mem_zalloc(sizeof *c);

	atomic_init(&c->refs, 1);
	c->server = server;
	tls_opts_copy(&c->opts, o);
	ERR_clear_error();
	c->ssl_ctx = SSL_CTX_new(server ? TLS_server_method() : TLS_client_method());
	c->bio = sock_bio_method_new();
	if (!c->ssl_ctx || !c->bio) {
		err_set(e, ERR_TLS, "TLS cannot be set up: OpenSSL failed");
		tls_ctx_release(c);
		return NULL;
	}
	SSL_CTX_set_app_data(c->ssl_ctx, c);
	/* PostgreSQL's protocol tells its own end, so that a missing close_notify hides nothing. No tickets and no cache:
	 * a resumed session would bring along an identity that was verified under another configuration, or for another
	 * name. */
	SSL_CTX_set_options(c->ssl_ctx, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION |
						SSL_OP_IGNORE_UNEXPECTED_EOF | SSL_OP_NO_TICKET);
	SSL_CTX_set_mode(c->ssl_ctx, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
					     SSL_MODE_RELEASE_BUFFERS | SSL_MODE_AUTO_RETRY);
	SSL_CTX_set_session_cache_mode(c->ssl_ctx, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_read_ahead(c->ssl_ctx, 1);
	SSL_CTX_set_default_read_buffer_len(c->ssl_ctx, TLS_READ_BUFFER_BYTES);
	return c;
}

const struct tls_opts *tls_ctx_opts(const struct tls_ctx *c)
{
	return &c->opts;
}

bool tls_ctx_is_self_made(const struct tls_ctx *c)
{
	return c->server && !c->opts.cert_file;
}

bool tls_ctx_verifies(const struct tls_ctx *c)
{
	return c->opts.verify == TLS_VERIFY_FULL;
}

int64_t tls_ctx_expires_sec(const struct tls_ctx *c)
{
	return c->expires_sec;
}

/* ---- client side ---- */

static int tls_set_alpn(struct tls_ctx *c, const char *alpn, struct err *e)
{
	size_t n = strlen(alpn);
	unsigned char wire[256];

	/* RFC 7301: a length byte, the name. */
	if (n == 0 || n > 255)
		return err_set(e, ERR_INTERNAL, "the ALPN name has a wrong length");
	wire[0] = (unsigned char)n;
	memcpy(wire + 1, alpn, n);
	if (SSL_CTX_set_alpn_protos(c->ssl_ctx, wire, (unsigned int)n + 1) != 0)
		return err_set(e, ERR_TLS, "TLS cannot be set up: ALPN is not available");
	return 0;
}

static int tls_client_set_up(struct tls_ctx *c, struct err *e)
{
	const struct tls_opts *o = &c->opts;
	bool verify = o->verify != TLS_VERIFY_NONE;

	if (verify)
		SSL_CTX_set_verify(c->ssl_ctx, SSL_VERIFY_PEER, tls_verify_callback);
	if (tls_terms_set(c, e) < 0 || (verify && tls_ca_load(c, o->ca_file, e) < 0) ||
	    (o->cert_file && tls_identity_load(c, e) < 0))
		return -1;
	return o->alpn ? tls_set_alpn(c, o->alpn, e) : 0;
}

/* ---- server side ---- */

/* As PostgreSQL 17 does: who offers protocols must offer ours; who offers none may come. */
static int tls_choose_alpn(SSL *ssl, const unsigned char **out, unsigned char *out_n, const unsigned char *in,
			   unsigned int in_n, void *arg)
{
	static const unsigned char ours[] = "\012postgresql";
	unsigned char *chosen = NULL;

	(void)ssl;
	(void)arg;
	if (SSL_select_next_proto(&chosen, out_n, ours, sizeof ours - 1, in, in_n) != OPENSSL_NPN_NEGOTIATED)
		return SSL_TLSEXT_ERR_ALERT_FATAL;
	*out = chosen;
	return SSL_TLSEXT_ERR_OK;
}

static int tls_ask_certificates(struct tls_ctx *c, struct err *e)
{
	int mode = SSL_VERIFY_PEER | SSL_VERIFY_CLIENT_ONCE;

	if (!c->opts.ca_file)
		return err_set(e, ERR_CONFIG, "clients' certificates cannot be verified without a CA file");
	if (tls_ca_load(c, c->opts.ca_file, e) < 0)
		return -1;
	tls_ca_name(c);
	if (c->opts.verify == TLS_VERIFY_CHAIN)
		mode |= SSL_VERIFY_FAIL_IF_NO_PEER_CERT;
	SSL_CTX_set_verify(c->ssl_ctx, mode, tls_verify_callback);
	return 0;
}

static int tls_server_set_up(struct tls_ctx *c, struct err *e)
{
	const struct tls_opts *o = &c->opts;

	SSL_CTX_set_options(c->ssl_ctx, SSL_OP_CIPHER_SERVER_PREFERENCE);
	SSL_CTX_set_num_tickets(c->ssl_ctx, 0);
	SSL_CTX_set_alpn_select_cb(c->ssl_ctx, tls_choose_alpn, NULL);
	if (tls_terms_set(c, e) < 0 || (o->verify != TLS_VERIFY_NONE && tls_ask_certificates(c, e) < 0))
		return -1;
	if (o->cert_file)
		return tls_identity_load(c, e);
	if (tls_selfsigned_use(c->ssl_ctx, o->host_name ? o->host_name : "localhost", e) < 0)
		return -1;
	tls_identity_note_expiry(c);
	return 0;
}

/* ---- making one ---- */

static struct tls_ctx *tls_ctx_make(const struct tls_opts *o, bool server, struct err *e)
{
	struct tls_ctx *c;

	if (!o->cert_file != !o->key_file) {
		err_set(e, ERR_CONFIG, "a certificate and its key must be given together");
		return NULL;
	}
	c = tls_ctx_new(o, server, e);
	if (c && (server ? tls_server_set_up(c, e) : tls_client_set_up(c, e)) < 0) {
		tls_ctx_release(c);
		c = NULL;
	}
	return c;
}

struct tls_ctx *tls_client_ctx_new(const struct tls_opts *o, struct err *e)
{
	return tls_ctx_make(o, false, e);
}

struct tls_ctx *tls_server_ctx_new(const struct tls_opts *o, struct err *e)
{
	return tls_ctx_make(o, true, e);
}

struct tls_ctx *tls_ctx_reload(const struct tls_ctx *old, struct err *e)
{
	return tls_ctx_make(&old->opts, old->server, e);
}
