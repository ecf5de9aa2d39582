/* Puts a worker's parts together and takes them apart again. */
#include "proxy/proxy.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/mem.h"
#include "pg/message.h"
#include "proxy/client.h"

#define IDLE_BUFFERS 64
#define CANCELS_MIN  16

struct proxy {
	struct proxy_deps deps;
	const struct proxy_opts *opts;
	struct iobuf_pool *bufs;
	struct server_env server_env;
	struct registry registry;
	struct keyring *keys;
	struct cancels cancels;
	struct hash_queue hashes;
	struct list clients, logins;
	struct stats_snapshot *totals; /* without databases */
	struct client_env client_env;
	struct timer grace;
	struct defer check_stopped;
	void (*stopped)(void *arg);
	void *stopped_arg;
};

/* ---- stopping ---- */

static void retire(void *arg, struct pool *p)
{
	(void)arg;
	pool_retire(p);
}

static void check_stopped(void *arg)
{
	struct proxy *p = arg;
	void (*cb)(void *) = p->stopped;

	if (!p->client_env.stopping || !cb)
		return;
	registry_each(&p->registry, retire, NULL);
	if (p->client_env.count > 0 || registry_connections(&p->registry) > 0 || p->cancels.count > 0)
		return;
	timer_clear(&p->grace);
	p->stopped = NULL;
	cb(p->stopped_arg);
}

static void close_server(void *arg, struct pool *p)
{
	struct list *n;

	(void)arg;
	while ((n = list_first(&p->idle)) || (n = list_first(&p->busy)))
		server_close(container_of(n, struct server, pool_node), NULL);
}

/* The grace is over: whoever is still there is told and closed. */
static void grace_over(void *arg)
{
	struct proxy *p = arg;
	struct err e;

	err_set(&e, ERR_SHUTDOWN, "terminating connection due to administrator command");
	list_each (n, tmp, &p->clients) {
		struct client *c = container_of(n, struct client, node);
		if (c->state == CLIENT_CLOSING || c->state == CLIENT_CANCEL)
			client_close(c);
		else
			client_fail(c, &e);
	}
	cancel_all_stop(&p->cancels);
	registry_each(&p->registry, close_server, NULL);
	defer_set(&p->check_stopped);
}

static void stop_clients(struct proxy *p)
{
	list_each (n, tmp, &p->clients)
		client_stop(container_of(n, struct client, node));
}

void proxy_stop(struct proxy *p, uint64_t grace_us, void (*done)(void *arg), void *arg)
{
	p->stopped = done;
	p->stopped_arg = arg;
	p->client_env.stopping = true;
	timer_set(&p->grace, grace_us);
	stop_clients(p);
	defer_set(&p->check_stopped);
}

static void on_something_gone(void *arg)
{
	struct proxy *p = arg;

	if (p->client_env.stopping)
		defer_set(&p->check_stopped);
}

static void on_client_gone(void *arg)
{
	struct proxy *p = arg;

	if (p->deps.client_gone)
		p->deps.client_gone(p->deps.route_arg);
	on_something_gone(p);
}

/* ---- cancels ---- */

static struct cancel *cancel_here(struct proxy *p, uint32_t pid, struct slice secret, void (*done)(void *arg), void *arg)
{
	struct client *c = keyring_find(p->keys, pid, secret);
	struct server *s;

	if (!c) {
		p->totals->cancel_unknown++;
		return NULL;
	}
	c->pool->db->stats.cancels_received++;
	s = c->server;
	if (!client_is_busy(c) || !s->session->has_key || !s->rq.db->target->profile->cancel)
		return NULL; /* nothing to cancel, or nothing that can be */
	return cancel_start(&p->cancels, s, done, arg);
}

static struct cancel *on_cancel(void *arg, uint32_t pid, struct slice key, void (*done)(void *arg), void *client)
{
	struct proxy *p = arg;
	uint32_t worker = keyring_worker(p->keys, pid);
	struct cancel *c;
	uint64_t no;

