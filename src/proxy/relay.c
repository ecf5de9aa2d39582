/* The hot path. One read a turn and direction, one pass over the message heads, one write. Rules that keep it from
 * deadlock (pitfall 54): a side is read as long as there is room in its buffer, whatever the other direction does. */
#include "proxy/relay.h"

#include <assert.h>
#include <string.h>
#include "pg/frame.h"
#include "pg/message.h"
#include "pg/msg.h"
#include "pg/parse.h"

/* What an absent client may be owed before closing is cheaper than reading on. */
#define RELAY_DRAIN_BYTES (16u << 20)

/* relay.wrong if it was not the type. */
#define WRONG_LENGTH (-1)

#define END STATE_BIT(RELAY_DETACHED)

/* Whoever leaves is given the time by the client's owner; whoever stays has it, as long as the server stays. */
static const struct state_row rows[] = {
	[RELAY_OPEN] = {"open", STATE_BIT(RELAY_MUTE) | STATE_BIT(RELAY_LEAVING) | END, DEADLINE_NONE},
	[RELAY_MUTE] = {"mute", STATE_BIT(RELAY_LEAVING) | END, DEADLINE_NONE},
	[RELAY_LEAVING] = {"leaving", STATE_BIT(RELAY_GOODBYE) | END, DEADLINE_OUTER},
	[RELAY_GOODBYE] = {"goodbye", END, DEADLINE_OUTER},
	[RELAY_DETACHED] = {"detached", 0, DEADLINE_FINAL},
};

static void server_ready(void *arg, unsigned what);
static void client_ready(void *arg, unsigned what);

/* What a step says about going on. A callback may have closed the relay: then nothing may be touched. */
enum step { STEP_ON, STEP_GONE };

const struct state_row *relay_state_rows(size_t *count)
{
	*count = sizeof(rows) / sizeof(*rows);
	return rows;
}

static void set_state(struct relay *r, enum relay_state to)
{
	state_check(rows, r->state, to);
	r->state = to;
}

static inline bool is_leaving(const struct relay *r)
{
	return r->state == RELAY_LEAVING || r->state == RELAY_GOODBYE;
}

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

/* ---- from the server ---- */

static enum step server_end(struct relay *r, const struct err *e)
{
	r->server_ops->end(r->server_arg, e);
	return STEP_GONE;
}

static enum step server_violation(struct relay *r, const char *what, uint8_t type)
{
	struct err e;

	err_set(&e, ERR_SERVER_PROTOCOL, "the server sent %s (message type 0x%02x)", what, type);
	return server_end(r, &e);
}

static bool is_fatal(struct slice prefix)
{
	struct parse_error pe;

	parse_error_prefix(prefix, &pe);
	return slice_eq_str(pe.severity, "FATAL") || slice_eq_str(pe.severity, "PANIC");
}

/* A ReadyForQuery that the client shall see. */
static enum step ready_passed(struct relay *r)
{
	r->ready_count++;
	if (r->tx == 'I')
		r->tx_count++;
	return STEP_ON;
}

/* A message the relay looks at. body is as much of it as the class promises. */
static enum step server_message(struct relay *r, const struct frame *f, struct slice body, bool hide)
{
	char tx;

	switch (f->type) {
	case 'Z':
		tx = parse_ready(body);
		if (!tx)
			return server_violation(r, "a malformed ReadyForQuery", f->type);
		r->tx = tx;
		if (r->hidden > 0)
			r->hidden--;
		else if (!hide)
			return ready_passed(r);
		break;
	case 'E':
		if (is_fatal(body))
			r->last_word = hide ? RELAY_WORD_FATAL : RELAY_WORD_FATAL_TOLD;
		break;
	case 'S':
		r->server_ops->reported(r->server_arg, body);
		return r->server ? STEP_ON : STEP_GONE;
	default:
		break;
	}
	if (hide) {
		r->server_ops->hidden(r->server_arg, f->type, body);
		if (!r->server)
			return STEP_GONE;
	}
	return STEP_ON;
}

/* A reloaded configuration is reported with the next answer, even if that is one to a query of our own, which only sets
 * application_name. */
static bool hides(uint8_t type, struct slice body)
{
	struct slice name, value;

	return type != 'S' || parse_parameter_status(body, &name, &value) != 0 || slice_eq_str(name, "application_name");
}

