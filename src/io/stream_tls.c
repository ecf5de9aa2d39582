/* The TLS half of a stream.
 *
 * OpenSSL never holds a record that waits to be sent: the BIO of io/sock takes it, and while that keeps some of it no
 * other is made. The owner is told that its bytes are written when the socket has them all, and offers them again
 * until then: so he knows what is on its way and what is not, as with a plain socket.
 *
 * SSL_read gives one record at most, so a read goes on while OpenSSL has records and the caller has
 * room: the owner sees one big read per event as with a plain socket. Records OpenSSL still holds
 * afterwards are announced by stream_update (`held`): epoll cannot know of them.
 *
 * A write may need to read (the peer's half-arrived post-handshake message comes first) and a read may
 * need to write; then the direction waits for the other readiness (read_on, write_on) and the owner
 * sees an ordinary STREAM_AGAIN. */
#include "config.h"
#include "io/stream_private.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <openssl/err.h>
#include <openssl/x509.h>
#include "base/mem.h"
#include "io/tls_private.h"

/* A record's worth: OpenSSL offered more keeps starting over (pitfall 55). */
#define STREAM_TLS_WRITE_MAX 16384

/* See struct sock. Ordinary reads need one or two. */
#define STREAM_TLS_READS 16

struct stream_hs {
	struct err err; /* set: what went wrong, found before the handshake or by the verify callback */
	char *name;     /* whom the client side talks to, for messages; NULL on the server side */
};

/* SSL_get_error wants an empty queue to begin with, and it nearly always is: to see that costs half of emptying it. */
static void stream_tls_no_errors(void)
{
	if (ERR_peek_error() != 0)
		ERR_clear_error();
}

/* What an unsuccessful call means. *on: which readiness lets it go on. */
static ssize_t stream_tls_outcome(struct stream *s, int ret, unsigned *on)
{
	char text[160];

	switch (SSL_get_error(s->ssl, ret)) {
	case SSL_ERROR_WANT_READ: *on = STREAM_READABLE; return STREAM_AGAIN;
	case SSL_ERROR_WANT_WRITE: *on = STREAM_WRITABLE; return STREAM_AGAIN;
	case SSL_ERROR_ZERO_RETURN: return 0;
	default: break;
	}
	if (s->sock.error)
		return stream_broken(s, NULL);
	if (s->sock.eof)
		return 0;
	return stream_broken(s, tls_error_text(text, sizeof text));
}

ssize_t stream_tls_read(struct stream *s, void *p, size_t n)
{
	size_t done = 0, got;
	ssize_t r = STREAM_AGAIN;
	int ret;

	s->sock.reads = STREAM_TLS_READS;
	for (;;) {
		stream_tls_no_errors();
		ret = SSL_read_ex(s->ssl, (char *)p + done, n - done, &got);
		if (ret <= 0) {
			r = stream_tls_outcome(s, ret, &s->read_on);
			/* An end behind the bytes has no event of its own. */
			s->held = done > 0 && r != STREAM_AGAIN;
			break;
		}
		done += got;
		s->held = SSL_has_pending(s->ssl);
		if (done == n || (!s->held && s->sock.drained))
			break;
	}
	stream_update(s);
	return done > 0 ? (ssize_t)done : r;
}

ssize_t stream_tls_write(struct stream *s, const void *p, size_t n)
{
	ssize_t r = sock_flush(&s->sock);
	size_t done = s->owed, put;
	int ret;

	if (r < 0)
		return r;
	assert(done <= n);
	s->owed = 0;
	s->sock.reads = STREAM_TLS_READS;
	while (done < n) {
		size_t left = n - done;

		stream_tls_no_errors();
		ret = SSL_write_ex(s->ssl, (const char *)p + done,
				   left < STREAM_TLS_WRITE_MAX ? left : STREAM_TLS_WRITE_MAX, &put);
		if (ret <= 0) {
			r = stream_tls_outcome(s, ret, &s->write_on);
			if (r == 0)
				r = stream_broken(s, "connection closed by the peer");
			break;
		}
		if (s->sock.kept) {
			s->owed = put;
			r = STREAM_AGAIN;
			break;
		}
		done += put;
	}
	if (r != 0)
		stream_update(s);
	return done > 0 ? (ssize_t)done : r;
}

bool stream_tls_peek(struct stream *s)
{
	char c;
	size_t got;
	ssize_t r;
	int ret;

	s->sock.reads = STREAM_TLS_READS;
	s->sock.drained = false;
	ERR_clear_error();
	ret = SSL_peek_ex(s->ssl, &c, 1, &got);
	r = ret > 0 ? 1 : stream_tls_outcome(s, ret, &s->read_on);
	s->sock.drained = false;
	s->held = r != STREAM_AGAIN;
	stream_update(s);
	return s->held;
}

