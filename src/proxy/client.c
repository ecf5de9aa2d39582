/* A client's life. Two owners take turns at its stream: this file while pgiam itself talks to the client, the relay
 * while a server does. */
#include "proxy/client_login.h"

#include <stdlib.h>
#include <string.h>
#include "base/mem.h"
#include "pg/message.h"
#include "pg/msg.h"

#define CLOSING_US      (5 * CLOCK_US_PER_SEC) /* for a slow client to take its last message */
#define CLIENT_IN_MAX   (MSG_MAX_STARTUP_PACKET + 2 * 4096)
#define CLIENT_OUT_MAX  (1u << 20)

#define END (STATE_BIT(CLIENT_CLOSING) | STATE_BIT(CLIENT_CLOSED))

static const struct state_row rows[] = {
	[CLIENT_STARTUP] = {"startup", STATE_BIT(CLIENT_TLS) | STATE_BIT(CLIENT_CANCEL) | STATE_BIT(CLIENT_AUTH) | END,
                            DEADLINE_OWN},
	[CLIENT_TLS] = {"tls", STATE_BIT(CLIENT_STARTUP) | END, DEADLINE_OWN},
	[CLIENT_CANCEL] = {"cancel", END, DEADLINE_OUTER},
	[CLIENT_AUTH] = {"auth", STATE_BIT(CLIENT_WELCOME) | END, DEADLINE_OWN},
	[CLIENT_WELCOME] = {"welcome", STATE_BIT(CLIENT_IDLE) | END, DEADLINE_OUTER},
	[CLIENT_IDLE] = {"idle", STATE_BIT(CLIENT_WAIT) | END, DEADLINE_NONE},
	[CLIENT_WAIT] = {"wait", STATE_BIT(CLIENT_LINKED) | END, DEADLINE_OUTER},
	[CLIENT_LINKED] = {"linked", STATE_BIT(CLIENT_LEAVING) | END, DEADLINE_NONE},
	[CLIENT_LEAVING] = {"leaving", END, DEADLINE_OWN},
	[CLIENT_CLOSING] = {"closing", STATE_BIT(CLIENT_CLOSED), DEADLINE_OWN},
	[CLIENT_CLOSED] = {"closed", 0, DEADLINE_FINAL},
};

static void on_ready(void *arg, unsigned what);
static void on_relay_end(void *arg, enum relay_end how, const struct err *e);
static void on_relay_leaving(void *arg);
static void on_relay_ready(void *arg, char tx);
static void on_relay_busy(void *arg);
static void on_server_gone(void *arg, const struct err *e, bool fatal);

static const struct server_link link_ops = {
	.relay = {.end = on_relay_end, .leaving = on_relay_leaving, .ready = on_relay_ready, .busy = on_relay_busy},
	.server_gone = on_server_gone,
};

const struct state_row *client_state_rows(size_t *count)
{
	*count = sizeof(rows) / sizeof(*rows);
	return rows;
}

static void login_over(struct client *c)
{
	if (c->ends && list_linked(&c->ends->login)) {
		list_del(&c->ends->login);
		c->env->login_count--;
	}
}

void client_got_on(struct client *c)
{
	login_over(c);
	list_add_tail(c->env->logins, &c->ends->login);
	c->env->login_count++;
}

void client_set_state(struct client *c, enum client_state s)
{
	state_check(rows, c->state, s);
	c->state = s;
	switch (s) {
	case CLIENT_STARTUP:
	case CLIENT_TLS:
	case CLIENT_AUTH: client_got_on(c); break;
	case CLIENT_CLOSING: break; /* as long as it takes its last words */
	case CLIENT_CANCEL:         /* there are few of those (cancels_max) */
	case CLIENT_WELCOME:
	case CLIENT_IDLE:
	case CLIENT_WAIT:
	case CLIENT_LINKED:
	case CLIENT_LEAVING:
	case CLIENT_CLOSED: login_over(c); break;
	}
}

bool client_is_busy(const struct client *c)
{
	return c->server && c->server->relay.busy;
}

