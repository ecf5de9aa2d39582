/* After a client a server goes one way only, from what is owed to the reset (FROM_...), leaving out what is not needed: each step
 * begins where the one before has ended, under a deadline of its own, and whatever is not as it should be ends in a close. What is
 * not certain to be clean is never handed out. */
#include "proxy/server.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include "base/digest.h"
#include "base/mem.h"
#include "pg/message.h"
#include "pg/parse.h"
#include "proxy/policy.h"

#define END STATE_BIT(SERVER_CLOSED)
/* The way back to idle after a client: each goes on to a later one, or ends. */
#define FROM_RESET     (STATE_BIT(SERVER_IDLE) | END)
#define FROM_ROLLBACK  (STATE_BIT(SERVER_RESET) | FROM_RESET)
#define FROM_FENCE     (STATE_BIT(SERVER_ROLLBACK) | FROM_ROLLBACK)
#define FROM_CANCELLED (STATE_BIT(SERVER_FENCE) | FROM_FENCE)
#define FROM_DRAIN     (STATE_BIT(SERVER_CANCELLED) | FROM_CANCELLED)

static const struct state_row rows[] = {
	[SERVER_LOGIN] = {"login", STATE_BIT(SERVER_SETUP) | STATE_BIT(SERVER_IDLE) | END, DEADLINE_OUTER},
	[SERVER_SETUP] = {"setup", STATE_BIT(SERVER_IDLE) | END, DEADLINE_OWN},
	[SERVER_IDLE] = {"idle", STATE_BIT(SERVER_LINKED) | END, DEADLINE_OWN},
	[SERVER_LINKED] = {"linked", STATE_BIT(SERVER_DRAIN) | FROM_CANCELLED, DEADLINE_NONE},
	[SERVER_DRAIN] = {"drain", FROM_DRAIN, DEADLINE_OWN},
	[SERVER_CANCELLED] = {"cancelled", FROM_CANCELLED, DEADLINE_OWN},
	[SERVER_FENCE] = {"fence", FROM_FENCE, DEADLINE_OWN},
	[SERVER_ROLLBACK] = {"rollback", FROM_ROLLBACK, DEADLINE_OWN},
	[SERVER_RESET] = {"reset", FROM_RESET, DEADLINE_OWN},
	[SERVER_CLOSED] = {"closed", 0, DEADLINE_FINAL},
};

#define OWN_QUERY_US    (10 * CLOCK_US_PER_SEC)
#define FIRST_US        (50 * CLOCK_US_PER_MS) /* so long has a client that is let in for its first query */
#define SOON_US         (1 * CLOCK_US_PER_SEC) /* so long may a reset take before somebody logs in instead */
#define CANCELLED_US    (5 * CLOCK_US_PER_SEC)
#define LIFETIME_JITTER 0.1

/* Each may make all that is known of the pool's servers be copied: a reloaded configuration changes a few. */
#define REPORTED_MAX 1000

static void set_state(struct server *s, enum server_state to)
{
	state_check(rows, s->state, to);
	s->state = to;
	timer_clear(&s->timer);
}

const struct state_row *server_state_rows(size_t *count)
{
	*count = sizeof(rows) / sizeof(*rows);
	return rows;
}

static void worsen(struct server *s, enum server_fate fate)
{
	if (s->fate < fate)
		s->fate = fate;
}

static struct loop *server_loop(const struct server *s)
{
	return s->env->login.up.loop;
}

static void server_free(void *p)
{
	struct server *s = p;

	login_result_free(s->session);
	free(s->app_name);
	free((char *)(uintptr_t)s->rq.user);
	free((char *)(uintptr_t)s->rq.database);
	free(s);
}

/* The end of every server; its client has been unlinked. */
static void end(struct server *s)
{
	if (s->state == SERVER_CLOSED)
		return;
	assert(!s->link);
	set_state(s, SERVER_CLOSED);
	list_del(&s->db_node);
	if (s->login) {
		login_cancel(s->login);
		s->login = NULL;
	}
	relay_close(&s->relay);
	database_connection_closed(s->rq.db);
	s->ops->closed(s->pool, s);
	s->env->closed(s->env->arg);
	if (s->cancels == 0)
		loop_free_later(server_loop(s), server_free, s);
}

