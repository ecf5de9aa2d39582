/* The credentials of one provider, kept fresh: one fetch at a time for all who wait, a new one well before
 * the old expire, the old ones kept while they live when that fails, and failures repeated at a growing
 * distance only. Lives on the control loop. */
#ifndef PGIAM_AWS_CACHE_H
#define PGIAM_AWS_CACHE_H

#include "aws/provider.h"
#include "aws/skew.h"
#include "io/loop.h"

/* New ones are fetched this long before expiry, or after half their life if that is later. */
#define CACHE_AHEAD_US (INT64_C(15) * 60 * 1000000)
/* With less life than this left, who asks waits for new ones, and gets the old only if there are none. */
#define CACHE_RESERVE_US (INT64_C(60) * 1000000)
/* After the n-th failure in a row: base * 2^n, at most max, each with jitter down to its half. */
#define CACHE_BACKOFF_US     UINT64_C(1000000)
#define CACHE_BACKOFF_MAX_US UINT64_C(60000000)
/* ... but where none are valid for longer than CACHE_RESERVE_US, and somebody wants some, no longer than this, ... */
#define CACHE_WANTED_US UINT64_C(1000000)
/* ... and as long as the source asks for, up to this. */
#define CACHE_RETRY_AFTER_MAX_US UINT64_C(300000000)
/* Who waits for a fetch after one that failed is told of that failure after so long. */
#define CACHE_PATIENCE_US UINT64_C(5000000)
/* Whoever asks has the files behind the credentials looked at, this far apart at least. */
#define CACHE_LOOK_US UINT64_C(1000000)
/* Refreshes that somebody demands although nothing is due are at least this far apart. */
#define CACHE_DEMAND_US UINT64_C(10000000)

struct cache;
struct cache_op;

/* Exactly one of c and e is not NULL; both borrowed. Comes once, never inside cache_get, never after cancel.
 */
typedef void (*cache_cb)(void *arg, struct credentials *c, const struct err *e);

/* Takes the provider, borrows skew (NULL: the clock is right); fetches at once, so that the first login need
 * not wait. */
struct cache *cache_new(struct loop *l, struct provider *p, const struct skew *skew)
	__attribute__((returns_nonnull));
/* What its log lines call it; borrowed. NULL, as at first: there is only one. */
void cache_set_name(struct cache *c, const char *name);
void cache_free(struct cache *c); /* with no cache_get pending; NULL is fine */

/* Credentials that are valid now. If `refused` is not NULL (compared, not kept), the caller was turned down
 * with those: others are fetched if that can help and CACHE_DEMAND_US allows it; otherwise it gets what there
 * is, the same again perhaps. */
struct cache_op *cache_get(struct cache *c, const struct credentials *refused, cache_cb cb, void *arg);
void cache_cancel(struct cache_op *op);

struct cache_stats {
	const struct credentials *creds; /* borrowed until the loop's next turn, or NULL: never any yet */
	uint64_t refreshes;              /* fetches that brought some */
	uint64_t failures[PROVIDER_CAUSE_COUNT]; /* and that did not, by why */
	bool valid;                              /* creds are there and have not expired */
	struct err why;                          /* unless valid: why not */
};
void cache_collect(const struct cache *c, struct cache_stats *out);

#endif