void client_count_bytes(struct client *c)
{
	struct relay *r = &c->server->relay;
	struct stats *st = &c->pool->db->stats;

	st->bytes_received += r->up.bytes - c->seen_up;
	st->bytes_sent += r->down.bytes - c->seen_down;
	c->seen_up = r->up.bytes;
	c->seen_down = r->down.bytes;
}

/* ---- ending ---- */

void client_because(struct client *c, const char *reason)
{
	if (!c->reason)
		c->reason = reason;
}

void client_because_of_stream(struct client *c)
{
	client_because(c, *stream_error(c->stream) ? "connection_lost" : "eof");
}

static void because_it_went(struct client *c, enum relay_end how)
{
	switch (how) {
	case RELAY_TERMINATE: client_because(c, "terminate"); return;
	case RELAY_EOF: client_because_of_stream(c); return;
	case RELAY_VIOLATION: return; /* client_fail says so */
	}
}

/* Gives everything back but the stream and what is to be said through it. The server finds its own way. */
static void let_go(struct client *c, bool *clean)
{
	struct server *s = c->server;

	*clean = true;
	pool_wait_cancel(&c->waiter);
	if (s) {
		struct iobuf *unsent;
		client_count_bytes(c);
		c->server = NULL;
		unsent = server_unlink(s, clean);
		stream_set_owner(c->stream, on_ready, c);
		iobuf_put(c->env->bufs, c->unsent);
		c->unsent = unsent;
	}
	client_auth_free(c);
	if (c->cancel) {
		cancel_detach(c->cancel);
		c->cancel = NULL;
	}
	keyring_del(c->env->keys, &c->cancel_pid);
	if (c->pool) {
		pool_unref(c->pool);
		c->pool = NULL;
		c->env->welcomed--;
	}
}

static void client_free(void *p)
{
	struct client *c = p;

	buf_free(&c->in);
	buf_free(&c->out);
	free(c->ends);
	free(c->user);
	free(c->database);
	free(c->app_name);
	free(c);
}

void client_close(struct client *c)
{
	struct client_env *env = c->env;
	bool clean;

	if (c->state == CLIENT_CLOSED)
		return;
	let_go(c, &clean);
	client_set_state(c, CLIENT_CLOSED);
	timer_clear(&c->timer);
	iobuf_put(env->bufs, c->unsent);
	c->unsent = NULL;
	if (env->opts->log_disconnections && c->told_version > 0) /* welcomed */
		log_info(loop_log(env->loop), "client disconnected", LS("database", c->database), LS("user", c->user),
		         LS("reason", c->reason), LU("seconds", (loop_now_us(env->loop) - c->connected_us) / CLOCK_US_PER_SEC));
	stream_close(c->stream);
	list_del(&c->node);
	env->count--;
	loop_free_later(env->loop, client_free, c);
	env->gone(env->arg);
}

int client_flush(struct client *c)
{
	while (c->unsent || c->out.n > 0) {
		struct iobuf *b = c->unsent;
		const unsigned char *p = b ? b->data + b->sent : c->out.p;
		size_t left = b ? b->parsed - b->sent : c->out.n;
		ssize_t n = stream_write(c->stream, p, left);

		if (n == STREAM_AGAIN) {
			stream_want_write(c->stream, true);
			return 1;
		}
		if (n < 0) {
			client_because_of_stream(c);
			client_close(c);
			return -1;
		}
		if (!b) {
			buf_drop_front(&c->out, (size_t)n);
			continue;
		}
		b->sent += (size_t)n;
		if (b->sent == b->parsed) {
			iobuf_put(c->env->bufs, b);
			c->unsent = NULL;
		}
	}
	stream_want_write(c->stream, false);
	buf_free(&c->out); /* an idle client holds none */
	return 0;
}

