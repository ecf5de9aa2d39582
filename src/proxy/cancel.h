/* One CancelRequest on its way to a server: over TLS like the main connection, waiting until the server closes, so that
 * it is known to be through (pitfall 50). The server is not handed to anybody else meanwhile (SERVER_FENCE). */
#ifndef PGIAM_PROXY_CANCEL_H
#define PGIAM_PROXY_CANCEL_H

#include "proxy/server.h"
#include "proxy/state.h"

/* All cancels of a proxy. */
struct cancels {
	const struct server_env *env;
	struct list running;
	uint32_t count, max;
	void (*empty)(void *arg); /* the last one ended */
	void *arg;
};

void cancel_all_init(struct cancels *c, const struct server_env *env, uint32_t max, void (*empty)(void *arg), void *arg);

/* Ends them all at once. */
void cancel_all_stop(struct cancels *c);

struct cancel;

/* Sends a cancel to the server, which has a key and a query running. NULL if too many are under way, for this
 * server or in all. done comes once, unless it is detached first. */
struct cancel *cancel_start(struct cancels *all, struct server *s, void (*done)(void *arg), void *arg);

/* The asker is gone; the cancel goes on. */
void cancel_detach(struct cancel *c);

const struct state_row *cancel_state_rows(size_t *count);

#endif