	if (worker == p->opts->worker)
		return cancel_here(p, pid, key, done, client);
	if (worker >= p->opts->workers || !p->deps.route)
		return NULL;
	c = cancel_away(&p->cancels, &no, done, client);
	p->deps.route(p->deps.route_arg, worker, no, pid, key);
	return c;
}

/* For a server whose client is gone. */
static bool cancel_abandoned(void *arg, struct server *s)
{
	struct proxy *p = arg;

	return s->session->has_key && s->rq.db->target->profile->cancel && cancel_start(&p->cancels, s, NULL, NULL);
}

void proxy_cancel(struct proxy *p, uint32_t pid, struct slice secret, void (*done)(void *arg), void *arg)
{
	if (!cancel_here(p, pid, secret, done, arg))
		done(arg);
}

void proxy_cancel_done(struct proxy *p, uint64_t no)
{
	cancel_away_done(&p->cancels, no);
}

/* ---- clients ---- */

/* PostgreSQL, too, says so before it reads anything. */
static void turn_away(struct proxy *p, int fd)
{
	struct buf b;
	struct err e;
	ssize_t told;

	err_set(&e, ERR_SHUTDOWN, "pgiam is shutting down");
	p->totals->client_errors[e.code]++;
	log_info(loop_log(p->deps.loop), "client turned away", LERR(&e));
	buf_init(&b, 2048);
	message_fatal_err(&b, &e, false);
	told = write(fd, b.p, b.n);
	(void)told; /* what if not: it sees the end of the connection */
	buf_free(&b);
	close(fd);
}

/* max_client_conn counts who has been let in, and its error is told then. Before, anybody can take a place by connecting:
 * so nobody is turned away for those, and it is not the newcomer who has to go but whoever has not got on for longest. An
 * honest client's packets are read before as many others as max_logins can have come in. */
void proxy_accept(struct proxy *p, int fd, const struct addr *peer, const struct addr *local)
{
	if (p->client_env.stopping) {
		turn_away(p, fd);
		if (p->deps.client_gone)
			p->deps.client_gone(p->deps.route_arg);
		return;
	}
	if (p->client_env.login_count >= p->opts->max_logins)
		client_push_out(&p->client_env);
	client_new(&p->client_env, fd, peer, local);
}

bool proxy_make_room(struct proxy *p)
{
	return client_push_out(&p->client_env);
}

/* ---- seeing it ---- */

struct collect_arg {
	struct proxy *p;
	struct stats_snapshot *s;
};

static void collect_pool(void *arg, struct pool *pool)
{
	struct collect_arg *a = arg;
	struct stats *st = &a->s->db[pool->db->index];
	uint64_t now = loop_now_us(a->p->deps.loop);

	st->pools++;
	list_each (n, tmp, &pool->idle)
		st->sv_idle++;
	list_each (n, tmp, &pool->busy) {
		struct server *s = container_of(n, struct server, pool_node);
		if (s->state == SERVER_LOGIN || s->state == SERVER_SETUP)
			st->sv_login++;
		else if (s->state == SERVER_LINKED)
			st->sv_active++;
		else
			st->sv_used++;
	}
	for (int q = 0; q < POOL_QUEUES; q++) {
		struct list *n = list_first(&pool->queue[q]);
		uint64_t waited = n ? now - container_of(n, struct pool_waiter, node)->since_us : 0;
		if (waited > st->maxwait_us)
			st->maxwait_us = waited;
		st->cl_waiting += pool->waiting[q];
	}
}

static void collect_client(struct collect_arg *a, struct client *c)
{
	struct stats *st = c->pool ? &a->s->db[c->pool->db->index] : NULL;

	if (c->server)
		st->cl_active++;
	else if (c->state == CLIENT_IDLE)
		st->cl_idle++;
}

