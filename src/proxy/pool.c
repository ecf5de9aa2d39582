/* Everything that changes a pool ends in pump(): it hands idle servers to waiting clients, oldest first, and asks
 * for as many logins as there are clients left over. pump() runs from the loop, so that a callback never finds the
 * pool half changed. */
#include "proxy/pool.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include "base/digest.h"
#include "base/mem.h"

#define STILLBORN_US     (1 * CLOCK_US_PER_SEC)
#define RETRY_LEAST_US   (10 * CLOCK_US_PER_MS) /* twice nothing would be nothing for ever */

static void pump(void *arg);

static struct loop *pool_loop(const struct pool *p)
{
	return p->db->loop;
}

/* ---- waiters ---- */

static void unqueue(struct pool_waiter *w)
{
	struct pool *p = w->pool;

	list_del(&w->node);
	timer_clear(&w->deadline);
	p->waiting[w->queue]--;
	w->pool = NULL;
}

void pool_wait_cancel(struct pool_waiter *w)
{
	if (w->pool)
		unqueue(w);
}

static void serve(struct pool_waiter *w, struct server *s)
{
	struct pool *p = w->pool;

	unqueue(w);
	if (s) {
		uint64_t waited = loop_now_us(pool_loop(p)) - w->since_us;
		histogram_add(&p->db->stats.wait, waited);
		p->db->stats.server_assignments++;
	}
	w->served(w->arg, s);
}

static void refuse(struct pool_waiter *w, const struct err *e)
{
	unqueue(w);
	w->failed(w->arg, e);
}

/* What it waited for. */
static void explain_wait(const struct pool *p, struct err *e)
{
	uint32_t max = p->db->target->max_db_connections;

	if (p->failures > 0) {
		err_detail(e, "The last login failed: %s", p->last_error.msg);
		err_hint(e, "%s", err_hint_text(&p->last_error));
		e->from_server = p->last_error.from_server;
	} else if (p->logins > 0) {
		err_detail(e, "A login to the server is under way and has not ended.");
		err_hint(e, "The server, or whoever gives the credentials for it, is slow to answer; see server_connect_timeout.");
	} else if (p->total < p->db->target->pool_size && max > 0 && p->db->connections >= max) {
		err_detail(e, "All %u server connections of this database are in use, %u of them of this pool.", (unsigned)max,
			   (unsigned)p->total);
		err_hint(e, "Others have what max_db_connections allows; see it, and query_wait_timeout.");
	} else if (turn_waits(&p->turn)) {
		err_detail(e, "A login to the server has not begun: it waits for its turn.");
		err_hint(e, "Logins take turns, and are fewer while the server is slow or fails; see login_rate and login_parallel.");
	} else {
		err_detail(e, "All %u server connections of this pool are in use.", (unsigned)p->total);
	}
}

static void on_deadline(void *arg)
{
	struct pool_waiter *w = arg;
	struct err e;

	err_set(&e, ERR_QUERY_WAIT, "no server connection became free within query_wait_timeout");
	explain_wait(w->pool, &e);
	refuse(w, &e);
}

void pool_waiter_init(struct pool_waiter *w, struct loop *l)
{
	list_init(&w->node);
	w->pool = NULL;
	timer_init(&w->deadline, l, on_deadline, w);
}

void pool_wait(struct pool *p, struct pool_waiter *w, enum pool_queue q)
{
	assert(!w->pool);
	w->pool = p;
	w->queue = q;
	w->since_us = loop_now_us(pool_loop(p));
	list_add_tail(&p->queue[q], &w->node);
	p->waiting[q]++;
	if (p->db->target->query_wait_timeout_us > 0)
		timer_set(&w->deadline, p->db->target->query_wait_timeout_us);
	defer_set(&p->pump);
}

static bool anybody_waits(const struct pool *p)
{
	return p->waiting[POOL_WELCOME] + p->waiting[POOL_SERVER] > 0;
}

static struct pool_waiter *first_waiter(const struct pool *p, enum pool_queue q)
{
	struct list *n = list_first(&p->queue[q]);

	return n ? container_of(n, struct pool_waiter, node) : NULL;
}

