/* TLS contexts: one SSL_CTX per target or listener, made once, refcounted across threads.
 * TLS 1.2 at least; no renegotiation, no compression; read-ahead on. */
#ifndef PGIAM_IO_TLS_H
#define PGIAM_IO_TLS_H

#include <stdbool.h>
#include <stddef.h>
#include "base/err.h"

struct tls_ctx;

struct tls_client_opts {
	const char *ca_file;    /* PEM; NULL: the RDS bundle where installed plus the system's roots */
	bool verify;            /* false only for targets that get no secret */
	const char *alpn;       /* "postgresql" for direct TLS, or NULL */
};

/* The usual places of the RDS bundle, tried in order when ca_file is NULL. NULL-terminated. */
const char *const *tls_rds_bundle_paths(void);

/* For upstream connections. NULL with e set: which file, which reason. */
struct tls_ctx *tls_client_ctx_new(const struct tls_client_opts *o, struct err *e);

struct tls_server_opts {
	const char *cert_file, *key_file; /* NULL, NULL: a self-signed certificate made in memory */
	const char *host_name;            /* CN of the self-signed one */
};

/* For clients. */
struct tls_ctx *tls_server_ctx_new(const struct tls_server_opts *o, struct err *e);

/* Has a file the context was made from changed on disk (mtime, size, inode)? Cheap; then make a new one. */
bool tls_ctx_is_stale(const struct tls_ctx *c);

/* A new client context from the same options and the files as they are now; NULL with e set if they cannot be used (the
 * old one stays as it is). */
struct tls_ctx *tls_client_ctx_reload(const struct tls_ctx *old, struct err *e);

/* What it was made from, for messages: "/etc/ssl/certs/rds.pem", or "the RDS bundle /... and the system's roots". */
const char *tls_ctx_ca_text(const struct tls_ctx *c);
bool tls_ctx_verifies(const struct tls_ctx *c);

struct tls_ctx *tls_ctx_ref(struct tls_ctx *c); /* thread-safe */
void tls_ctx_unref(struct tls_ctx *c);

#endif
