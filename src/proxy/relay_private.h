/* Inside of a relay, for relay*.c only: each calls those above it here, and relay.c calls all. */
#ifndef PGIAM_PROXY_RELAY_PRIVATE_H
#define PGIAM_PROXY_RELAY_PRIVATE_H

#include "proxy/relay.h"

/* What a step says about going on. A callback may have closed the relay: then nothing may be touched. */
enum step { STEP_ON, STEP_GONE };

/* relay.wrong if it was not the type. */
#define RELAY_WRONG_LENGTH (-1)

static inline bool relay_is_leaving(const struct relay *r)
{
	return r->state == RELAY_LEAVING || r->state == RELAY_GOODBYE;
}

/* Is a message kept here because too much is in flight? */
static inline bool relay_held_back(const struct relay *r)
{
	return r->inflight.count == INFLIGHT_MAX_RUNS && r->up.b && r->up.remain == 0 &&
	       r->up.b->parsed < r->up.b->filled;
}

/* ---- relay_end.c: who leaves, and what he is still owed ---- */

void relay_set_state(struct relay *r, enum relay_state to);

/* Gone; what broke the protocol is r->wrong. */
enum step relay_client_end(struct relay *r, enum relay_end how);

/* The client will say no more, or nothing more that makes sense. What it asked before is answered first, as PostgreSQL
 * does. */
enum step relay_client_leaves(struct relay *r, enum relay_end how);

/* Writing to the server failed. It may have said why: reading tells, as soon as there is room for what it says. */
void relay_server_mute(struct relay *r);

/* Tells the owners where things stand, once everything read was passed on. */
enum step relay_report(struct relay *r);

/* ---- relay_up.c: from the client's stream to the server's ---- */

/* Reads once, parses and passes on. */
enum step relay_read_up(struct relay *r);

/* Parses and passes on what was read from the client. */
enum step relay_pump_up(struct relay *r);

/* ---- relay_down.c: from the server's stream to the client's ---- */

enum step relay_pump_down(struct relay *r);

#endif