/* Answers every waiter the last failure concerns. When pgiam stops nobody waits for a better one. */
static void tell_failure(struct pool *p)
{
	bool all = p->verdict->told == VERDICT_ALL || (p->retired && p->total == p->logins);
	struct pool_waiter *w;

	while (p->verdict->told >= VERDICT_NEWCOMERS && (w = first_waiter(p, POOL_WELCOME)))
		refuse(w, &p->last_error);
	while (all && (w = first_waiter(p, POOL_SERVER)))
		refuse(w, &p->last_error);
}

/* ---- servers ---- */

static void on_login_done(void *arg, struct server *s, const struct err *e);
static void on_idle(void *arg, struct server *s);
static void on_closed(void *arg, struct server *s);
static void on_parameters(void *arg, struct server *s);
static void on_overdue(void *arg, struct server *s);
static bool is_kept_ready(void *arg);

static const struct server_ops server_ops = {.login_done = on_login_done,
                                             .idle = on_idle,
                                             .closed = on_closed,
                                             .parameters = on_parameters,
                                             .overdue = on_overdue,
                                             .kept_ready = is_kept_ready};

static void turn_granted(void *arg)
{
	struct pool *p = arg;
	struct server_request rq = {.db = p->db,
	                            .user = p->user,
	                            .database = p->database,
	                            .startup = &p->startup,
	                            .replication = p->replication};
	struct server *s = server_new(p->env, &rq, &server_ops, p);

	turn_drop(&p->spare); /* until it is clear whether that is still wanted */
	s->login_no = ++p->begun;
	list_add_head(&p->busy, &s->pool_node);
	p->total++;
	p->logins++;
	defer_set(&p->pump);
}

/* Asks the source, once in a row of refusals, whether it may have another secret meanwhile. */
static bool refreshed(struct pool *p, const struct server *s, const struct err *e)
{
	struct secret_source *src = p->db->secret;
	bool of_secret = e->code == ERR_AUTH_IAM || e->code == ERR_AUTH_PASSWORD;

	return of_secret && s->secret_no && !p->retried && src->ops->refused && src->ops->refused(src, s->secret_no);
}

/* Did its login begin before the last refusal that was not believed? Then its own says nothing of the secret there is since. */
static bool is_late(const struct pool *p, const struct server *s)
{
	return s->login_no <= p->disbelieved;
}

static const struct verdict *judge(struct pool *p, const struct server *s, const struct err *e)
{
	bool late = is_late(p, s);
	struct verdict_input in = {.code = e->code,
	                           .class = err_class(e),
	                           .retried = p->retried && !late,
	                           .refreshed = late || refreshed(p, s, e),
	                           .known = p->known != POOL_UNTRIED};

	return verdict_of(&in);
}

static uint64_t backoff_us(const struct pool *p)
{
	uint64_t max = p->verdict->backoff_max_us, us = p->db->target->login_retry_us;
	uint32_t r;

	if (us < RETRY_LEAST_US)
		us = RETRY_LEAST_US;
	for (unsigned i = 1; i < p->failures && us < max; i++)
		us *= 2;
	if (us > max)
		us = max;
	digest_random(&r, sizeof(r));
	return us - us / 4 + (uint64_t)((double)us / 2 * ((double)r / UINT32_MAX)); /* 75 % to 125 % */
}

/* What this server reports is what the next client is told. Clients that were told something else learn it when they are
 * linked: the version says who that is. */
static void learn(struct pool *p, struct server *s)
{
	if (p->known == POOL_UNTRIED || !params_equal(&p->welcome, &s->session->params)) {
		params_free(&p->welcome);
		params_copy(&p->welcome, &s->session->params);
		p->welcome_version++;
	}
	s->params_version = p->welcome_version;
}

static void note_failure(struct pool *p, const struct err *e, const struct verdict *v)
{
	uint64_t now = loop_now_us(pool_loop(p));
	bool news = err_is_news(e, p->failures > 0 ? &p->last_error : NULL, now, &p->told_us);

	p->last_error = *e;
	p->verdict = v;
	health_failed(&p->db->health, now, e, p->known != POOL_UNTRIED);
	if (now >= p->retry_at_us) { /* else it began together with one that has failed: one failure, not two */
		p->failures++;
		p->retry_at_us = now + backoff_us(p);
	}
	if (news)
		log_warning(loop_log(pool_loop(p)), "login failed", LS("database", p->db->target->name), LS("user", p->user),
		            LU("failures", p->failures), LERR(e));
}

