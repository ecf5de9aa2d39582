/* One SSL_CTX for many connections. Everything a connection may not change is set here once; what depends
 * on the connection (name, SNI) is in tls_verify.c. */
#include "config.h"
#include "io/tls_private.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <openssl/err.h>
#include "base/mem.h"
#include "io/sock.h"

/* Read-ahead in one recv. Two of PostgreSQL's 8 KB records, or one of the largest, fit. Not more: for every
 * further record in it OpenSSL 3.0 moves all that follows to an aligned place (ssl3_read_n), so that a
 * bigger buffer costs more copying than it saves system calls. */
#define TLS_READ_BUFFER_BYTES 17408

const char *tls_error_text(char *text, size_t n)
{
	unsigned long code = ERR_get_error();
	const char *reason = code ? ERR_reason_error_string(code) : NULL;

	if (reason)
		snprintf(text, n, "%s", reason);
	else if (code && ERR_SYSTEM_ERROR(code))
		snprintf(text, n, "system error %d", ERR_GET_REASON(code));
	else if (code)
		snprintf(text, n, "OpenSSL error %08lX", code);
	else
		snprintf(text, n, "unknown TLS error");
	ERR_clear_error();
	return text;
}

/* ---- files ---- */

static bool tls_file_look(struct tls_file *f, const char *path)
{
	struct stat st;

	f->present = stat(path, &st) == 0;
	if (f->present) {
		f->dev = st.st_dev;
		f->ino = st.st_ino;
		f->size = st.st_size;
		f->mtime = st.st_mtim;
	}
	return f->present;
}

bool tls_ctx_watch(struct tls_ctx *c, const char *path)
{
	struct tls_file now = {0};
	bool present = tls_file_look(&now, path);

	if (c->file_count < TLS_FILES_MAX) {
		now.path = mem_strdup(path);
		c->file[c->file_count++] = now;
	}
	return present;
}

static bool tls_file_changed(const struct tls_file *f)
{
	struct tls_file now = {0};

	if (tls_file_look(&now, f->path) != f->present)
		return true;
	return f->present && (now.dev != f->dev || now.ino != f->ino || now.size != f->size ||
			      now.mtime.tv_sec != f->mtime.tv_sec || now.mtime.tv_nsec != f->mtime.tv_nsec);
}

bool tls_ctx_is_stale(const struct tls_ctx *c)
{
	for (size_t i = 0; i < c->file_count; i++)
		if (tls_file_changed(&c->file[i]))
			return true;
	return false;
}

/* ---- life ---- */