void server_close(struct server *s, const struct err *e)
{
	struct err why;

	if (s->state == SERVER_LINKED) {
		if (e)
			why = *e;
		else
			err_set(&why, ERR_SHUTDOWN, "terminating connection: the server connection was closed");
		worsen(s, SERVER_ENDING);
		s->link->server_gone(s->link_arg, &why, false); /* unlinks, which ends it */
		return;
	}
	end(s);
}

static bool too_old(const struct server *s)
{
	return s->max_age_us > 0 && loop_now_us(server_loop(s)) - s->born_us >= s->max_age_us;
}

/* ---- idling ---- */

static void tell_news(struct server *s)
{
	if (s->news)
		s->ops->parameters(s->pool, s);
	s->news = false;
}

/* Until it has been idle for too long, or is too old. */
static void set_idle_timer(struct server *s)
{
	uint64_t now = loop_now_us(server_loop(s)), left = s->rq.db->target->server_idle_timeout_us;

	if (s->max_age_us > 0) {
		uint64_t age = now - s->born_us, life = age < s->max_age_us ? s->max_age_us - age : 1;
		if (left == 0 || life < left)
			left = life;
	}
	if (left > 0)
		timer_set(&s->timer, left);
}

/* From now on it may be closed to make room for others. */
static void offer(struct server *s)
{
	set_idle_timer(s);
	list_add_tail(&s->rq.db->idle, &s->db_node);
}

static void become_idle(struct server *s)
{
	if (s->fate != SERVER_STAYS) {
		end(s); /* told to go while it logged in */
		return;
	}
	set_state(s, SERVER_IDLE);
	if (s->use == SERVER_FRESH)
		timer_set(&s->timer, FIRST_US); /* whoever it let in is about to ask for it */
	else
		offer(s);
	tell_news(s);
	s->ops->idle(s->pool, s);
}

bool server_check(struct server *s)
{
	if (!relay_server_quiet(&s->relay))
		worsen(s, SERVER_LOST);
	else if (s->state == SERVER_IDLE && s->fate == SERVER_STAYS && !too_old(s))
		return true;
	end(s);
	return false;
}

/* ---- after a client ---- */

static void own_query(struct server *s, enum server_state st, const char *sql)
{
	set_state(s, st);
	s->failed_query = false;
	s->query_us = loop_now_us(server_loop(s));
	timer_set(&s->timer, st == SERVER_SETUP ? OWN_QUERY_US : SOON_US);
	relay_query(&s->relay, sql);
}

/* What a client left running may end by itself, as with PostgreSQL, within bounds of time (and of bytes, in relay_down.c). */
static void drain(struct server *s)
{
	uint64_t gone = loop_now_us(server_loop(s)) - s->abandoned_us;

	set_state(s, SERVER_DRAIN);
	timer_set(&s->timer, gone < SERVER_ABANDONED_US ? SERVER_ABANDONED_US - gone : 1);
}

/* On from where its client left it, or from a step that has settled: after those nothing is owed, and nobody cancels what
 * serves nobody. */
static void next_step(struct server *s)
{
	const char *reset = s->rq.db->target->reset_query;
	struct policy_input in = {
		.aligned = relay_aligned(&s->relay),
		.closed = inflight_closed(&s->relay.inflight),
		.idle = inflight_idle(&s->relay.inflight) && !s->relay.up.b && s->relay.hidden == 0,
		.tx = s->relay.tx,
		.dedicated = s->rq.replication,
		.ending = s->fate != SERVER_STAYS || s->relay.last_word != RELAY_WORD_NONE || too_old(s),
		.clean = s->use != SERVER_USED || !*reset,
	};
	enum policy_action a = policy_released(&in);

	if (s->cancels > 0 && (a == POLICY_ROLLBACK || a == POLICY_RESET || a == POLICY_IDLE)) {
		set_state(s, SERVER_FENCE);
		if (s->env->fence_timeout_us > 0)
			timer_set(&s->timer, s->env->fence_timeout_us);
		return;
	}
	switch (a) {
	case POLICY_CLOSE: end(s); return;
	case POLICY_DRAIN: drain(s); return;
	case POLICY_ROLLBACK: own_query(s, SERVER_ROLLBACK, "ROLLBACK"); return;
	case POLICY_RESET: own_query(s, SERVER_RESET, reset); return;
	case POLICY_IDLE: become_idle(s); return;
	}
}