static void stream_tls_end_handshake(struct stream *s)
{
	if (!s->hs)
		return;
	if (s->ssl)
		SSL_set_app_data(s->ssl, NULL);
	free(s->hs->name);
	free(s->hs);
	s->hs = NULL;
}

void stream_tls_close(struct stream *s, bool notify)
{
	if (s->ssl) {
		if (notify && !s->hs && sock_flush(&s->sock) == 0) {
			ERR_clear_error();
			SSL_shutdown(s->ssl);
		}
		stream_tls_end_handshake(s);
		SSL_free(s->ssl);
		s->ssl = NULL;
		ERR_clear_error();
	}
	stream_tls_end_handshake(s);
	tls_ctx_unref(s->ctx);
	s->ctx = NULL;
}

/* ---- handshake ---- */

static void stream_tls_begin(struct stream *s, struct tls_ctx *c)
{
	BIO *b = NULL;

	assert(!s->ssl && !s->hs);
	s->ctx = tls_ctx_ref(c);
	s->hs = mem_zalloc(sizeof *s->hs);
	ERR_clear_error();
	s->ssl = SSL_new(c->ssl_ctx);
	b = s->ssl ? BIO_new(c->bio) : NULL;
	if (!b) {
		SSL_free(s->ssl);
		s->ssl = NULL;
		err_set(&s->hs->err, ERR_TLS, "TLS cannot be set up: OpenSSL failed");
		return;
	}
	BIO_set_data(b, &s->sock);
	SSL_set_bio(s->ssl, b, b);
	SSL_set_app_data(s->ssl, &s->hs->err);
	s->sock.drained = false;
	s->sock.clogged = false;
}

void stream_tls_client(struct stream *s, struct tls_ctx *c, const char *name)
{
	stream_tls_begin(s, c);
	if (!s->ssl)
		return;
	s->hs->name = mem_strdup(name ? name : "");
	SSL_set_connect_state(s->ssl);
	if (tls_verify_prepare(c, s->ssl, name, &s->hs->err) < 0 && s->hs->err.code == ERR_NONE)
		err_set(&s->hs->err, ERR_INTERNAL, "TLS: the name to verify could not be set");
}

void stream_tls_server(struct stream *s, struct tls_ctx *c)
{
	stream_tls_begin(s, c);
	if (!s->ssl)
		return;
	SSL_set_accept_state(s->ssl);
	SSL_set_options(s->ssl, SSL_OP_CLEANSE_PLAINTEXT);
}

void stream_tls_login_over(struct stream *s)
{
	if (s->ssl)
		SSL_clear_options(s->ssl, SSL_OP_CLEANSE_PLAINTEXT);
}

static void stream_tls_explain(struct stream *s, struct err *e)
{
	char text[160];
	unsigned long code = ERR_peek_error();
	const char *why, *with = s->hs->name ? s->hs->name : "the client";

	if (s->sock.error)
		why = strerror_r(s->sock.error, text, sizeof text);
	else if (s->sock.eof)
		why = "the connection was closed by the other side";
	else
		why = tls_error_text(text, sizeof text);
	err_set(e, ERR_TLS, "TLS handshake with %s failed: %s", with, why);
	if (!s->hs->name || ERR_GET_LIB(code) != ERR_LIB_SSL)
		return;
	switch (ERR_GET_REASON(code)) {
	case SSL_R_WRONG_VERSION_NUMBER:
		err_hint(e, "What answered does not speak TLS: check host and port.");
		break;
	case SSL_R_UNSUPPORTED_PROTOCOL:
	case SSL_R_TLSV1_ALERT_PROTOCOL_VERSION: err_hint(e, "The server must offer TLS 1.2 or 1.3."); break;
	case SSL_R_TLSV1_UNRECOGNIZED_NAME:
		err_hint(e, "The server knows no such name: set tls_server_name to the endpoint's own name.");
		break;
	default: break;
	}
}

static int stream_tls_failed(struct stream *s, struct err *e)
{
	struct err found = s->hs->err;

	if (found.code == ERR_NONE)
		stream_tls_explain(s, &found);
	stream_want_read(s, false);
	stream_want_write(s, false);
	stream_tls_end_handshake(s);
	SSL_free(s->ssl);
	s->ssl = NULL;
	stream_broken(s, found.msg);
	ERR_clear_error();
	if (e)
		*e = found;
	return -1;
}

