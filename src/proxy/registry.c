#include "proxy/registry.h"

#include <stdlib.h>
#include <string.h>
#include "base/mem.h"

/* An unused pool is kept a while: its welcome values and its memory of failure spare the next client a login. */
#define POOL_KEEP_US (60 * CLOCK_US_PER_SEC)
#define POOL_KEY_MAX 65536

static void collect(void *arg);

void registry_init(struct registry *r, struct loop *l, const struct server_env *env, const struct proxy_opts *o,
                   struct secret_source *const *secrets)
{
	*r = (struct registry){.loop = l, .env = env, .max_pools = o->max_pools, .database_count = o->target_count};
	r->pools = map_new();
	r->databases = mem_array(o->target_count, sizeof(struct database *));
	for (size_t i = 0; i < o->target_count; i++) {
		struct target *t = o->targets[i];
		struct secret_source *s = t->auth == TARGET_AUTH_NONE ? NULL : secrets[t->secret_index];
		r->databases[i] = database_new(t, l, s, pool_evict);
	}
	timer_init(&r->gc, l, collect, r);
}

static void remove_pool(struct registry *r, struct slice key)
{
	pool_free(map_del(r->pools, key));
}

void registry_fini(struct registry *r)
{
	struct slice key;
	void *v;

	timer_clear(&r->gc);
	for (size_t pos = 0; map_each(r->pools, &pos, &key, &v);)
		remove_pool(r, key);
	map_free(r->pools);
	for (size_t i = 0; i < r->database_count; i++)
		database_free(r->databases[i]);
	free(r->databases);
}

struct database *registry_database(const struct registry *r, const char *name)
{
	struct database *fallback = NULL;

	for (size_t i = 0; i < r->database_count; i++) {
		const char *known = r->databases[i]->target->name;
		if (strcmp(known, "*") == 0)
			fallback = r->databases[i];
		else if (strcmp(known, name) == 0)
			return r->databases[i];
	}
	return fallback;
}

static void make_key(const struct pool_request *rq, struct buf *key)
{
	buf_init(key, POOL_KEY_MAX);
	buf_add(key, &rq->db, sizeof(rq->db));
	buf_add(key, rq->user, strlen(rq->user) + 1);
	buf_add(key, rq->database, strlen(rq->database) + 1);
	buf_add_char(key, rq->replication ? 'r' : 's');
	params_canonical(rq->startup, key);
}

/* Frees unused pools: all that are old enough, or with `hard` any one that does not remember a recent failure. */
static size_t sweep(struct registry *r, bool hard)
{
	uint64_t now = loop_now_us(r->loop);
	struct slice key;
	size_t freed = 0;
	void *v;

	for (size_t pos = 0; map_each(r->pools, &pos, &key, &v);) {
		struct pool *p = v;
		bool old = p->unused_since_us > 0 && now - p->unused_since_us >= POOL_KEEP_US;
		if (!pool_unused(p) || !(old || (hard && freed == 0 && now >= p->retry_at_us)))
			continue;
		remove_pool(r, key);
		freed++;
	}
	return freed;
}

static void collect(void *arg)
{
	struct registry *r = arg;

	sweep(r, false);
	if (map_count(r->pools) > 0)
		timer_set(&r->gc, POOL_KEEP_US);
}

struct pool *registry_pool(struct registry *r, const struct pool_request *rq, struct err *e)
{
	struct buf key;
	struct pool *p = NULL;

	make_key(rq, &key);
	if (key.full) {
		err_set(e, ERR_LIMIT, "startup parameters are too long");
		goto out;
	}
	p = map_get(r->pools, buf_slice(&key));
	if (!p && map_count(r->pools) >= r->max_pools && sweep(r, true) == 0) {
		err_set(e, ERR_TOO_MANY_POOLS, "no more pools allowed (max_pools = %u)", (unsigned)r->max_pools);
		goto out;
	}
	if (!p) {
		p = pool_new(rq);
		map_put(r->pools, buf_slice(&key), p);
		if (!timer_is_set(&r->gc))
			timer_set(&r->gc, POOL_KEEP_US);
	}
	pool_ref(p);
out:
	buf_free(&key);
	return p;
}

void registry_each(struct registry *r, void (*cb)(void *arg, struct pool *p), void *arg)
{
	struct slice key;
	void *v;

	for (size_t pos = 0; map_each(r->pools, &pos, &key, &v);)
		cb(arg, v);
}

uint32_t registry_connections(const struct registry *r)
{
	uint32_t n = 0;

	for (size_t i = 0; i < r->database_count; i++)
		n += r->databases[i]->connections;
	return n;
}
