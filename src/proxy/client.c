/* What every part of a client's life rests on: its states, what pgiam itself says to it, and its end, which may come in any
 * of them. Needs none of the parts. */
#include <stdlib.h>

#include "base/mem.h"
#include "pg/message.h"
#include "proxy/client_auth.h"

#define CLOSING_US (5 * CLOCK_US_PER_SEC) /* for a slow client to take its last message */

#define END (STATE_BIT(CLIENT_CLOSING) | STATE_BIT(CLIENT_CLOSED))

static const struct state_row rows[] = {
	[CLIENT_STARTUP] = {"startup", STATE_BIT(CLIENT_TLS) | STATE_BIT(CLIENT_CANCEL) | STATE_BIT(CLIENT_AUTH) | END,
                            DEADLINE_OWN},
	[CLIENT_TLS] = {"tls", STATE_BIT(CLIENT_STARTUP) | STATE_BIT(CLIENT_CLOSED), DEADLINE_OWN},
	[CLIENT_CANCEL] = {"cancel", STATE_BIT(CLIENT_CLOSED), DEADLINE_OUTER},
	[CLIENT_AUTH] = {"auth", STATE_BIT(CLIENT_WELCOME) | END, DEADLINE_OWN},
	[CLIENT_WELCOME] = {"welcome", STATE_BIT(CLIENT_GREETED) | END, DEADLINE_OUTER},
	[CLIENT_GREETED] = {"greeted", STATE_BIT(CLIENT_IDLE) | END, DEADLINE_OWN},
	[CLIENT_IDLE] = {"idle", STATE_BIT(CLIENT_WAIT) | END, DEADLINE_NONE},
	[CLIENT_WAIT] = {"wait", STATE_BIT(CLIENT_LINKED) | END, DEADLINE_OUTER},
	[CLIENT_LINKED] = {"linked", STATE_BIT(CLIENT_LEAVING) | STATE_BIT(CLIENT_CLOSING), DEADLINE_NONE},
	[CLIENT_LEAVING] = {"leaving", END, DEADLINE_OWN},
	[CLIENT_CLOSING] = {"closing", STATE_BIT(CLIENT_CLOSED), DEADLINE_OWN},
	[CLIENT_CLOSED] = {"closed", 0, DEADLINE_FINAL},
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
	case CLIENT_GREETED:
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

void client_auth_free(struct client *c)
{
	struct client_auth *a = c->auth;

	if (!a)
		return;
	timer_clear(&a->penalty);
	if (a->hash)
		hash_queue_cancel(a->hash);
	if (a->method && a->method->end)
		a->method->end(a);
	auth_secret_clear(&a->secret);
	startup_free(&a->startup);
	auth_rules_unref(a->rules);
	mem_free_wipe(a, sizeof(*a));
	c->auth = NULL;
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

static void on_closing_ready(void *arg, unsigned what)
{
	struct client *c = arg;

	(void)what;
	if (client_flush(c) != 0)
		return;
	stream_drain(c->stream);
	client_close(c);
}

/* Whatever is to be said has been put in place: send it and close. */
static void close_when_sent(struct client *c)
{
	client_set_state(c, CLIENT_CLOSING);
	timer_set(&c->timer, CLOSING_US);
	stream_set_owner(c->stream, on_closing_ready, c); /* which reads no more */
	on_closing_ready(c, STREAM_WRITABLE);
}

void client_leave(struct client *c)
{
	bool clean;

	let_go(c, &clean);
	close_when_sent(c);
}

static void note_failure(struct client *c, const struct err *e)
{
	client_because(c, err_info(e->code)->label);
	c->env->totals->client_errors[e->code]++;
	/* The detail and the hint went to the log where the failure was found. */
	log_info(loop_log(c->env->loop), "client refused or ended", LS("database", c->database), LS("user", c->user),
	         LS("state", rows[c->state].name), LS("error", e->msg), LS("sqlstate", e->sqlstate),
	         LS("cause", err_info(e->code)->label));
}

void client_drop(struct client *c, const struct err *e)
{
	note_failure(c, e);
	client_close(c);
}

void client_fail(struct client *c, const struct err *e)
{
	bool clean;

	if (c->state == CLIENT_CLOSING || c->state == CLIENT_CLOSED)
		return;
	note_failure(c, e);
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
		return; /* client_link.c calls again when it is through */
	if (c->state == CLIENT_CANCEL || c->state == CLIENT_LEAVING ||
	    (c->state == CLIENT_WAIT && c->pool->failures == 0))
		return; /* on their way; but not to a database that cannot be reached */
	err_set(&e, ERR_SHUTDOWN, "terminating connection due to administrator command");
	client_fail(c, &e);
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
