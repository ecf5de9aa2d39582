/* TLS contexts: one SSL_CTX per target or listener, made once, refcounted across threads.
 * TLS 1.2 at least; no renegotiation, no compression, no session is ever resumed; read-ahead on. */
#ifndef PGIAM_IO_TLS_H
#define PGIAM_IO_TLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/err.h"

struct tls_ctx;

/* What is asked of the other side's certificate. */
enum tls_verify {
	TLS_VERIFY_NONE,  /* nothing; only for targets that get no secret */
	TLS_VERIFY_SHOWN, /* of clients: one that is shown must be good, none will do */
	TLS_VERIFY_CHAIN, /* there must be one, and it must be good; its name does not matter */
	TLS_VERIFY_FULL,  /* of servers: it must also bear the name. Secrets travel under this one only */
};

enum tls_versions { TLS_VERSIONS_ALL, TLS_VERSIONS_1_2, TLS_VERSIONS_1_3 }; /* all: 1.2 and 1.3 */

struct tls_opts {
	enum tls_verify verify;
	const char *ca_file;              /* PEM; NULL: the RDS bundle where installed plus the system's roots
					     (never for clients' certificates) */
	const char *cert_file, *key_file; /* PEM, both or neither. Neither: none, or to clients a self-signed one
					     made in memory */
	enum tls_versions versions;
	const char *ciphers;   /* of TLS 1.2, in OpenSSL's notation; NULL: OpenSSL's own */
	const char *ciphers13; /* of TLS 1.3 */
	const char *groups;    /* for the key exchange, "X25519:P-256" */
	bool dhe;              /* server side: finite fields for clients of TLS 1.2 that know no curves */
	const char *alpn;      /* client side: "postgresql" for direct TLS, or NULL */
	const char *host_name; /* server side: CN of the self-signed one */
};

/* The usual places of the RDS bundle, tried in order when ca_file is NULL. NULL-terminated. */
const char *const *tls_rds_bundle_paths(void);

/* For upstream connections. NULL with e set: which file, which reason. */
struct tls_ctx *tls_client_ctx_new(const struct tls_opts *o, struct err *e);

/* For clients. */
struct tls_ctx *tls_server_ctx_new(const struct tls_opts *o, struct err *e);

/* Has a file the context was made from changed on disk (mtime, size, inode)? Cheap; then make a new one. */
bool tls_ctx_is_stale(const struct tls_ctx *c);

/* A new context from the same options and the files as they are now; NULL with e set if they cannot be used (the old one
 * stays as it is). */
struct tls_ctx *tls_ctx_reload(const struct tls_ctx *old, struct err *e);

/* What it was made from, for messages: "/etc/ssl/certs/rds.pem", or "the RDS bundle /... and the system's roots". */
const char *tls_ctx_ca_text(const struct tls_ctx *c);

/* As they were given; borrowed from c. */
const struct tls_opts *tls_ctx_opts(const struct tls_ctx *c);
bool tls_opts_equal(const struct tls_opts *a, const struct tls_opts *b);

/* Does it show a certificate that was made in memory? */
bool tls_ctx_is_self_made(const struct tls_ctx *c);

/* TLS_VERIFY_FULL? */
bool tls_ctx_verifies(const struct tls_ctx *c);

/* When the first certificate of our own chain expires, in seconds since 1970; 0: there is none. */
int64_t tls_ctx_expires_sec(const struct tls_ctx *c);

/* For a library that makes an SSL_CTX of its own: OpenSSL wipes its copy of whatever was read when it has handed it over. */
void tls_wipe_what_was_read(void *ssl_ctx);

struct tls_ctx *tls_ctx_ref(struct tls_ctx *c); /* thread-safe */
void tls_ctx_unref(struct tls_ctx *c);

#endif
