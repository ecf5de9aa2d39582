/* What a client is told once it is in: what PostgreSQL itself would send (PostgreSQL: Protocol, Message Flow, Start-up). */
#include <stdlib.h>

#include "pg/message.h"
#include "proxy/app_name.h"
#include "proxy/client_private.h"

void client_welcome(struct client *c)
{
	const struct params *w = &c->pool->welcome;
	bool named = target_named_at_login(c->pool->db->target, c->pool->replication);
	char *app_name = app_name_shown(c->app_name, w);
	struct err e;

	stream_tls_login_over(c->stream);
	free(c->app_name);
	c->app_name = app_name;
	c->told_version = c->pool->welcome_version;
	c->cancel_pid = keyring_add(c->env->keys, c, startup_key_bytes(c->protocol));
	message_auth_ok(&c->out);
	for (size_t i = 0; i < w->n; i++) {
		/* a name that went with the login the server has told us itself */
		bool is_app = !named && c->app_name[0] && strcmp(w->v[i].name, "application_name") == 0;
		message_parameter_status(&c->out, w->v[i].name, is_app ? c->app_name : w->v[i].value);
	}
	message_backend_key(&c->out, c->cancel_pid, keyring_secret(c->env->keys, c->cancel_pid));
	message_ready(&c->out, 'I');
	if (c->out.full) {
		buf_clear(&c->out);
		err_set(&e, ERR_LIMIT, "the server reports more parameters than fit into a welcome");
		client_fail(c, &e);
		return;
	}
	c->pool->db->stats.client_logins++;
	if (c->env->opts->log_connections)
		log_info(loop_log(c->env->loop), "client connected", LS("database", c->database), LS("user", c->user),
		         LS("tls", stream_tls_version(c->stream)));
	client_greet(c);
}