/* connect_query is part of the login: the pool waits to hear how it ended. */
static void setup_failed(struct server *s, const struct err *e)
{
	struct err why = *e;

	err_prefix(&why, "connect_query");
	s->ops->login_done(s->pool, s, &why);
	end(s);
}

static void on_timer(void *arg)
{
	struct server *s = arg;
	uint64_t out = loop_now_us(server_loop(s)) - s->query_us;
	struct err e;

	if (s->state == SERVER_SETUP) {
		err_set(&e, ERR_LOGIN_TIMEOUT, "no end within %u s", (unsigned)(OWN_QUERY_US / CLOCK_US_PER_SEC));
		setup_failed(s, &e);
		return;
	}
	if ((s->state == SERVER_ROLLBACK || s->state == SERVER_RESET) && out < OWN_QUERY_US) {
		timer_set(&s->timer, OWN_QUERY_US - out);
		s->ops->overdue(s->pool, s);
		return;
	}
	if (s->state == SERVER_DRAIN && s->env->cancel(s->env->arg, s)) {
		/* Closing would free our slot but leave the query running in the database. */
		set_state(s, SERVER_CANCELLED);
		timer_set(&s->timer, CANCELLED_US);
		return;
	}
	if (s->state == SERVER_IDLE && !list_linked(&s->db_node)) {
		offer(s);
		database_grant(s->rq.db);
		return;
	}
	if (s->state == SERVER_IDLE && !too_old(s) && s->ops->kept_ready(s->pool)) {
		set_idle_timer(s); /* another would have to be logged in for it at once */
		return;
	}
	if (s->state != SERVER_IDLE)
		log_info(loop_log(server_loop(s)), "server closed: it did not get free in time",
		         LS("database", s->rq.db->target->name), LS("user", s->rq.user), LS("state", rows[s->state].name));
	end(s);
}

/* ---- what the relay says ---- */

static void on_end(void *arg, const struct err *e)
{
	struct server *s = arg;

	worsen(s, SERVER_LOST);
	if (s->state == SERVER_LINKED) {
		s->link->server_gone(s->link_arg, e, s->relay.last_word == RELAY_WORD_FATAL_TOLD);
		return;
	}
	if (s->state == SERVER_SETUP) {
		setup_failed(s, e);
		return;
	}
	log_at(loop_log(server_loop(s)), e->code == ERR_SERVER_PROTOCOL ? LOG_WARNING : LOG_INFO, "server closed",
	       LS("database", s->rq.db->target->name), LS("user", s->rq.user), LS("state", rows[s->state].name), LERR(e));
	end(s);
}

/* What a client changes is reported again when it is reset. What changed by itself, by a reloaded configuration or a
 * promotion, is not: so all of it is remembered, for the next client's welcome. */
static void on_reported(void *arg, struct slice body)
{
	struct server *s = arg;
	struct slice name, value;
	struct err e;

	/* application_name is the last client's, or nobody's */
	if (parse_parameter_status(body, &name, &value) != 0 || slice_eq_str(name, "application_name"))
		return;
	s->news = true;
	if (s->state == SERVER_LINKED) {
		/* as often as its client likes */
		if (login_result_parameter(s->session, name, value) != 0)
			worsen(s, SERVER_ENDING);
	} else if (++s->reported > REPORTED_MAX || login_result_parameter(s->session, name, value) != 0) {
		err_set(&e, ERR_SERVER_PROTOCOL, "the server reports parameters without end");
		on_end(s, &e);
	} else if (s->state == SERVER_IDLE) {
		tell_news(s);
	}
}

