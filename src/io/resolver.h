/* Name resolution by the system's own rules (getaddrinfo) on a few threads of its own, shared by
 * all loops. Answers are cached; one lookup per name at a time; a stale answer is better than none:
 * it is used, and marked, when the lookup fails. The number of waiting lookups is bounded. */
#ifndef PGIAM_IO_RESOLVER_H
#define PGIAM_IO_RESOLVER_H

#include "io/addr.h"
#include "io/mailbox.h"

struct resolver;

struct resolver_opts {
	unsigned threads;       /* lookups at a time */
	unsigned max_pending;   /* lookups waiting; more fail at once */
	uint64_t ttl_us;        /* dns_max_ttl: how long an answer is fresh */
	uint64_t neg_ttl_us;    /* dns_nxdomain_ttl: how long a failure is */
	uint64_t stale_us;      /* how much longer an old answer may stand in */
	/* Tests put their own in place of getaddrinfo(3); NULL is the real one. */
	int (*lookup)(const char *name, struct addr *out, size_t max, struct err *e);
};

#define RESOLVER_MAX_ADDRS 32

struct resolve_result {
	const struct addr *addrs; /* borrowed; ports are zero */
	size_t count;             /* >= 1 */
	bool stale;
};

typedef void (*resolve_cb)(void *arg, const struct resolve_result *r, const struct err *e);

struct resolver *resolver_new(const struct resolver_opts *o, const struct clock *clock, struct err *e);
void resolver_free(struct resolver *r); /* threads stuck in getaddrinfo are left behind after 1 s */

struct resolve_op;

/* Looks name up for the loop behind mb (a mailbox whose receiver is irrelevant here); the callback
 * comes on that loop. IP literals need no thread. */
struct resolve_op *resolve_start(struct resolver *r, struct loop *l, struct mailbox *mb, const char *name,
                                 resolve_cb cb, void *arg);
void resolve_cancel(struct resolve_op *op);

#endif
