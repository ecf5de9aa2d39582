/* Reaches a target: resolves, connects, and where the target has TLS asks for it and shakes hands. What comes out is a
 * stream ready for a startup or cancel packet. Used by logins and by cancels, which therefore travel alike. */
#ifndef PGIAM_PROXY_UPSTREAM_H
#define PGIAM_PROXY_UPSTREAM_H

#include "io/dial.h"
#include "io/stream.h"
#include "proxy/state.h"
#include "proxy/target.h"

struct upstream_env {
	struct loop *loop;
	struct mailbox *mail;
	struct resolver *resolver;
};

struct upstream_result {
	struct stream *stream; /* given to the callee; no owner yet, both switches off */
	uint64_t resolve_us, connect_us, tls_us;
	bool local;            /* a unix socket or a loopback address */
};

/* Exactly one of r and e; e has its phase in front: "resolve", "connect", "TLS". */
typedef void (*upstream_cb)(void *arg, const struct upstream_result *r, const struct err *e);

struct upstream;

/* tls: the target's context as it is now, or NULL for plaintext; a reference is taken. The target is borrowed until
 * the callback or cancel. The only deadline is the target's server_connect_timeout for all phases together. */
struct upstream *upstream_start(const struct upstream_env *env, const struct target *t, struct tls_ctx *tls,
                                upstream_cb cb, void *arg);
void upstream_cancel(struct upstream *u);

const struct state_row *upstream_state_rows(size_t *count);

#endif
