/* How a client's time at a server ends: it is given what it is owed first, and the server is told if it would wait for
 * more. */
#include "proxy/relay_private.h"

#include <string.h>

#define END STATE_BIT(RELAY_DETACHED)

/* Whoever leaves is given the time by the client's owner; whoever stays has it, as long as the server stays. */
static const struct state_row rows[] = {
	[RELAY_OPEN] = {"open", STATE_BIT(RELAY_MUTE) | STATE_BIT(RELAY_LEAVING) | END, DEADLINE_NONE},
	[RELAY_MUTE] = {"mute", END, DEADLINE_NONE},
	[RELAY_LEAVING] = {"leaving", STATE_BIT(RELAY_GOODBYE) | END, DEADLINE_OUTER},
	[RELAY_GOODBYE] = {"goodbye", END, DEADLINE_OUTER},
	[RELAY_DETACHED] = {"detached", 0, DEADLINE_FINAL},
};

const struct state_row *relay_state_rows(size_t *count)
{
	*count = sizeof(rows) / sizeof(*rows);
	return rows;
}

void relay_set_state(struct relay *r, enum relay_state to)
{
	state_check(rows, r->state, to);
	r->state = to;
}

enum step relay_client_end(struct relay *r, enum relay_end how)
{
	struct err e;

	if (r->wrong == RELAY_WRONG_LENGTH)
		err_set(&e, ERR_CLIENT_PROTOCOL, "invalid message length");
	else
		err_set(&e, ERR_CLIENT_PROTOCOL, "invalid frontend message type %d", r->wrong);
	if (r->state == RELAY_OPEN)
		relay_set_state(r, RELAY_MUTE);
	stream_want_read(r->client, false);
	r->client_ops->end(r->client_arg, how, how == RELAY_VIOLATION ? &e : NULL);
	return STEP_GONE;
}

void relay_server_mute(struct relay *r)
{
	stream_want_write(r->server, false);
	stream_want_read(r->server, true);
	stream_kick(r->server);
	r->up.blocked = false;
	if (r->state == RELAY_OPEN)
		relay_set_state(r, RELAY_MUTE);
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
		return relay_client_end(r, r->how);
	relay_set_state(r, RELAY_GOODBYE);
	if (r->last_word == RELAY_WORD_NONE)
		r->last_word = RELAY_WORD_GOODBYE;
	memcpy(u->b->data + u->b->filled, flush_terminate + skip, sizeof(flush_terminate) - skip);
	u->b->filled += sizeof(flush_terminate) - skip;
	u->b->parsed = u->b->filled;
	if (flow_flush(r->bufs, u, r->server) < 0)
		relay_server_mute(r);
	return STEP_ON;
}

enum step relay_client_leaves(struct relay *r, enum relay_end how)
{
	if (!r->busy || !relay_aligned(r))
		return relay_client_end(r, how);
	relay_set_state(r, RELAY_LEAVING);
	r->how = how;
	stream_want_read(r->client, false);
	r->client_ops->leaving(r->client_arg);
	return inflight_closed(&r->inflight) ? STEP_ON : say_goodbye(r);
}

enum step relay_report(struct relay *r)
{
	if (r->hidden > 0 || r->down.remain > 0)
		return STEP_ON;
	if (relay_is_leaving(r) && !inflight_closed(&r->inflight))
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
		if (relay_is_leaving(r) && !r->down.b)
			return relay_client_end(r, r->how);
	}
	return STEP_ON;
}