/* Is what it says now an answer to a client that is gone, or to the goodbye that pgiam said for one? */
static bool answers_the_departed(const struct server *s)
{
	return s->state == SERVER_DRAIN || s->state == SERVER_CANCELLED ||
	       (s->state == SERVER_LINKED && s->relay.hidden == 0);
}

static void on_hidden(void *arg, uint8_t type, struct slice body)
{
	struct server *s = arg;

	if (type == 'E' && !answers_the_departed(s)) {
		struct parse_error pe;
		parse_error_prefix(body, &pe);
		s->failed_query = true;
		log_info(loop_log(server_loop(s)), "server reported an error outside a client's session",
		         LS("database", s->rq.db->target->name), LS("user", s->rq.user), LS("state", rows[s->state].name),
		         LB("sqlstate", pe.sqlstate), LB("error", pe.message));
	}
}

static void on_settled(void *arg, char tx)
{
	struct server *s = arg;
	struct err e;

	switch (s->state) {
	case SERVER_SETUP:
		if (s->failed_query || tx != 'I') {
			err_set(&e, ERR_LOGIN_REFUSED, "it ended in an error or a transaction");
			setup_failed(s, &e);
			return;
		}
		s->use = SERVER_FRESH;
		s->ops->login_done(s->pool, s, NULL);
		become_idle(s);
		return;
	case SERVER_ROLLBACK:
	case SERVER_RESET:
		if (s->failed_query || tx != 'I') {
			worsen(s, SERVER_ENDING);
		} else if (s->state == SERVER_RESET) {
			s->use = SERVER_CLEAN;
			s->app_name[0] = '\0';
		}
		next_step(s);
		return;
	case SERVER_DRAIN:
	case SERVER_CANCELLED: next_step(s); return;
	case SERVER_LOGIN:
	case SERVER_IDLE:
	case SERVER_LINKED:
	case SERVER_FENCE:
	case SERVER_CLOSED: return;
	}
}

static const struct relay_server_ops relay_ops = {.end = on_end, .hidden = on_hidden, .reported = on_reported, .settled = on_settled};

/* ---- linking ---- */

void server_link(struct server *s, struct stream *client, struct iobuf *first, const char *app_name,
                 const struct server_link *link, void *arg)
{
	struct buf sql;

	set_state(s, SERVER_LINKED);
	list_del(&s->db_node);
	s->link = link;
	s->link_arg = arg;
	s->use = SERVER_USED;
	s->abandoned_us = 0;
	s->reported = 0;
	/* server_lifetime = 0: every connection serves one client */
	if (s->rq.db->target->server_lifetime_us == 0)
		worsen(s, SERVER_ENDING);
	relay_attach(&s->relay, client, first, &link->relay, arg);
	if (target_named_at_login(s->rq.db->target, s->rq.replication) || strcmp(s->app_name, app_name) == 0)
		return;
	buf_init(&sql, 8192);
	buf_add_str(&sql, "SET application_name = ");
	message_literal(&sql, app_name);
	if (!sql.full) {
		relay_query(&s->relay, buf_cstr(&sql));
		free(s->app_name);
		s->app_name = mem_strdup(app_name);
	}
	buf_free(&sql);
}

struct iobuf *server_unlink(struct server *s, bool *clean)
{
	struct iobuf *unsent = relay_detach(&s->relay, clean);

	s->link = NULL;
	s->link_arg = NULL;
	server_leaving(s);
	next_step(s);
	return unsent;
}

void server_leaving(struct server *s)
{
	if (s->abandoned_us == 0)
		s->abandoned_us = loop_now_us(server_loop(s));
}

void server_abandon(struct server *s)
{
	uint64_t now = loop_now_us(server_loop(s));

	s->abandoned_us = now > SERVER_ABANDONED_US ? now - SERVER_ABANDONED_US : 1;
}

