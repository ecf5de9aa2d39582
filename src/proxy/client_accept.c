/* A client from its first byte on: who is told, by state, that its stream is ready, that its time is over, or that the pool
 * has something for it. While it has a server the relay is told of its stream, and at its end client.c. */
#include "base/mem.h"
#include "pg/msg.h"
#include "proxy/client_private.h"

#define CLIENT_IN_MAX  (MSG_MAX_STARTUP_PACKET + 2 * 4096)
#define CLIENT_OUT_MAX (1u << 20)

static void on_ready(void *arg, unsigned what)
{
	struct client *c = arg;

	switch (c->state) {
	case CLIENT_STARTUP:
		if ((what & STREAM_WRITABLE) && client_flush(c) < 0)
			return;
		if (what & STREAM_READABLE)
			client_startup_ready(c);
		return;
	case CLIENT_TLS: client_startup_ready(c); return;
	case CLIENT_AUTH: client_auth_ready(c, what); return;
	case CLIENT_GREETED:
		if (what & STREAM_WRITABLE)
			client_greet_on(c);
		else
			client_read_waiting(c); /* it is answered behind its welcome */
		return;
	case CLIENT_IDLE: client_read_first(c); return;
	case CLIENT_WELCOME:
	case CLIENT_WAIT: client_read_waiting(c); return;
	case CLIENT_CANCEL:
	case CLIENT_LINKED:
	case CLIENT_LEAVING:
	case CLIENT_CLOSING:
	case CLIENT_CLOSED: return;
	}
}

static void on_timer(void *arg)
{
	struct client *c = arg;
	struct err e;

	switch (c->state) {
	case CLIENT_STARTUP:
	case CLIENT_TLS:
	case CLIENT_AUTH:
		err_set(&e, ERR_CLIENT_TIMEOUT, "no login within client_login_timeout");
		client_drop(c, &e); /* as PostgreSQL does: it may not even speak the protocol */
		return;
	case CLIENT_GREETED:
		if (c->hung_up) {
			client_close(c); /* it closed its side before it was welcomed */
			return;
		}
		err_set(&e, ERR_CLIENT_TIMEOUT, "the client did not take its welcome within client_login_timeout");
		client_drop(c, &e); /* there is no room for a word */
		return;
	case CLIENT_IDLE:
	case CLIENT_LINKED:
		err_set(&e, ERR_IDLE_TIMEOUT, "terminating connection due to idle-session timeout");
		client_fail(c, &e);
		return;
	case CLIENT_CLOSING:
	case CLIENT_CANCEL:
	case CLIENT_WELCOME:
	case CLIENT_WAIT:
	case CLIENT_LEAVING:
	case CLIENT_CLOSED: client_close(c); return;
	}
}

static void on_served(void *arg, struct server *s)
{
	struct client *c = arg;

	if (c->state == CLIENT_WELCOME)
		client_welcome(c);
	else
		client_link(c, s);
}

static void on_refused(void *arg, const struct err *e)
{
	client_fail(arg, e);
}

void client_new(struct client_env *env, int fd, const struct addr *peer, const struct addr *local)
{
	struct client *c = mem_zalloc(sizeof(*c));

	c->env = env;
	c->state = CLIENT_STARTUP;
	c->protocol = STARTUP_3_0;
	c->ends = mem_alloc(sizeof(*c->ends));
	*c->ends = (struct client_ends){.peer = *peer, .local = *local, .client = c};
	list_init(&c->ends->login);
	c->trusted = env->opts->auth.type == AUTH_TYPE_TRUST && addr_is_loopback(peer);
	c->connected_us = loop_now_us(env->loop);
	buf_init_secret(&c->in, CLIENT_IN_MAX); /* passwords come through it */
	buf_init(&c->out, CLIENT_OUT_MAX);
	pool_waiter_init(&c->waiter, env->loop);
	c->waiter.served = on_served;
	c->waiter.failed = on_refused;
	c->waiter.arg = c;
	timer_init(&c->timer, env->loop, on_timer, c);
	if (env->opts->client_login_timeout_us > 0)
		timer_set(&c->timer, env->opts->client_login_timeout_us);
	if (!addr_is_unix(local))
		dial_set_keepalive(fd, &env->opts->keepalive);
	c->stream = stream_new(env->loop, fd, on_ready, c);
	list_add_tail(env->clients, &c->node);
	env->count++;
	env->totals->client_accepts++;
	client_got_on(c);
	stream_want_read(c->stream, true);
}
