/* A pool is named by all that a server's session depends on from its login on, in one canonical string. Whoever may connect can
 * make such names up: so pools are capped, and the one that nobody has named for longest makes room, not the newcomer. */
#include "proxy/registry.h"

#include <stdlib.h>
#include <string.h>
#include "base/mem.h"
#include "proxy/startup_policy.h"

/* An unused pool is kept a while: its welcome values and its memory of failure spare the next client a login. */
#define POOL_KEEP_US (60 * CLOCK_US_PER_SEC)
#define POOL_KEY_MAX 65536

static void collect(void *arg);

/* A database whose pool is known beforehand is connected to before the first client comes. */
static void keep_warm(struct registry *r, struct database *d)
{
	const struct target *t = d->target;
	struct params none, startup;
	struct pool_request rq = {.db = d, .env = r->env, .user = t->user, .startup = &startup};
	struct err e;

	rq.database = t->dbname ? t->dbname : strcmp(t->name, "*") != 0 ? t->name : NULL;
	if (t->min_pool_size == 0 || !rq.user || !rq.database)
		return;
	params_init(&none);
	params_init(&startup);
	if (startup_policy(t->profile, &none, &t->startup_defaults, NULL, &startup, &e) == 0)
		registry_pool(r, &rq, &e); /* the reference is kept for good */
	params_free(&startup);
}

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
		r->databases[i]->index = i;
	}
	timer_init(&r->gc, l, collect, r);
	for (size_t i = 0; i < r->database_count; i++)
		keep_warm(r, r->databases[i]);
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
	/* the references of keep_warm */
	for (size_t pos = 0; map_each(r->pools, &pos, &key, &v);)
		((struct pool *)v)->refs = 0;
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

/* Frees the pools that have been unused for long. */
static void sweep(struct registry *r)
{
	uint64_t now = loop_now_us(r->loop);
	struct slice key;
	void *v;

	for (size_t pos = 0; map_each(r->pools, &pos, &key, &v);) {
		struct pool *p = v;
		if (pool_unused(p) && p->unused_since_us > 0 && now - p->unused_since_us >= POOL_KEEP_US)
			remove_pool(r, key);
	}
}

/* Makes room for one pool: the one that no client has named for the longest time goes, its idle servers with it. A pool
 * that remembers a failure of just now stays: else failing logins could be had as fast as pools. */
static bool make_room(struct registry *r)
{
	uint64_t now = loop_now_us(r->loop);
	struct pool *oldest = NULL;
	struct slice key, oldest_key = {0};
	void *v;

	for (size_t pos = 0; map_each(r->pools, &pos, &key, &v);) {
		struct pool *p = v;
		if (p->refs > 0 || !list_empty(&p->busy) || now < p->retry_at_us)
			continue;
		if (!oldest || p->left_us < oldest->left_us) {
			oldest = p;
			oldest_key = key;
		}
	}
	if (oldest)
		remove_pool(r, oldest_key);
	return oldest;
}

static void collect(void *arg)
{
	struct registry *r = arg;

	sweep(r);
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
	if (!p && map_count(r->pools) >= r->max_pools && !make_room(r)) {
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
