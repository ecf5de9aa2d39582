/* One CancelRequest on its way to a server: over TLS like the main connection, waiting until the server closes, so that
 * it is known to be through (pitfall 50). The server is not handed to anybody else meanwhile (SERVER_FENCE).
 * If the server is another worker's, that one sends it, and who asked waits here until it says that it is through: an
 * application goes on when its request's connection closes, and what it says next must not be hit. */
#ifndef PGIAM_PROXY_CANCEL_H
#define PGIAM_PROXY_CANCEL_H

#include "proxy/server.h"
#include "proxy/state.h"

/* All cancels of a proxy. */
struct cancels {
	const struct server_env *env;
	struct list running, away;
	uint32_t count, away_count, max; /* max of either */
	uint64_t away_no;                /* of the last one; 0 is none */
	void (*empty)(void *arg);        /* the last one that ran ended */
	void *arg;
};

void cancel_all_init(struct cancels *c, const struct server_env *env, uint32_t max, void (*empty)(void *arg), void *arg);

/* Ends those that run at once; the others end with those who wait for them. */
void cancel_all_stop(struct cancels *c);

struct cancel;

/* Sends a cancel to the server, which has a key and a query running. NULL if too many are under way, for this
 * server or in all. done comes once, unless it is detached first. */
struct cancel *cancel_start(struct cancels *all, struct server *s, void (*done)(void *arg), void *arg);

/* Waits for one that another worker sends, for its number in *no. done comes once, unless it is detached first: with
 * cancel_away_done, or after the time that a cancel may take. NULL, and 0 in *no, if too many wait. */
struct cancel *cancel_away(struct cancels *all, uint64_t *no, void (*done)(void *arg), void *arg);

/* That worker is through with it. No news for one that is not waited for any more. */
void cancel_away_done(struct cancels *all, uint64_t no);

/* The asker is gone; the cancel goes on. */
void cancel_detach(struct cancel *c);

const struct state_row *cancel_state_rows(size_t *count);

#endif