/* A COPY reads our goodbye, takes it for a mistake of the client's and says so, ending the session: that is for nobody who
 * did not say goodbye himself. An error of its data has another SQLSTATE. Asked before the message is counted. */
static bool answers_goodbye(struct relay *r, uint8_t type, struct slice body)
{
	struct parse_error pe;

	if (r->state != RELAY_GOODBYE || r->how == RELAY_TERMINATE || type != 'E' ||
	    !(r->inflight.copy_in || r->last_word == RELAY_WORD_FATAL))
		return false;
	parse_error_prefix(body, &pe);
	if (!slice_eq_str(pe.sqlstate, "08P01"))
		return false;
	r->last_word = RELAY_WORD_FATAL; /* that comes next, in a message of its own */
	return true;
}

/* Parses what was read. STEP_ON: everything complete was looked at. */
static enum step parse_down(struct relay *r)
{
	struct flow *d = &r->down;

	while (d->b && d->b->parsed < d->b->filled) {
		const struct msg_info *mi;
		struct frame f;
		struct slice in, body;
		size_t want;

		if (d->remain > 0) {
			flow_take(d);
			continue;
		}
		in = flow_unparsed(d);
		switch (frame_head(in, &f)) {
		case FRAME_PARTIAL: return STEP_ON;
		case FRAME_BAD: return server_violation(r, "an impossible length", in.p[0]);
		case FRAME_OK: break;
		}
		mi = msg_from_server(f.type);
		if (mi->class == MSG_REJECT)
			return server_violation(r, "a message that has no place here", f.type);
		if (f.body > mi->max_body)
			return server_violation(r, "a message that is too long", f.type);
		want = mi->class == MSG_WHOLE ? f.body : mi->class == MSG_PREFIX ? mi->need : 0;
		if (want > f.body)
			want = f.body;
		if (in.n - FRAME_HEAD_BYTES < want)
			return STEP_ON;
		body = slice_of(in.p + FRAME_HEAD_BYTES, want);
		d->drop = !r->client || (r->hidden > 0 && hides(f.type, body)) || answers_goodbye(r, f.type, body);
		if (mi->answers && !inflight_server(&r->inflight, f.type))
			return server_violation(r, "an answer to nothing that was asked", f.type);
		if (d->drop && r->hidden == 0 && (r->drained_bytes += f.body) > RELAY_DRAIN_BYTES) {
			struct err e;
			err_set(&e, ERR_LIMIT, "a client left, and what it was owed is too much to read and drop");
			return server_end(r, &e);
		}
		if (mi->class != MSG_FORWARD && server_message(r, &f, body, d->drop) == STEP_GONE)
			return STEP_GONE;
		d->remain = f.body + FRAME_HEAD_BYTES;
		flow_take(d);
		if (mi->class == MSG_FORWARD && !mi->answers)
			flow_take_alike(d, f.type, mi->max_body);
	}
	return STEP_ON;
}

static enum step client_end(struct relay *r, enum relay_end how)
{
	struct err e;

	if (r->wrong == WRONG_LENGTH)
		err_set(&e, ERR_CLIENT_PROTOCOL, "invalid message length");
	else
		err_set(&e, ERR_CLIENT_PROTOCOL, "invalid frontend message type %d", r->wrong);
	if (r->state == RELAY_OPEN)
		set_state(r, RELAY_MUTE);
	stream_want_read(r->client, false);
	r->client_ops->end(r->client_arg, how, how == RELAY_VIOLATION ? &e : NULL);
	return STEP_GONE;
}

/* Writing to the server failed. It may have said why: reading tells, as soon as there is room for what it says. */
static void server_mute(struct relay *r)
{
	stream_want_write(r->server, false);
	stream_want_read(r->server, true);
	stream_kick(r->server);
	r->up.blocked = false;
	if (r->state == RELAY_OPEN)
		set_state(r, RELAY_MUTE);
	if (r->client)
		stream_want_read(r->client, false);
}

/* A client that is leaving has left a batch or a COPY without its end: the server would wait for that. It is told to
 * end, answers what came before, as it would answer the client, and closes. */
static enum step say_goodbye(struct relay *r)
{
	static const unsigned char flush_terminate[] = {'H', 0, 0, 0, 4, 'X', 0, 0, 0, 4};
	/* What a batch has said so far PostgreSQL sends when the client breaks the protocol, and not when it goes. */
	size_t skip = r->how == RELAY_VIOLATION ? 0 : 5;
	struct flow *u = &r->up;

