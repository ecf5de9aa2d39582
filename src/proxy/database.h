/* One target at run time, on one worker: the login governor and its fair queue, the count of connections, the TLS
 * context as it is on disk now, and the counters. Knows nothing of pools; they ask for turns. */
#ifndef PGIAM_PROXY_DATABASE_H
#define PGIAM_PROXY_DATABASE_H

#include "io/loop.h"
#include "proxy/governor.h"
#include "proxy/health.h"
#include "proxy/login.h"
#include "proxy/stats.h"
#include "proxy/target.h"
#include "proxy/turn.h"

struct database {
	struct target *target; /* a reference */
	size_t index;          /* its place among its worker's, and in a snapshot */
	struct loop *loop;
	struct secret_source *secret; /* borrowed; NULL for auth=none */
	struct tls_ctx *tls;   /* a reference: the last that database_tls gave; NULL: plaintext, or none yet */
	struct governor governor;
	/* For starting a login. Whoever is granted a turn starts one now and calls database_login_done when it ends; the
	 * connection is counted: database_connection_closed when it is gone. */
	struct turn_queue turns;
	struct turn_queue spares; /* the same for connections that are only kept ready: nobody else's is closed for them */
	struct timer turn_timer;
	struct defer turn_defer;
	uint64_t claimed_us;   /* when a server was last claimed for a turn (database_claims), monotonic; 0: never */
	uint32_t connections;  /* servers of all pools, logging in included */
	struct list idle;      /* idle servers of all pools that may make room, least recently used first (server.db_node) */
	/* Closes the server at this node of `idle`; false: somebody waits for it. */
	bool (*evict)(struct list *node);
	struct health health; /* without `serving`, which is counted when somebody asks */
	struct stats stats;
};

struct database *database_new(struct target *t, struct loop *l, struct secret_source *secret,
                              bool (*evict)(struct list *node));
/* No turn may be waiting, no connection counted. */
void database_free(struct database *d);

/* Grants turns as far as the governor and max_db_connections allow; from the loop. */
void database_grant(struct database *d);

/* Is there no room, and has somebody else waited for a turn for long, and for longer than since then? Whoever has a used
 * server for a client that waits since then closes that instead, and asks for his own turn anew, or those who keep their pools
 * busy would have all connections for ever. It goes to whose turn is next. True at a bounded rate, and if a login may begin: each
 * costs one, and who waits may be somebody who is let in nowhere. */
bool database_claims(struct database *d, const struct turn *own, uint64_t since_us);

/* A granted login ended. e: NULL if it succeeded. Counts it and adapts the rate. */
void database_login_done(struct database *d, const struct err *e, enum governor_outcome o);

/* A connection of this database was closed: there may be room for a waiting turn. */
void database_connection_closed(struct database *d);

/* The TLS context for a new connection, with its files as they are now (io/tls_live.h). Borrowed until the next call; NULL:
 * plaintext. */
struct tls_ctx *database_tls(struct database *d);

#endif
