/* The databases of this worker and their pools. Pools come into being when a client asks for a combination of
 * database, user and startup parameters; their number is capped and unused ones go. */
#ifndef PGIAM_PROXY_REGISTRY_H
#define PGIAM_PROXY_REGISTRY_H

#include "base/map.h"
#include "proxy/opts.h"
#include "proxy/pool.h"

struct registry {
	struct loop *loop;
	const struct server_env *env;
	struct database **databases; /* one per target, same order */
	size_t database_count;
	struct map *pools;           /* canonical key -> struct pool */
	uint32_t max_pools;
	struct timer gc;
};

void registry_init(struct registry *r, struct loop *l, const struct server_env *env, const struct proxy_opts *o,
                   struct secret_source *const *secrets);
/* No client may be left. */
void registry_fini(struct registry *r);

/* The database a client means by this name, or NULL. */
struct database *registry_database(const struct registry *r, const char *name);

/* The pool for it, with a reference (pool_unref). NULL with ERR_TOO_MANY_POOLS. */
struct pool *registry_pool(struct registry *r, const struct pool_request *rq, struct err *e);

/* Calls cb for every pool; it must not make or free pools. */
void registry_each(struct registry *r, void (*cb)(void *arg, struct pool *p), void *arg);

/* Servers of all pools, whatever they do. */
uint32_t registry_connections(const struct registry *r);

#endif
