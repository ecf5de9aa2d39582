/* From the client to the server. Only types and lengths matter: what is owed for them is inflight's. */
#include "proxy/relay_private.h"

#include "pg/frame.h"
#include "pg/msg.h"

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
		case FRAME_BAD: r->wrong = RELAY_WRONG_LENGTH; return SAID_NONSENSE;
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

enum step relay_pump_up(struct relay *r)
{
	struct flow *u = &r->up;
	enum said s = parse_up(r);

	if (u->b && flow_flush(r->bufs, u, r->server) < 0) {
		relay_server_mute(r);
		return STEP_ON;
	}
	if (s != SAID_PART) {
		u->b->filled = u->b->parsed; /* that, and whatever is behind it */
		if (u->b->sent == u->b->filled)
			flow_release(r->bufs, u);
		return relay_client_leaves(r, s == SAID_TERMINATE ? RELAY_TERMINATE : RELAY_VIOLATION);
	}
	stream_want_read(r->client, !flow_full(u) && !relay_held_back(r));
	return STEP_ON;
}

enum step relay_read_up(struct relay *r)
{
	int got = flow_fill(r->bufs, &r->up, r->client);

	if (got < 0)
		return *stream_error(r->client) ? relay_client_end(r, RELAY_EOF) : relay_client_leaves(r, RELAY_EOF);
	return got > 0 ? relay_pump_up(r) : STEP_ON;
}