	if (r->state == RELAY_GOODBYE)
		return STEP_ON;
	if (!u->b)
		u->b = iobuf_get(r->bufs);
	u->b->filled = u->b->parsed; /* a head cut short */
	iobuf_compact(u->b);
	if (IOBUF_BYTES - u->b->filled < sizeof(flush_terminate))
		return client_end(r, r->how);
	set_state(r, RELAY_GOODBYE);
	if (r->last_word == RELAY_WORD_NONE)
		r->last_word = RELAY_WORD_GOODBYE;
	memcpy(u->b->data + u->b->filled, flush_terminate + skip, sizeof(flush_terminate) - skip);
	u->b->filled += sizeof(flush_terminate) - skip;
	u->b->parsed = u->b->filled;
	if (flow_flush(r->bufs, u, r->server) < 0)
		server_mute(r);
	return STEP_ON;
}

/* The client will say no more, or nothing more that makes sense. What it asked before is answered first, as PostgreSQL
 * does. */
static enum step client_leaves(struct relay *r, enum relay_end how)
{
	if (!r->busy || !relay_aligned(r))
		return client_end(r, how);
	set_state(r, RELAY_LEAVING);
	r->how = how;
	stream_want_read(r->client, false);
	r->client_ops->leaving(r->client_arg);
	return inflight_closed(&r->inflight) ? STEP_ON : say_goodbye(r);
}

/* Tells the owners where things stand, once everything read was passed on. */
static enum step report(struct relay *r)
{
	if (r->hidden > 0 || r->down.remain > 0)
		return STEP_ON;
	if (is_leaving(r) && !inflight_closed(&r->inflight))
		return say_goodbye(r);
	if (r->client ? !inflight_quiet(&r->inflight) : !inflight_idle(&r->inflight) && inflight_closed(&r->inflight))
		return STEP_ON;
	if (!r->client) {
		if (r->up.b)
			return STEP_ON; /* still on its way to the server */
		r->server_ops->settled(r->server_arg, r->tx);
		return r->server ? STEP_ON : STEP_GONE;
	}
	if (r->busy) {
		r->busy = false;
		r->client_ops->ready(r->client_arg, r->tx);
		if (!r->server || !r->client)
			return STEP_GONE;
		if (is_leaving(r) && !r->down.b)
			return client_end(r, r->how);
	}
	return STEP_ON;
}

static enum step pump_up(struct relay *r);

/* From the server's stream to the client's. */
static enum step pump_down(struct relay *r)
{
	struct flow *d = &r->down;
	int got = flow_fill(r->bufs, d, r->server);
	bool was_settled = inflight_idle(&r->inflight) && r->hidden == 0;

	if (got < 0) {
		struct err e;
		const char *why = stream_error(r->server);
		if (r->client)
			(void)flow_flush(r->bufs, d, r->client); /* what cannot be sent now is handed over at detach */
		if (r->state == RELAY_GOODBYE)
			return client_end(r, r->how);
		err_set(&e, ERR_SERVER_CLOSED, "the server closed the connection unexpectedly%s%s", *why ? ": " : "", why);
		return server_end(r, &e);
	}
	if (got == 0) {
		if (flow_full(d))
			stream_want_read(r->server, false);
		return STEP_ON;
	}
	if (parse_down(r) == STEP_GONE)
		return STEP_GONE;
	if (d->b && d->b->sent == d->b->filled)
		flow_release(r->bufs, d);
	if (d->b && r->client && flow_flush(r->bufs, d, r->client) < 0)
		return client_end(r, RELAY_EOF);
	if (flow_full(d))
		stream_want_read(r->server, false);
	/* replies make room for messages that were held back */
	if (r->state == RELAY_OPEN && r->up.b && r->up.b->parsed < r->up.b->filled &&
	    pump_up(r) == STEP_GONE)
		return STEP_GONE;
	return was_settled && !r->busy ? STEP_ON : report(r);
}

/* ---- from the client ---- */

/* What was read from the client ends with this. */
enum said { SAID_PART, SAID_TERMINATE, SAID_NONSENSE };

/* Parses what was read. */
static enum said parse_up(struct relay *r)
{
	struct flow *u = &r->up;

