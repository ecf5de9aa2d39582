/* Connects to a host: resolves, then tries every address under one deadline, the next one as soon
 * as one fails, or after a pause beside a slow one (RFC 8305's idea, 250 ms). */
#ifndef PGIAM_IO_DIAL_H
#define PGIAM_IO_DIAL_H

#include "io/resolver.h"

struct dial_opts {
	const char *host;     /* name, literal, or a directory "/..." of a unix socket; copied */
	const char *hostaddr; /* IP literal to connect to instead, or NULL (libpq's meaning) */
	uint16_t port;
	uint64_t timeout_us;  /* for resolving and connecting together */
	bool keepalive;       /* tcp_keepalive and friends; 0 = the system's value */
	int keepidle_sec, keepintvl_sec, keepcnt, user_timeout_ms;
};

struct dial_result {
	int fd; /* given to the callee: non-blocking, connected, TCP_NODELAY */
	struct addr peer;
	uint64_t resolve_us, connect_us;
	bool stale_dns;
};

/* Exactly one of r and e. e: ERR_RESOLVE, ERR_CONNECT (each address with its reason in the detail),
 * ERR_CONNECT_TIMEOUT. */
typedef void (*dial_cb)(void *arg, const struct dial_result *r, const struct err *e);

struct dial;
struct dial *dial_start(struct loop *l, struct resolver *rs, struct mailbox *mb, const struct dial_opts *o,
                        dial_cb cb, void *arg);
void dial_cancel(struct dial *d);

/* Keepalive options on an accepted or dialled TCP socket. */
void dial_set_keepalive(int fd, const struct dial_opts *o);

#endif