/* Whatever is to be said has been put in place: send it and close. */
static void close_when_sent(struct client *c)
{
	unsigned char ignored[4096];

	client_set_state(c, CLIENT_CLOSING);
	timer_set(&c->timer, CLOSING_US);
	stream_want_read(c->stream, false);
	if (client_flush(c) != 0)
		return;
	/* Closing with bytes unread would send a reset, which can overtake our last words. */
	(void)stream_read(c->stream, ignored, sizeof(ignored));
	client_close(c);
}

void client_fail(struct client *c, const struct err *e)
{
	bool clean;

	if (c->state == CLIENT_CLOSING || c->state == CLIENT_CLOSED)
		return;
	client_because(c, err_info(e->code)->label);
	c->env->totals->client_errors[e->code]++;
	/* The detail and the hint went to the log where the failure was found. */
	log_info(loop_log(c->env->loop), "client refused or ended", LS("database", c->database), LS("user", c->user),
	         LS("state", rows[c->state].name), LS("error", e->msg), LS("sqlstate", e->sqlstate),
	         LS("cause", err_info(e->code)->label));
	if (c->state == CLIENT_TLS) {
		client_close(c); /* no words of ours fit into a handshake */
		return;
	}
	let_go(c, &clean);
	if (clean && startup_is_old(c->protocol))
		message_fatal_old(&c->out, e);
	else if (clean)
		message_fatal_err(&c->out, e, c->trusted);
	close_when_sent(c);
}

bool client_push_out(struct client_env *env)
{
	struct list *n = list_first(env->logins);
	struct client *c = n ? container_of(n, struct client_ends, login)->client : NULL;
	struct err e;

	if (!c)
		return false;
	err_set(&e, ERR_TOO_MANY_CLIENTS, "too many connections that have not logged in: this one was there for longest");
	client_fail(c, &e);
	client_close(c); /* if it does not even take its last words */
	return true;
}

