/* A StartupMessage says who somebody wants to be: whether that is let in, and what pool serves it. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "io/peer.h"
#include "proxy/client_auth.h"
#include "proxy/startup_policy.h"

static bool name_in(const char *const *list, const char *name)
{
	if (!list)
		return true;
	for (; *list; list++)
		if (strcmp(*list, name) == 0)
			return true;
	return false;
}

static bool uid_allowed(struct client *c)
{
	const struct proxy_opts *o = c->env->opts;
	struct err e;
	uid_t uid;

	if (!o->client_uids)
		return true;
	if (peer_uid(stream_fd(c->stream), &c->ends->peer, &c->ends->local, &uid, &e) != 0) {
		log_warning(loop_log(c->env->loop), "client refused: its user id cannot be known", LERR(&e));
		return false;
	}
	for (size_t i = 0; i < o->client_uid_count; i++)
		if (o->client_uids[i] == uid)
			return true;
	log_warning(loop_log(c->env->loop), "client refused: its user id is not in client_uids", LU("uid", uid));
	return false;
}

/* What does not depend on who it says it is. */
static int admit(struct client *c, struct err *e)
{
	const struct client_env *env = c->env;

	if (env->stopping)
		return err_set(e, ERR_SHUTDOWN, "the database system is shutting down");
	if (!uid_allowed(c))
		return err_set(e, ERR_CLIENT_USER, "this operating system user may not connect");
	if (env->opts->client_tls_required && !stream_is_tls(c->stream) && !addr_is_unix(&c->ends->local))
		return err_set(e, ERR_CLIENT_USER, "TLS required (client_tls_sslmode = require)");
	return 0;
}

/* What does; asked only of those who proved it. */
static int enter(struct client *c, struct err *e)
{
	const struct client_env *env = c->env;

	if (!name_in(env->opts->client_users, c->user))
		return err_set(e, ERR_CLIENT_USER, "user \"%.64s\" may not connect here (client_users)", c->user);
	if (env->welcomed >= env->opts->max_client_conn)
		return err_set(e, ERR_TOO_MANY_CLIENTS, "no more connections allowed (max_client_conn)");
	return 0;
}

static struct pool *find_pool(struct client *c, const struct startup *s, struct err *e)
{
	struct database *db = registry_database(c->env->registry, s->database);
	struct pool_request rq;
	struct params startup;
	struct pool *p = NULL;

	if (!db) {
		err_set(e, ERR_NO_DATABASE, "database \"%.64s\" does not exist", s->database);
		return NULL;
	}
	params_init(&startup);
	rq = (struct pool_request){
		.db = db,
		.env = c->env->registry->env,
		.user = db->target->user ? db->target->user : s->user,
		.database = db->target->dbname ? db->target->dbname : s->database,
		.startup = &startup,
		.replication = s->replication, /* the server judges its value */
	};
	if (startup_policy(db->target->profile, &s->params, &db->target->startup_defaults, c->env->opts->ignore_startup,
	                   &startup, e) == 0) {
		if (rq.replication)
			params_set(&startup, slice_str("replication"), slice_str(s->replication));
		if (target_named_at_login(db->target, rq.replication) && c->app_name[0])
			params_set(&startup, slice_str("application_name"), slice_str(c->app_name));
		p = registry_pool(c->env->registry, &rq, e);
	}
	params_free(&startup);
	return p;
}

/* What PostgreSQL makes of an application name: printable ASCII, at most 63 bytes (guc.c check_application_name). */
static char *clean_app_name(const char *name)
{
	char *clean = mem_strndup(name ? name : "", name ? strnlen(name, 63) : 0);

	for (char *p = clean; *p; p++)
		if (*p < 32 || *p > 126)
			*p = '?';
	return clean;
}

void client_admit(struct client *c, struct startup *s, size_t packet)
{
	struct err e;

	c->user = mem_strdup(s->user);
	c->database = mem_strdup(s->database);
	c->app_name = clean_app_name(params_get(&s->params, "application_name"));
	buf_drop_front(&c->in, packet); /* whatever is left is authentication's or the session's */
	startup_write_negotiate(&c->out, s); /* before anything is said about who it is */
	if (admit(c, &e) != 0)
		client_fail(c, &e);
	else
		client_auth_begin(c, s);
}

void client_enter(struct client *c)
{
	struct err e;

	c->trusted = c->auth->method != &client_auth_trust || addr_is_loopback(&c->ends->peer);
	if (enter(c, &e) != 0 || !(c->pool = find_pool(c, &c->auth->startup, &e))) {
		client_fail(c, &e);
		return;
	}
	client_auth_free(c);
	c->env->welcomed++;
	timer_clear(&c->timer);
	client_set_state(c, CLIENT_WELCOME);
	free(c->ends);
	c->ends = NULL;
	stream_want_read(c->stream, true); /* one that goes away is noticed */
	pool_wait(c->pool, &c->waiter, POOL_WELCOME);
}
