/* It is who it says: whether that user is let in, and what pool serves it. */
#include <stdlib.h>
#include <string.h>

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

/* Asked only of those who proved who they are. */
static int may_enter(struct client *c, struct err *e)
{
	const struct client_env *env = c->env;

	if (!name_in(env->opts->client_users, c->user)) {
		err_set(e, ERR_CLIENT_USER, "user \"%.64s\" may not connect here (client_users)", c->user);
		err_hint(e, "pgiam's client_users says which database users may be asked for.");
		return -1;
	}
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
		if (target_is_console(s->database))
			err_hint(e, "There is no console in this version: numbers are on /metrics, over HTTP (http_listen).");
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

void client_enter(struct client *c)
{
	struct err e;

	c->trusted = !c->auth->method->unproven || addr_is_loopback(&c->ends->peer);
	if (may_enter(c, &e) != 0 || !(c->pool = find_pool(c, &c->auth->startup, &e))) {
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