void client_stop(struct client *c)
{
	struct err e;

	if (c->state == CLIENT_LINKED && (c->server->relay.busy || c->server->relay.tx != 'I'))
		return; /* on_relay_ready */
	if (c->state == CLIENT_CANCEL || c->state == CLIENT_LEAVING ||
	    (c->state == CLIENT_WAIT && c->pool->failures == 0))
		return; /* on their way; but not to a database that cannot be reached */
	err_set(&e, ERR_SHUTDOWN, "terminating connection due to administrator command");
	client_fail(c, &e);
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
		c->env->totals->client_errors[e.code]++;
		client_close(c); /* as PostgreSQL does: it may not even speak the protocol */
		return;
	case CLIENT_IDLE:
	case CLIENT_LINKED:
		if (c->hung_up) {
			client_close(c); /* it closed its side before it was welcomed */
			return;
		}
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

void client_idle_clock(struct client *c, bool idle)
{
	uint64_t us = c->env->opts->client_idle_timeout_us;

	if (us == 0 || c->state == CLIENT_LEAVING)
		return;
	if (idle)
		timer_set(&c->timer, us);
	else
		timer_clear(&c->timer);
}

/* ---- waiting for a server ---- */

/* The server it got reports other values than the one it was welcomed with: PostgreSQL may say so at any time. */
static void tell_changes(struct client *c)
{
	const struct params *now = &c->server->session->params;
	struct buf b;

	if (c->told_version == c->server->params_version)
		return;
	c->told_version = c->server->params_version;
	buf_init(&b, IOBUF_BYTES / 2);
	for (size_t i = 0; i < now->n; i++)
		if (strcmp(now->v[i].name, "application_name") != 0)
			message_parameter_status(&b, now->v[i].name, now->v[i].value);
	if (!b.full && b.n > 0) /* a server need not report anything */
		relay_tell(&c->server->relay, buf_slice(&b));
	buf_free(&b);
}

/* What it said while it waited, in a transfer buffer: whoever only waits holds none. */
static struct iobuf *first_bytes(struct client *c)
{
	struct iobuf *b = iobuf_get(c->env->bufs);

	memcpy(b->data, c->in.p, c->in.n);
	b->filled = c->in.n;
	buf_free(&c->in);
	return b;
}

static void on_served(void *arg, struct server *s)
{
	struct client *c = arg;

	if (c->state == CLIENT_WELCOME) {
		client_welcome(c);
		return;
	}
	client_set_state(c, CLIENT_LINKED);
	timer_clear(&c->timer); /* client_read_waiting's: from now on the relay notices */
	c->server = s;
	c->seen_up = s->relay.up.bytes = 0;
	c->seen_down = s->relay.down.bytes = 0;
	c->pool->db->stats.bytes_received += c->in.n;
	server_link(s, c->stream, first_bytes(c), c->app_name, &link_ops, c);
	tell_changes(c);
	if (c->hung_up)
		stream_kick(c->stream); /* its end has been read, and TLS says that once */
	relay_start(&s->relay);
}

static void on_refused(void *arg, const struct err *e)
{
	client_fail(arg, e);
}

void client_idle(struct client *c)
{
	client_set_state(c, CLIENT_IDLE);
	if (client_flush(c) == 0)
		client_begin_session(c); /* otherwise on_ready does */
}

/* ---- linked ---- */

static void on_relay_busy(void *arg)
{
	struct client *c = arg;

	c->query_start_us = loop_now_us(c->env->loop);
	if (c->xact_start_us == 0)
		c->xact_start_us = c->query_start_us;
	client_idle_clock(c, false);
}

static void on_relay_ready(void *arg, char tx)
{
	struct client *c = arg;
	struct relay *r = &c->server->relay;
	struct stats *st = &c->pool->db->stats;
	uint64_t now = loop_now_us(c->env->loop);

	st->query_count += r->ready_count;
	st->xact_count += r->tx_count;
	r->ready_count = r->tx_count = 0;
	histogram_add(&st->query, now - c->query_start_us);
	if (tx == 'I') {
		histogram_add(&st->xact, now - c->xact_start_us);
		c->xact_start_us = 0;
	}
	client_idle_clock(c, true);
	if (c->env->stopping && tx == 'I')
		client_stop(c);
}

/* It has said all it will say; what it is owed it may still want to read. Or it is gone: then the server is not kept
 * from others for long. */
static void on_relay_leaving(void *arg)
{
	struct client *c = arg;

	client_set_state(c, CLIENT_LEAVING);
	because_it_went(c, c->server->relay.how);
	server_leaving(c->server);
	timer_set(&c->timer, SERVER_ABANDONED_US);
}

static void on_relay_end(void *arg, enum relay_end how, const struct err *e)
{
	struct client *c = arg;
	bool clean;

	if (how == RELAY_VIOLATION) {
		client_fail(c, e);
		return;
	}
	because_it_went(c, how);
	if (how == RELAY_EOF && c->state != CLIENT_LEAVING)
		server_abandon(c->server); /* it broke off: nobody reads what it left running */
	let_go(c, &clean);
	close_when_sent(c); /* what it was owed may not be out yet */
}

static void on_server_gone(void *arg, const struct err *e, bool fatal)
{
	struct client *c = arg;
	bool clean;

	if (!fatal) {
		client_fail(c, e);
		return;
	}
	/* The server has said why itself; that goes out, and nothing after it. */
	client_because(c, err_info(ERR_SERVER_CLOSED)->label);
	c->env->totals->client_errors[ERR_SERVER_CLOSED]++;
	log_info(loop_log(c->env->loop), "server ended a client's session", LS("database", c->database),
	         LS("user", c->user));
	let_go(c, &clean);
	close_when_sent(c);
}

/* ---- readiness, while no relay has the stream ---- */

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
	case CLIENT_IDLE:
		if (what & STREAM_WRITABLE) {
			if (client_flush(c) == 0)
				client_begin_session(c);
		} else {
			client_read_first(c);
		}
		return;
	case CLIENT_CLOSING:
		if (client_flush(c) == 0)
			client_close(c);
		return;
	case CLIENT_WELCOME:
	case CLIENT_WAIT: client_read_waiting(c); return;
	case CLIENT_CANCEL:
	case CLIENT_LINKED:
	case CLIENT_LEAVING:
	case CLIENT_CLOSED: return;
	}
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