static void on_login_done(void *arg, struct server *s, const struct err *e)
{
	struct pool *p = arg;
	const struct verdict *v;

	p->logins--;
	v = e ? judge(p, s, e) : NULL;
	database_login_done(p->db, e, v ? v->outcome : GOVERNOR_OK);
	if (!e) {
		health_good(&p->db->health, loop_now_us(pool_loop(p)));
		p->failures = 0;
		p->retry_at_us = 0;
		p->retried = false;
		learn(p, s);
		p->known = POOL_KNOWN;
		log_debug(loop_log(pool_loop(p)), "server logged in", LS("database", p->db->target->name),
		          LS("user", p->user), LU("auth_us", s->session->auth_us));
		return;
	}
	if (s->fate == SERVER_ENDING) { /* which says nothing of the database */
		log_info(loop_log(pool_loop(p)), "login given up", LS("database", p->db->target->name), LS("user", p->user),
		         LERR(e));
		return;
	}
	if (v->again) {
		if (!is_late(p, s))
			p->disbelieved = p->begun;
		p->retried = true;
		log_info(loop_log(pool_loop(p)), "login refused; trying once more",
		         LS("database", p->db->target->name), LS("user", p->user), LERR(e));
		return;
	}
	p->retried = false;
	note_failure(p, e, v);
	tell_failure(p);
}

static void on_idle(void *arg, struct server *s)
{
	struct pool *p = arg;

	list_del(&s->pool_node);
	list_add_head(&p->idle, &s->pool_node);
	defer_set(&p->pump);
}

static void on_closed(void *arg, struct server *s)
{
	struct pool *p = arg;
	struct err e;

	list_del(&s->pool_node);
	p->total--;
	/* A login that leads to nothing is none: without a pause the next one would follow at once, and for ever. */
	if (s->fate == SERVER_LOST && s->use == SERVER_FRESH && loop_now_us(pool_loop(p)) - s->born_us < STILLBORN_US) {
		err_set(&e, ERR_SERVER_CLOSED, "the server closed the connection right after the login");
		note_failure(p, &e, judge(p, s, &e));
	}
	if (s->fate == SERVER_LOST && p->total == p->logins && p->known == POOL_KNOWN)
		p->known = POOL_SUSPECT;
	defer_set(&p->pump);
}

static void on_parameters(void *arg, struct server *s)
{
	learn(arg, s);
}

static void on_overdue(void *arg, struct server *s)
{
	struct pool *p = arg;

	(void)s;
	defer_set(&p->pump);
}

/* ---- the pump ---- */

/* An idle server that is alive, off the idle list; NULL if there is none. */
static struct server *take_idle(struct pool *p)
{
	struct list *n;

	while ((n = list_first(&p->idle))) {
		struct server *s = container_of(n, struct server, pool_node);
		if (!server_check(s))
			continue; /* closed, and off the list by on_closed */
		list_del(&s->pool_node);
		list_add_head(&p->busy, &s->pool_node);
		return s;
	}
	return NULL;
}

static void serve_waiters(struct pool *p)
{
	/* Known values are good as long as a server stands behind them. */
	bool known = (p->known == POOL_KNOWN && p->failures == 0) ||
	             (p->known != POOL_UNTRIED && p->total > p->logins);
	struct pool_waiter *w;
	struct server *s;

	while (known && (w = first_waiter(p, POOL_WELCOME)))
		serve(w, NULL);
	while ((w = first_waiter(p, POOL_SERVER)) && (s = take_idle(p))) {
		/* Not what a turn of its own has just brought: turns go round among users, whoever waits for longer. */
		if (s->use != SERVER_FRESH && database_claims(p->db, &p->turn, w->since_us)) {
			turn_drop(&p->turn); /* ours comes after whose it is given up for */
			server_close(s, NULL);
		} else {
			serve(w, s);
		}
	}
}

/* Servers that will be free in a moment: a login would take longer, and costs the database more. */
static uint32_t returning(struct pool *p)
{
	uint32_t n = 0;

	list_each (it, tmp, &p->busy)
		n += server_returns_soon(container_of(it, struct server, pool_node));
	return n;
}

/* Should there be one more connection for those who wait? */
static bool wants_server(struct pool *p)
{
	uint32_t want = p->waiting[POOL_SERVER], soon = want > 0 ? returning(p) : 0;

	want = want > soon ? want - soon : 0;
	if (p->waiting[POOL_WELCOME] > 0 && want == 0)
		want = 1;
	return want > p->logins;
}

