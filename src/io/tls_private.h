/* Inside of a TLS context, for tls*.c and stream_tls.c only. */
#ifndef PGIAM_IO_TLS_PRIVATE_H
#define PGIAM_IO_TLS_PRIVATE_H

#include <stdatomic.h>
#include <openssl/ssl.h>
#include "base/regular.h"
#include "io/tls.h"

/* A file as it was when the context was made. */
struct tls_file {
	char *path;
	struct regular_mark mark;
};

#define TLS_FILES_MAX 16

struct tls_ctx {
	atomic_uint refs;
	SSL_CTX *ssl_ctx;
	BIO_METHOD *bio; /* io/sock.h's */
	bool server;
	struct tls_opts opts; /* as given; owns its strings */
	char *ca_text;
	int64_t expires_sec;
	struct tls_file file[TLS_FILES_MAX];
	size_t file_count;
};

/* Notes a file for tls_ctx_is_stale; to be called before it is read. Returns whether it is there. */
bool tls_ctx_watch(struct tls_ctx *c, const char *path);

/* Reads a file into out, which is made here, and is the caller's to free whatever comes of it. what: "key", for e. OpenSSL
 * is given what was read: it would open a FIFO and wait. */
int tls_file_read(const char *what, const char *path, struct buf *out, struct err *e);
BIO *tls_file_bio(struct buf *b); /* b is borrowed while it lives; NULL if OpenSSL fails */

/* Trust anchors: ca_file, or with NULL the RDS bundle and the system's roots; sets ca_text. */
int tls_ca_load(struct tls_ctx *c, const char *ca_file, struct err *e);

/* Server side, when they are loaded: clients with several certificates are told which one to show. */
void tls_ca_name(struct tls_ctx *c);

/* A key and a self-signed certificate for localhost, made in memory. */
int tls_selfsigned_use(SSL_CTX *ctx, const char *host_name, struct err *e);

/* A pem_password_cb that gives none: OpenSSL's own would ask on the terminal. asked: a bool to set, or NULL. Whatever reads
 * a file in PEM gets it. */
int tls_no_passphrase(char *buf, int size, int writing, void *asked);

/* The certificate we show and its key, where the options name them; notes when it expires. */
int tls_identity_load(struct tls_ctx *c, struct err *e);
void tls_identity_note_expiry(struct tls_ctx *c);

/* Versions, ciphers and key exchange, as the options say. */
int tls_terms_set(struct tls_ctx *c, struct err *e);

/* Is the other side's certificate what c asks for? After the handshake. */
bool tls_peer_is_good(const struct tls_ctx *c, const SSL *ssl);

/* SNI, and the name the certificate must bear where c verifies. e: ERR_TLS_VERIFY if no such name can be
 * verified. */
int tls_verify_prepare(const struct tls_ctx *c, SSL *ssl, const char *name, struct err *e);

/* For SSL_set_verify: explains a failure in the struct err that is SSL_get_app_data(ssl). */
int tls_verify_callback(int ok, X509_STORE_CTX *sc);

/* "reason" of the oldest error in this thread's OpenSSL queue, which is emptied. Borrowed from text. */
const char *tls_error_text(char *text, size_t n);

#endif