	while (u->b && u->b->parsed < u->b->filled) {
		const struct msg_info *mi;
		struct frame f;
		struct slice in;

		if (u->remain > 0) {
			flow_take(u);
			continue;
		}
		in = flow_unparsed(u);
		mi = msg_from_client(in.p[0]);
		if (mi->class == MSG_REJECT) {
			r->wrong = in.p[0];
			return SAID_NONSENSE;
		}
		switch (frame_head(in, &f)) {
		case FRAME_PARTIAL: return SAID_PART;
		case FRAME_OK:
			if (f.body <= mi->max_body)
				break;
			__attribute__((fallthrough));
		case FRAME_BAD: r->wrong = WRONG_LENGTH; return SAID_NONSENSE;
		}
		if (f.type == 'X')
			return SAID_TERMINATE;
		if (!inflight_client(&r->inflight, f.type))
			return SAID_PART; /* too much in flight: goes on when the server has answered */
		if (!r->busy && !inflight_quiet(&r->inflight)) {
			r->busy = true;
			r->client_ops->busy(r->client_arg);
		}
		u->remain = f.body + FRAME_HEAD_BYTES;
		flow_take(u);
		if (f.type == 'd')
			flow_take_alike(u, f.type, mi->max_body);
	}
	return SAID_PART;
}

/* Is a message kept here because too much is in flight? */
static bool held_back(const struct relay *r)
{
	return r->inflight.count == INFLIGHT_MAX_RUNS && r->up.b && r->up.remain == 0 &&
	       r->up.b->parsed < r->up.b->filled;
}

/* Parses and passes on what was read from the client. */
static enum step pump_up(struct relay *r)
{
	struct flow *u = &r->up;
	enum said s = parse_up(r);

	if (u->b && flow_flush(r->bufs, u, r->server) < 0) {
		server_mute(r);
		return STEP_ON;
	}
	if (s != SAID_PART) {
		u->b->filled = u->b->parsed; /* that, and whatever is behind it */
		if (u->b->sent == u->b->filled)
			flow_release(r->bufs, u);
		return client_leaves(r, s == SAID_TERMINATE ? RELAY_TERMINATE : RELAY_VIOLATION);
	}
	stream_want_read(r->client, !flow_full(u) && !held_back(r));
	return STEP_ON;
}

static enum step read_up(struct relay *r)
{
	int got = flow_fill(r->bufs, &r->up, r->client);

	if (got < 0)
		return *stream_error(r->client) ? client_end(r, RELAY_EOF) : client_leaves(r, RELAY_EOF);
	return got > 0 ? pump_up(r) : STEP_ON;
}

/* ---- readiness ---- */

/* A destination took more: send, and read its source again. */
static enum step resume(struct relay *r, struct flow *f, struct stream *to, struct stream *from)
{
	int rc = flow_flush(r->bufs, f, to);

	if (rc < 0 && to == r->client)
		return client_end(r, RELAY_EOF);
	if (rc < 0) {
		server_mute(r);
		return STEP_ON;
	}
	if (to == r->client && is_leaving(r) && !r->busy && !f->b)
		return client_end(r, r->how); /* it has been given all it was owed */
	if (from && flow_roomy(f) && !(from == r->client && (r->state != RELAY_OPEN || held_back(r))))
		stream_want_read(from, true);
	return STEP_ON;
}

static void server_ready(void *arg, unsigned what)
{
	struct relay *r = arg;

	if (what & STREAM_WRITABLE) {
		if (resume(r, &r->up, r->server, r->client) == STEP_GONE)
			return;
		if (!r->client && !r->up.b && report(r) == STEP_GONE)
			return;
	}
	if (what & STREAM_READABLE)
		pump_down(r);
}

static void client_ready(void *arg, unsigned what)
{
	struct relay *r = arg;

	if ((what & STREAM_WRITABLE) && resume(r, &r->down, r->client, r->server) == STEP_GONE)
		return;
	if ((what & STREAM_READABLE) && r->state == RELAY_OPEN)
		read_up(r);
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
		client_end(r, RELAY_EOF);
		return;
	}
	if (r->up.b)
		pump_up(r);
}

struct iobuf *relay_detach(struct relay *r, bool *clean)
{
	struct iobuf *unsent = r->down.b;

	set_state(r, RELAY_DETACHED);
	*clean = r->down.remain == 0 && r->last_word != RELAY_WORD_FATAL_TOLD;
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
			server_mute(r);
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
		server_mute(r);
	buf_free(&q);
}