/* How many shall be there for those who may come? */
static uint32_t spares(const struct pool *p)
{
	return !p->retired && p->refs > 0 ? p->db->target->min_pool_size : 0;
}

static bool is_kept_ready(void *arg)
{
	const struct pool *p = arg;

	return p->total <= spares(p);
}

static uint64_t waiting_since(const struct pool *p)
{
	uint64_t since = UINT64_MAX;

	for (int q = 0; q < POOL_QUEUES; q++) {
		const struct pool_waiter *w = first_waiter(p, q);

		if (w && w->since_us < since)
			since = w->since_us;
	}
	return since;
}

static void ask_turns(struct pool *p)
{
	bool more = p->total < p->db->target->pool_size;

	if (more && wants_server(p))
		turn_ask(&p->turn, waiting_since(p));
	else
		turn_drop(&p->turn);
	if (more && p->total < spares(p))
		turn_ask(&p->spare, loop_now_us(pool_loop(p)));
	else
		turn_drop(&p->spare);
}

static void pump(void *arg)
{
	struct pool *p = arg;
	uint64_t now = loop_now_us(pool_loop(p));

	serve_waiters(p);
	if (p->failures > 0 && now < p->retry_at_us) {
		/* Somebody has just been told why; whoever comes now is told the same. */
		if (p->logins == 0)
			tell_failure(p);
		turn_drop(&p->turn);
		turn_drop(&p->spare);
		if (anybody_waits(p) || p->total < spares(p))
			timer_set(&p->retry, p->retry_at_us - now);
	} else {
		ask_turns(p);
	}
	if (!list_empty(&p->idle))
		database_grant(p->db); /* a turn may have waited for a server to evict */
	if (pool_unused(p) && p->unused_since_us == 0)
		p->unused_since_us = now;
	else if (!pool_unused(p))
		p->unused_since_us = 0;
}

/* ---- life ---- */

struct pool *pool_new(const struct pool_request *rq)
{
	struct pool *p = mem_zalloc(sizeof(*p));

	p->db = rq->db;
	p->env = rq->env;
	p->user = mem_strdup(rq->user);
	p->database = mem_strdup(rq->database);
	p->replication = rq->replication;
	params_init(&p->startup);
	params_copy(&p->startup, rq->startup);
	params_init(&p->welcome);
	list_init(&p->idle);
	list_init(&p->busy);
	for (int q = 0; q < POOL_QUEUES; q++)
		list_init(&p->queue[q]);
	turn_init(&p->turn, &rq->db->turns, p->user, turn_granted, p);
	turn_init(&p->spare, &rq->db->spares, p->user, turn_granted, p);
	timer_init(&p->retry, rq->db->loop, pump, p);
	defer_init(&p->pump, rq->db->loop, pump, p);
	return p;
}

static void close_servers(struct pool *p)
{
	struct list *n;

	while ((n = list_first(&p->idle)))
		server_close(container_of(n, struct server, pool_node), NULL);
	while ((n = list_first(&p->busy)))
		server_close(container_of(n, struct server, pool_node), NULL);
}

void pool_free(struct pool *p)
{
	if (!p)
		return;
	assert(p->refs == 0);
	close_servers(p);
	turn_fini(&p->turn);
	turn_fini(&p->spare);
	timer_clear(&p->retry);
	defer_clear(&p->pump);
	params_free(&p->startup);
	params_free(&p->welcome);
	free(p->user);
	free(p->database);
	free(p);
}

void pool_ref(struct pool *p)
{
	p->refs++;
	p->unused_since_us = 0;
	defer_set(&p->pump);
}

void pool_unref(struct pool *p)
{
	p->refs--;
	p->left_us = loop_now_us(pool_loop(p));
	defer_set(&p->pump);
}

bool pool_unused(const struct pool *p)
{
	return p->refs == 0 && p->total == 0;
}

void pool_retire(struct pool *p)
{
	struct list *n;

	p->retired = true;
	turn_drop(&p->spare);
	if (anybody_waits(p))
		return;
	while ((n = list_first(&p->idle)))
		server_retire(container_of(n, struct server, pool_node));
	list_each (it, tmp, &p->busy)
		server_retire(container_of(it, struct server, pool_node));
}

bool pool_evict(struct list *db_node)
{
	struct server *s = container_of(db_node, struct server, db_node);

	if (anybody_waits(s->pool))
		return false;
	server_close(s, NULL);
	return true;
}
