/* A TLS context that follows its files (io/live.h): shared by all threads, and whoever begins a handshake asks for it as it
 * is now. Connections keep the context they began with. Thread-safe, all of it. */
#ifndef PGIAM_IO_TLS_LIVE_H
#define PGIAM_IO_TLS_LIVE_H

#include "base/clock.h"
#include "base/log.h"
#include "io/tls.h"

struct tls_live;

/* Takes c. */
struct tls_live *tls_live_new(struct tls_ctx *c);
struct tls_live *tls_live_ref(struct tls_live *t);
void tls_live_unref(struct tls_live *t); /* NULL is fine */

/* The context as it is now; a reference, for the caller to give back. Looks at the files at most once a second, and reads
 * them again where they have changed: what is new, or why it cannot be used and the old one stays, goes to the log, each
 * reason once. So does, once a day, a certificate of our own that has expired or will within 30 days. */
struct tls_ctx *tls_live_get(struct tls_live *t, const struct clock *clock, struct log *log);

/* Reads the files again whether they have changed or not. -1: they cannot be used, nothing has changed; it was logged. */
int tls_live_reload(struct tls_live *t, const struct clock *clock, struct log *log);

/* How often they could not be used. */
uint64_t tls_live_failures(struct tls_live *t);

/* See tls_ctx_expires_sec. */
int64_t tls_live_expires_sec(struct tls_live *t);

/* Was it made from options like these? So that it can be shared. */
bool tls_live_is(struct tls_live *t, const struct tls_opts *o);

#endif
