/* What every method comes to: a question, a hash, a verdict. */
#include "proxy/client_auth.h"

#include "pg/message.h"

void client_auth_ask(struct client *c, uint32_t request, struct slice data)
{
	c->auth->phase = CLIENT_AUTH_ASKED;
	message_auth(&c->out, request, data);
	if (client_flush(c) >= 0)
		stream_want_read(c->stream, true);
}

void client_auth_hash(struct client *c, struct slice password, hash_cb cb)
{
	struct client_auth *a = c->auth;

	a->phase = CLIENT_AUTH_WORKS;
	stream_want_read(c->stream, false);
	a->hash = hash_queue_start(c->env->hashes, password, &a->secret.scram, cb, c);
}

void client_auth_refuse(struct client *c, const char *why)
{
	struct client_auth *a = c->auth;
	char peer[ADDR_TEXT];

	a->phase = CLIENT_AUTH_PENALTY;
	log_info(loop_log(c->env->loop), "client authentication failed", LS("user", c->user), LS("database", c->database),
	         LS("peer", addr_text(&c->ends->peer, peer)), LS("auth_type", a->method->name), LS("why", why));
	stream_want_read(c->stream, false);
	timer_set(&a->penalty, CLIENT_AUTH_PENALTY_US);
}

void client_auth_verdict(struct client *c, bool right)
{
	if (!c->auth->known)
		client_auth_refuse(c, "auth_file has no secret of this user that this auth_type can use");
	else if (!right)
		client_auth_refuse(c, "the password is wrong");
	else
		client_enter(c);
}