int stream_tls_step(struct stream *s, struct err *e)
{
	int ret;

	assert(s->hs);
	if (s->hs->err.code != ERR_NONE)
		return stream_tls_failed(s, e);
	s->sock.reads = STREAM_TLS_READS;
	s->sock.drained = false;
	ERR_clear_error();
	ret = SSL_do_handshake(s->ssl);
	if (ret <= 0) {
		int kind = SSL_get_error(s->ssl, ret);

		if (kind != SSL_ERROR_WANT_READ && kind != SSL_ERROR_WANT_WRITE)
			return stream_tls_failed(s, e);
		stream_want_read(s, kind == SSL_ERROR_WANT_READ);
		stream_want_write(s, kind == SSL_ERROR_WANT_WRITE);
		stream_update(s); /* for what the BIO kept */
		return 0;
	}
	if (!tls_peer_is_good(s->ctx, s->ssl)) {
		/* Cannot happen with SSL_VERIFY_PEER; what would follow from it is too bad to rely on that. */
		err_set(&s->hs->err, ERR_TLS_VERIFY, "the %s showed no certificate that could be verified",
			s->hs->name ? "server" : "client");
		return stream_tls_failed(s, e);
	}
	stream_want_read(s, false);
	stream_want_write(s, false);
	stream_tls_end_handshake(s);
	/* The other side's first message often comes in one segment with the end of its handshake. */
	s->held = SSL_has_pending(s->ssl);
	stream_update(s);
	return 1;
}

/* ---- what was agreed on ---- */

const char *stream_tls_version(const struct stream *s)
{
	return stream_is_tls(s) ? SSL_get_version(s->ssl) : NULL;
}

bool stream_is_verified(const struct stream *s)
{
	return stream_is_tls(s) && !SSL_is_server(s->ssl) && tls_ctx_verifies(s->ctx) && tls_peer_is_good(s->ctx, s->ssl);
}

/* The only value of its kind in the name, as UTF-8; owned, NULL if there is none, or more than one. */
static unsigned char *only_cn(const X509_NAME *name, int *n)
{
	int at = X509_NAME_get_index_by_NID(name, NID_commonName, -1);
	unsigned char *text = NULL;

	if (at < 0 || X509_NAME_get_index_by_NID(name, NID_commonName, at) >= 0)
		return NULL;
	*n = ASN1_STRING_to_UTF8(&text, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, at)));
	return *n < 0 ? NULL : text;
}

bool stream_tls_peer_cn(const struct stream *s, char *out, size_t n)
{
	unsigned char *cn;
	X509 *cert;
	int len = 0;
	bool ok;

	out[0] = '\0';
	if (!stream_is_tls(s) || s->ctx->opts.verify == TLS_VERIFY_NONE || !tls_peer_is_good(s->ctx, s->ssl))
		return false;
	cert = SSL_get0_peer_certificate(s->ssl);
	cn = cert ? only_cn(X509_get_subject_name(cert), &len) : NULL;
	ok = cn && len > 0 && (size_t)len < n && !memchr(cn, '\0', (size_t)len);
	if (ok) {
		memcpy(out, cn, (size_t)len);
		out[len] = '\0';
	}
	OPENSSL_free(cn);
	ERR_clear_error();
	return ok;
}

size_t stream_tls_server_end_point(struct stream *s, unsigned char out[64])
{
	unsigned char md[EVP_MAX_MD_SIZE];
	unsigned int n = 0;
	X509 *cert;
	int nid = NID_undef;

	if (!stream_is_tls(s))
		return 0;
	cert = SSL_is_server(s->ssl) ? SSL_get_certificate(s->ssl) : SSL_get0_peer_certificate(s->ssl);
	if (!cert || !X509_get_signature_info(cert, &nid, NULL, NULL, NULL) || nid == NID_undef)
		n = 0;
	else {
		/* RFC 5929 section 4.1: the signature's hash, but SHA-256 in place of MD5 and SHA-1. */
		const EVP_MD *alg =
			nid == NID_md5 || nid == NID_sha1 ? EVP_sha256() : EVP_get_digestbynid(nid);

		if (!alg || !X509_digest(cert, alg, md, &n) || n > 64)
			n = 0;
	}
	ERR_clear_error();
	memcpy(out, md, n);
	return n;
}

struct slice stream_tls_alpn(struct stream *s)
{
	const unsigned char *p = NULL;
	unsigned int n = 0;

	if (stream_is_tls(s))
		SSL_get0_alpn_selected(s->ssl, &p, &n);
	return slice_of(p, n);
}
