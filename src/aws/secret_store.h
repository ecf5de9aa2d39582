/* One database user's password, kept on the control loop: read once for all who wait, kept until its life nears the end or
 * somebody is turned down with it, and read again then, at a bounded rate. */
#ifndef PGIAM_AWS_SECRET_STORE_H
#define PGIAM_AWS_SECRET_STORE_H

#include "aws/cache.h"
#include "aws/desk.h"
#include "aws/secret_reader.h"

/* Readings that somebody demands after a refusal are at least this far apart. */
#define SECRET_STORE_DEMAND_US UINT64_C(10000000)
/* After the n-th failure in a row: base * 2^n, at most max. Where there is nothing to give out, who asks has to wait for base
 * only, and it is read again although nobody asks: whoever keeps clients away until there is one would wait for ever. So it is at
 * the end of what there is, if the last reading failed. */
#define SECRET_STORE_BACKOFF_US     UINT64_C(1000000)
#define SECRET_STORE_BACKOFF_MAX_US UINT64_C(60000000)

struct secret_store;
struct secret_store_op;

/* deps is copied; its parts and the cache, which signs, are borrowed for the store's life. */
struct secret_store_opts {
	const struct provider_deps *deps;
	struct cache *cache;
	struct secret_reader *reader; /* taken */
	const char *name;             /* for people; copied */
};

/* Reads it at once, so that the first login need not wait. */
struct secret_store *secret_store_new(const struct secret_store_opts *o) __attribute__((returns_nonnull));
void secret_store_free(struct secret_store *s); /* with no get pending */

/* Exactly one of v and e is not NULL; both borrowed. Comes once, never inside get, never after cancel. */
typedef void (*secret_store_cb)(void *arg, struct secret_value *v, const struct err *e);

/* One that has not expired. If `refused` is not NULL (compared, not kept), a server turned it down: another is given if
 * there is one, the same again if not. */
struct secret_store_op *secret_store_get(struct secret_store *s, const struct secret_value *refused,
					 secret_store_cb cb, void *arg);
void secret_store_cancel(struct secret_store_op *op);

struct secret_store_stats {
	bool valid;              /* there is one to give out */
	uint64_t reads;          /* that brought one */
	uint64_t failures[PROVIDER_CAUSE_COUNT]; /* and that did not, by why; ... */
	uint64_t lacking;        /* ... for want of credentials */
	int64_t read_wall_us;    /* when the last one was read, by this machine's clock; 0: never */
	uint64_t age_us;         /* how long that is ago */
	int64_t expires_wall_us; /* 0: it does not, or there is none */
	bool lacking_now;        /* there is none to give out, and that is not only for want of somebody who asks */
	struct err why;          /* ... why */
};
void secret_store_collect(const struct secret_store *s, struct secret_store_stats *out);

/* A desk where workers ask it. */
struct desk *secret_store_desk(struct secret_store *s, struct mailbox *control_mail);

#endif
