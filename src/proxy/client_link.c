/* A client that has a server: the relay has both streams, and says here what happens to them. */
#include <string.h>

#include "pg/message.h"
#include "proxy/client_private.h"

static void because_it_went(struct client *c, enum relay_end how)
{
	switch (how) {
	case RELAY_TERMINATE: client_because(c, "terminate"); return;
	case RELAY_EOF: client_because_of_stream(c); return;
	case RELAY_VIOLATION: return; /* client_fail says so */
	}
}

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

	if (how == RELAY_VIOLATION) {
		client_fail(c, e);
		return;
	}
	because_it_went(c, how);
	if (how == RELAY_EOF && c->state != CLIENT_LEAVING)
		server_abandon(c->server); /* it broke off: nobody reads what it left running */
	client_leave(c); /* what it was owed may not be out yet */
}

static void on_server_gone(void *arg, const struct err *e, bool fatal)
{
	struct client *c = arg;

	if (!fatal) {
		client_fail(c, e);
		return;
	}
	/* The server has said why itself; that goes out, and nothing after it. */
	client_because(c, err_info(ERR_SERVER_CLOSED)->label);
	c->env->totals->client_errors[ERR_SERVER_CLOSED]++;
	log_info(loop_log(c->env->loop), "server ended a client's session", LS("database", c->database),
	         LS("user", c->user));
	client_leave(c);
}

static const struct server_link link_ops = {
	.relay = {.end = on_relay_end, .leaving = on_relay_leaving, .ready = on_relay_ready, .busy = on_relay_busy},
	.server_gone = on_server_gone,
};

/* ---- linking ---- */

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

void client_link(struct client *c, struct server *s)
{
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