bool server_returns_soon(const struct server *s)
{
	return (s->state == SERVER_ROLLBACK || s->state == SERVER_RESET) &&
	       loop_now_us(server_loop(s)) - s->query_us < SOON_US;
}

void server_retire(struct server *s)
{
	struct err e;

	worsen(s, SERVER_ENDING);
	if (s->state == SERVER_LOGIN) {
		err_set(&e, ERR_SHUTDOWN, "login: nobody waits for it any more");
		s->ops->login_done(s->pool, s, &e);
		end(s);
	} else if (s->state == SERVER_IDLE) {
		end(s);
	}
}

void server_cancel_begin(struct server *s)
{
	s->cancels++;
}

void server_cancel_end(struct server *s, bool settled)
{
	s->cancels--;
	if (!settled)
		worsen(s, SERVER_ENDING);
	if (s->state == SERVER_CLOSED && s->cancels == 0)
		loop_free_later(server_loop(s), server_free, s); /* the last to name it */
	else if (s->state == SERVER_FENCE && s->cancels == 0)
		next_step(s);
}

/* ---- birth ---- */

static uint64_t jittered(uint64_t us)
{
	uint32_t r;

	digest_random(&r, sizeof(r));
	return us - (uint64_t)((double)us * LIFETIME_JITTER * ((double)r / UINT32_MAX));
}

static void on_login(void *arg, struct login_result *r, uint64_t secret_no, const struct err *e)
{
	struct server *s = arg;
	struct stats *st = &s->rq.db->stats;
	uint64_t lifetime = s->rq.db->target->server_lifetime_us;
	uint64_t cut = (uint64_t)s->rq.db->target->profile->max_age_sec * CLOCK_US_PER_SEC;

	s->login = NULL;
	s->secret_no = secret_no;
	if (e) {
		s->ops->login_done(s->pool, s, e);
		end(s);
		return;
	}
	s->session = r;
	s->born_us = loop_now_us(server_loop(s));
	if (cut > 0 && (lifetime == 0 || lifetime > cut))
		lifetime = cut;
	s->max_age_us = jittered(lifetime);
	histogram_add(&st->resolve, r->resolve_us);
	histogram_add(&st->connect, r->connect_us);
	if (stream_is_tls(r->stream))
		histogram_add(&st->tls, r->tls_us);
	histogram_add(&st->auth, r->auth_us);
	histogram_add(&st->login, r->resolve_us + r->connect_us + r->tls_us + r->auth_us);
	if (r->token)
		st->tokens++;
	relay_init(&s->relay, s->env->bufs, r->stream, &relay_ops, s);
	r->stream = NULL;
	s->use = SERVER_CLEAN;
	if (s->rq.db->target->connect_query && !s->rq.replication) {
		own_query(s, SERVER_SETUP, s->rq.db->target->connect_query);
		return;
	}
	s->use = SERVER_FRESH;
	s->ops->login_done(s->pool, s, NULL);
	become_idle(s);
}

struct server *server_new(const struct server_env *env, const struct server_request *rq,
                          const struct server_ops *ops, void *pool)
{
	struct server *s = mem_zalloc(sizeof(*s));
	struct login_request lr;

	s->env = env;
	s->rq = *rq;
	s->rq.user = mem_strdup(rq->user);
	s->rq.database = mem_strdup(rq->database);
	s->ops = ops;
	s->pool = pool;
	s->state = SERVER_LOGIN;
	s->app_name = mem_strdup("");
	list_init(&s->pool_node);
	list_init(&s->db_node);
	timer_init(&s->timer, env->login.up.loop, on_timer, s);
	lr = (struct login_request){
		.target = rq->db->target,
		.tls = database_tls(rq->db),
		.secret = rq->db->secret,
		.user = s->rq.user,
		.database = s->rq.database,
		.startup = rq->startup,
	};
	s->login = login_start(&env->login, &lr, on_login, s);
	return s;
}
