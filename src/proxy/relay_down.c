/* From the server to the client. Most messages only pass by, by their length; a few are looked at, and what an absent
 * client, or a query of our own, is answered is dropped. */
#include "proxy/relay_private.h"

#include "pg/frame.h"
#include "pg/msg.h"
#include "pg/parse.h"

/* What an absent client may be owed before closing is cheaper than reading on. */
#define RELAY_DRAIN_BYTES (16u << 20)

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

enum step relay_pump_down(struct relay *r)
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
			return relay_client_end(r, r->how);
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
		return relay_client_end(r, RELAY_EOF);
	if (flow_full(d))
		stream_want_read(r->server, false);
	/* replies make room for messages that were held back */
	if (r->state == RELAY_OPEN && r->up.b && r->up.b->parsed < r->up.b->filled &&
	    relay_pump_up(r) == STEP_GONE)
		return STEP_GONE;
	return was_settled && !r->busy ? STEP_ON : relay_report(r);
}
