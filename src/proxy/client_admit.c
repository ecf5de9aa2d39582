/* A StartupMessage says who somebody wants to be: may this connection ask that at all? */
#include "base/mem.h"
#include "io/peer.h"
#include "proxy/client_private.h"

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
	if (!uid_allowed(c)) {
		err_set(e, ERR_CLIENT_USER, "this operating system user may not connect");
		err_hint(e, "pgiam's client_uids says which local users may.");
		return -1;
	}
	if (env->opts->client_tls_required && !stream_is_tls(c->stream) && !addr_is_unix(&c->ends->local)) {
		err_set(e, ERR_CLIENT_USER, "TLS required (client_tls_sslmode = require)");
		err_hint(e, "Connect with sslmode=require.");
		return -1;
	}
	return 0;
}

void client_admit(struct client *c, struct startup *s, size_t packet)
{
	const char *app_name;
	struct err e;

	c->user = mem_strdup(s->user);
	c->database = mem_strdup(s->database);
	app_name = params_get(&s->params, "application_name");
	c->app_name = mem_strdup(app_name ? app_name : "");
	buf_drop_front(&c->in, packet); /* whatever is left is authentication's or the session's */
	startup_write_negotiate(&c->out, s); /* before anything is said about who it is */
	if (admit(c, &e) != 0)
		client_fail(c, &e);
	else
		client_auth_begin(c, s);
}