void proxy_collect(struct proxy *p, struct stats_snapshot *s)
{
	struct collect_arg a = {p, s};

	list_each (n, tmp, &p->clients) {
		struct client *c = container_of(n, struct client, node);
		if (c->server)
			client_count_bytes(c);
	}
	s->clients = p->client_env.count;
	s->client_accepts = p->totals->client_accepts;
	s->client_hashes = p->hashes.started;
	memcpy(s->client_errors, p->totals->client_errors, sizeof(s->client_errors));
	s->cancel_unknown = p->totals->cancel_unknown;
	s->iobufs = iobuf_in_use(p->bufs);
	s->log_suppressed = log_suppressed(loop_log(p->deps.loop));
	s->db_count = p->registry.database_count;
	s->db = mem_array(s->db_count, sizeof(*s->db));
	for (size_t i = 0; i < s->db_count; i++) {
		s->db[i] = p->registry.databases[i]->stats;
		s->db[i].database = mem_strdup(s->db[i].database);
	}
	registry_each(&p->registry, collect_pool, &a);
	list_each (n, tmp, &p->clients)
		collect_client(&a, container_of(n, struct client, node));
}

/* The sessions of one database, over its pools. */
struct serving {
	const struct database *db;
	uint64_t servers;
};

static void pool_to_serving(void *arg, struct pool *pool)
{
	struct serving *s = arg;

	if (pool->db == s->db)
		s->servers += pool->total - pool->logins;
}

void proxy_health(struct proxy *p, proxy_health_cb cb, void *arg)
{
	for (size_t i = 0; i < p->registry.database_count; i++) {
		const struct database *d = p->registry.databases[i];
		struct serving serving = {.db = d};
		struct health h = d->health;

		registry_each(&p->registry, pool_to_serving, &serving);
		h.serving = serving.servers;
		cb(arg, d->target, &h);
	}
}

/* ---- life ---- */

static uint32_t cancels_max(const struct proxy_opts *o)
{
	uint32_t max = CANCELS_MIN;

	for (size_t i = 0; i < o->target_count; i++)
		if (2 * o->targets[i]->pool_size > max)
			max = 2 * o->targets[i]->pool_size;
	return max;
}

struct proxy *proxy_new(const struct proxy_deps *d, const struct proxy_opts *o)
{
	struct proxy *p = mem_zalloc(sizeof(*p));

	p->deps = *d;
	p->opts = o;
	p->bufs = iobuf_pool_new(IDLE_BUFFERS);
	p->server_env = (struct server_env){
		.login = {.up = {.loop = d->loop, .mail = d->mail, .resolver = d->resolver}, .offload = d->offload},
		.bufs = p->bufs,
		.fence_timeout_us = o->cancel_wait_timeout_us,
		.closed = on_something_gone,
		.cancel = cancel_abandoned,
		.arg = p,
	};
	p->keys = keyring_new(o->worker, o->workers);
	p->totals = stats_snapshot_new();
	list_init(&p->clients);
	list_init(&p->logins);
	hash_queue_init(&p->hashes, d->loop, d->offload, d->mail);
	registry_init(&p->registry, d->loop, &p->server_env, o, d->secrets);
	cancel_all_init(&p->cancels, &p->server_env, cancels_max(o), on_something_gone, p);
	timer_init(&p->grace, d->loop, grace_over, p);
	defer_init(&p->check_stopped, d->loop, check_stopped, p);
	p->client_env = (struct client_env){
		.loop = d->loop,
		.opts = o,
		.bufs = p->bufs,
		.registry = &p->registry,
		.keys = p->keys,
		.hashes = &p->hashes,
		.totals = p->totals,
		.clients = &p->clients,
		.logins = &p->logins,
		.cancel = on_cancel,
		.gone = on_client_gone,
		.arg = p,
	};
	return p;
}

void proxy_free(struct proxy *p)
{
	if (!p)
		return;
	timer_clear(&p->grace);
	defer_clear(&p->check_stopped);
	registry_fini(&p->registry);
	hash_queue_fini(&p->hashes);
	keyring_free(p->keys);
	stats_snapshot_free(p->totals);
	iobuf_pool_free(p->bufs);
	free(p);
}
