/* A worker's proxy: clients, pools and servers on one loop. Shares nothing with other workers; everything here is
 * called on the loop's thread. */
#ifndef PGIAM_PROXY_PROXY_H
#define PGIAM_PROXY_PROXY_H

#include "io/addr.h"
#include "base/slice.h"
#include "io/offload.h"
#include "proxy/health.h"
#include "proxy/opts.h"
#include "proxy/stats.h"

struct proxy;

/* A CancelRequest whose key belongs to another worker (its index is in the key), for that worker's proxy_cancel; copies
 * what it needs. secret: at most STARTUP_CANCEL_KEY_MAX bytes. no: what proxy_cancel_done gets to hear when that worker
 * is through with it, or has ended; 0 if nobody waits for it. */
typedef void (*proxy_cancel_route)(void *arg, uint32_t worker, uint64_t no, uint32_t pid, struct slice secret);

struct proxy_deps {
	struct loop *loop;
	struct mailbox *mail;
	struct resolver *resolver;
	struct offload *offload;
	struct secret_source *const *secrets; /* by target.secret_index; borrowed */
	proxy_cancel_route route;             /* may be NULL with one worker */
	void (*client_gone)(void *arg);       /* once for each proxy_accept, at the client's end; may be NULL */
	void *route_arg;                      /* of both */
};

/* Opts are borrowed for the proxy's life. */
struct proxy *proxy_new(const struct proxy_deps *d, const struct proxy_opts *o);

/* Everything must be closed (proxy_stop with its callback seen). */
void proxy_free(struct proxy *p);

/* A new client connection; takes fd. */
void proxy_accept(struct proxy *p, int fd, const struct addr *peer, const struct addr *local);

/* There is no descriptor left: gives up the connection that has been trying to log in for longest. False if none is. */
bool proxy_make_room(struct proxy *p);

/* A CancelRequest another worker received. done comes once, at once if there is nothing to cancel. */
void proxy_cancel(struct proxy *p, uint32_t pid, struct slice secret, void (*done)(void *arg), void *arg);

/* Another worker is through with a CancelRequest that was received here. */
void proxy_cancel_done(struct proxy *p, uint64_t no);

/* Stops: idle clients are told 57P01 and closed, others when their transaction ends, all after grace_us. done comes
 * once, when no client and no server is left. A second call shortens the grace. */
void proxy_stop(struct proxy *p, uint64_t grace_us, void (*done)(void *arg), void *arg);

/* Adds this worker's numbers to an empty snapshot. */
void proxy_collect(struct proxy *p, struct stats_snapshot *s);

/* For /readiness: calls cb for each target with what this worker knows of it. */
typedef void (*proxy_health_cb)(void *arg, const struct target *t, const struct health *h);
void proxy_health(struct proxy *p, proxy_health_cb cb, void *arg);

#endif
