/* The hot path. One read a turn and direction, one pass over the message heads, one write. Rules that keep it from
 * deadlock (pitfall 54): a side is read as long as there is room in its buffer, whatever the other direction does.
 * Here is what both directions share; relay_up.c and relay_down.c are one each, relay_end.c, below all, is the states: who
 * leaves and how. */
#include "proxy/relay_private.h"

#include <assert.h>
#include <string.h>
#include "pg/message.h"

static void server_ready(void *arg, unsigned what);
static void client_ready(void *arg, unsigned what);

void relay_init(struct relay *r, struct iobuf_pool *bufs, struct stream *server, const struct relay_server_ops *ops,
                void *arg)
{
	memset(r, 0, sizeof(*r));
	r->bufs = bufs;
	r->server = server;
	r->server_ops = ops;
	r->server_arg = arg;
	r->tx = 'I';
	r->state = RELAY_DETACHED;
	inflight_init(&r->inflight);
	stream_set_owner(server, server_ready, r);
	stream_want_read(server, true);
}

void relay_close(struct relay *r)
{
	if (!r->server)
		return;
	assert(!r->client);
	if (relay_aligned(r) && !r->up.b && r->last_word == RELAY_WORD_NONE) {
		static const unsigned char terminate[] = {'X', 0, 0, 0, 4};
		(void)stream_write(r->server, terminate, sizeof(terminate));
	}
	stream_close(r->server);
	r->server = NULL;
	flow_release(r->bufs, &r->up);
	flow_release(r->bufs, &r->down);
	inflight_free(&r->inflight);
}

/* ---- readiness ---- */

/* A destination took more: send, and read its source again. */
static enum step resume(struct relay *r, struct flow *f, struct stream *to, struct stream *from)
{
	int rc = flow_flush(r->bufs, f, to);

	if (rc < 0 && to == r->client)
		return relay_client_end(r, RELAY_EOF);
	if (rc < 0) {
		relay_server_mute(r);
		return STEP_ON;
	}
	if (to == r->client && relay_is_leaving(r) && !r->busy && !f->b)
		return relay_client_end(r, r->how); /* it has been given all it was owed */
	if (from && flow_roomy(f) && !(from == r->client && (r->state != RELAY_OPEN || relay_held_back(r))))
		stream_want_read(from, true);
	return STEP_ON;
}

static void server_ready(void *arg, unsigned what)
{
	struct relay *r = arg;

	if (what & STREAM_WRITABLE) {
		if (resume(r, &r->up, r->server, r->client) == STEP_GONE)
			return;
		if (!r->client && !r->up.b && relay_report(r) == STEP_GONE)
			return;
	}
	if (what & STREAM_READABLE)
		relay_pump_down(r);
}

static void client_ready(void *arg, unsigned what)
{
	struct relay *r = arg;

	if ((what & STREAM_WRITABLE) && resume(r, &r->down, r->client, r->server) == STEP_GONE)
		return;
	if ((what & STREAM_READABLE) && r->state == RELAY_OPEN)
		relay_read_up(r);
}

/* ---- attaching ---- */

void relay_attach(struct relay *r, struct stream *client, struct iobuf *first, const struct relay_client_ops *ops,
                  void *arg)
{
	assert(!r->client && !r->up.b && !r->down.b && inflight_idle(&r->inflight));
	r->client = client;
	r->client_ops = ops;
	r->client_arg = arg;
	r->up = (struct flow){.b = first};
	r->down = (struct flow){.b = NULL};
	r->busy = false;
	r->state = RELAY_OPEN; /* a new client, a new machine */
	r->how = RELAY_EOF;
	r->ready_count = r->tx_count = 0;
	stream_set_owner(client, client_ready, r);
}

void relay_tell(struct relay *r, struct slice messages)
{
	struct iobuf *b = r->down.b = iobuf_get(r->bufs);

	assert(messages.n <= IOBUF_BYTES / 2);
	memcpy(b->data, messages.p, messages.n);
	b->parsed = b->filled = messages.n;
}

void relay_start(struct relay *r)
{
	stream_want_read(r->client, true);
	if (r->down.b && flow_flush(r->bufs, &r->down, r->client) < 0) {
		relay_client_end(r, RELAY_EOF);
		return;
	}
	if (r->up.b)
		relay_pump_up(r);
}

struct iobuf *relay_detach(struct relay *r, bool *clean)
{
	struct iobuf *unsent = r->down.b;

	relay_set_state(r, RELAY_DETACHED);
	*clean = (r->down.remain == 0 || r->down.drop) && r->last_word != RELAY_WORD_FATAL_TOLD;
	stream_want_read(r->client, false);
	stream_want_write(r->client, false);
	r->client = NULL;
	r->client_ops = NULL;
	r->client_arg = NULL;
	r->drained_bytes = 0;
	if (r->up.b && r->up.remain == 0) {
		r->up.b->filled = r->up.b->parsed; /* an unfinished head, what was held back or what broke the protocol */
		if (r->up.b->sent == r->up.b->filled)
			flow_release(r->bufs, &r->up);
		else if (r->server && flow_flush(r->bufs, &r->up, r->server) < 0)
			relay_server_mute(r);
	}
	r->down.b = NULL;
	r->down.blocked = false;
	if (unsent) {
		/* What is not parsed yet stays with the server's side. */
		size_t rest = unsent->filled - unsent->parsed;
		if (rest > 0) {
			r->down.b = iobuf_get(r->bufs);
			memcpy(r->down.b->data, unsent->data + unsent->parsed, rest);
			r->down.b->filled = rest;
			unsent->filled = unsent->parsed;
		}
		if (unsent->sent == unsent->filled) {
			iobuf_put(r->bufs, unsent);
			unsent = NULL;
		}
	}
	r->down.drop = true; /* the rest of a message the client has part of */
	if (r->server)
		stream_want_read(r->server, true);
	return unsent;
}

/* ---- queries of our own ---- */

void relay_query(struct relay *r, const char *sql)
{
	struct buf q;

	assert(inflight_idle(&r->inflight) && r->up.remain == 0);
	buf_init(&q, IOBUF_BYTES / 2);
	message_query(&q, sql);
	assert(!q.full);
	if (r->up.b && r->up.b->filled > r->up.b->parsed) {
		/* in front of what a client has sent already */
		struct iobuf *b = r->up.b;
		size_t rest = b->filled - b->parsed, at = b->parsed;
		assert(rest <= IOBUF_BYTES - at - q.n);
		memmove(b->data + at + q.n, b->data + at, rest);
		memcpy(b->data + at, q.p, q.n);
		b->filled += q.n;
		b->parsed += q.n;
	} else {
		if (!r->up.b)
			r->up.b = iobuf_get(r->bufs);
		memcpy(r->up.b->data + r->up.b->filled, q.p, q.n);
		r->up.b->filled += q.n;
		r->up.b->parsed = r->up.b->filled;
	}
	inflight_client(&r->inflight, 'Q');
	r->hidden++;
	/* together with what a client said first, if there is one: one write, and the server wakes up once */
	if (!r->client && flow_flush(r->bufs, &r->up, r->server) < 0)
		relay_server_mute(r);
	buf_free(&q);
}