static void tls_ctx_release(struct tls_ctx *c)
{
	SSL_CTX_free(c->ssl_ctx);
	BIO_meth_free(c->bio);
	for (size_t i = 0; i < c->file_count; i++)
		free(c->file[i].path);
	free(c->ca_text);
	free(c->ca_file);
	free(c->alpn);
	free(c);
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

static struct tls_ctx *tls_ctx_new(const SSL_METHOD *method, struct err *e)
{
	struct tls_ctx *c = mem_zalloc(sizeof *c);

	atomic_init(&c->refs, 1);
	ERR_clear_error();
	c->ssl_ctx = SSL_CTX_new(method);
	c->bio = sock_bio_method_new();
	if (!c->ssl_ctx || !c->bio || !SSL_CTX_set_min_proto_version(c->ssl_ctx, TLS1_2_VERSION)) {
		err_set(e, ERR_TLS, "TLS cannot be set up: OpenSSL failed");
		tls_ctx_release(c);
		return NULL;
	}
	SSL_CTX_set_app_data(c->ssl_ctx, c);
	/* PostgreSQL's protocol tells its own end, so that a missing close_notify hides nothing. */
	SSL_CTX_set_options(c->ssl_ctx, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION |
						SSL_OP_IGNORE_UNEXPECTED_EOF | SSL_OP_NO_TICKET);
	SSL_CTX_set_mode(c->ssl_ctx, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
					     SSL_MODE_RELEASE_BUFFERS | SSL_MODE_AUTO_RETRY);
	SSL_CTX_set_session_cache_mode(c->ssl_ctx, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_read_ahead(c->ssl_ctx, 1);
	SSL_CTX_set_default_read_buffer_len(c->ssl_ctx, TLS_READ_BUFFER_BYTES);
	return c;
}

const char *tls_ctx_ca_text(const struct tls_ctx *c)
{
	return c->ca_text ? c->ca_text : "";
}

bool tls_ctx_verifies(const struct tls_ctx *c)
{
	return c->verify;
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

struct tls_ctx *tls_client_ctx_new(const struct tls_client_opts *o, struct err *e)
{
	struct tls_ctx *c = tls_ctx_new(TLS_client_method(), e);

	if (!c)
		return NULL;
	c->verify = o->verify;
	c->ca_file = mem_strdup(o->ca_file);
	c->alpn = mem_strdup(o->alpn);
	if (o->verify)
		SSL_CTX_set_verify(c->ssl_ctx, SSL_VERIFY_PEER, tls_verify_callback);
	if ((o->verify && tls_ca_load(c, o->ca_file, e) < 0) ||
	    (o->alpn && tls_set_alpn(c, o->alpn, e) < 0)) {
		tls_ctx_release(c);
		return NULL;
	}
	return c;
}

struct tls_ctx *tls_client_ctx_reload(const struct tls_ctx *old, struct err *e)
{
	struct tls_client_opts o = {.ca_file = old->ca_file, .verify = old->verify, .alpn = old->alpn};

	return tls_client_ctx_new(&o, e);
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

/* Without it OpenSSL would ask on the terminal. */
static int tls_no_passphrase(char *buf, int size, int writing, void *arg)
{
	(void)buf;
	(void)size;
	(void)writing;
	(void)arg;
	return -1;
}

static int tls_use_files(struct tls_ctx *c, const struct tls_server_opts *o, struct err *e)
{
	char text[160];

	SSL_CTX_set_default_passwd_cb(c->ssl_ctx, tls_no_passphrase);
	if (!tls_ctx_watch(c, o->cert_file))
		return err_set(e, ERR_CONFIG, "cannot read the certificate file %s: %s", o->cert_file,
			       strerror_r(errno, text, sizeof text));
	if (SSL_CTX_use_certificate_chain_file(c->ssl_ctx, o->cert_file) != 1)
		return err_set(e, ERR_CONFIG, "cannot use the certificate file %s: %s", o->cert_file,
			       tls_error_text(text, sizeof text));
	if (!tls_ctx_watch(c, o->key_file))
		return err_set(e, ERR_CONFIG, "cannot read the key file %s: %s", o->key_file,
			       strerror_r(errno, text, sizeof text));
	if (SSL_CTX_use_PrivateKey_file(c->ssl_ctx, o->key_file, SSL_FILETYPE_PEM) != 1) {
		err_set(e, ERR_CONFIG, "cannot use the key file %s: %s", o->key_file,
			tls_error_text(text, sizeof text));
		err_hint(e,
			 "It must be a PEM key without a passphrase that belongs to the certificate in %s.",
			 o->cert_file);
		return -1;
	}
	return 0;
}

struct tls_ctx *tls_server_ctx_new(const struct tls_server_opts *o, struct err *e)
{
	struct tls_ctx *c;
	int r;

	if (!o->cert_file != !o->key_file) {
		err_set(e, ERR_CONFIG, "a certificate and its key must be given together");
		return NULL;
	}
	c = tls_ctx_new(TLS_server_method(), e);
	if (!c)
		return NULL;
	SSL_CTX_set_options(c->ssl_ctx, SSL_OP_CIPHER_SERVER_PREFERENCE);
	SSL_CTX_set_num_tickets(c->ssl_ctx, 0);
	SSL_CTX_set_alpn_select_cb(c->ssl_ctx, tls_choose_alpn, NULL);
	if (o->cert_file)
		r = tls_use_files(c, o, e);
	else
		r = tls_selfsigned_use(c->ssl_ctx, o->host_name ? o->host_name : "localhost", e);
	if (r == 0)
		return c;
	tls_ctx_release(c);
	return NULL;
}
