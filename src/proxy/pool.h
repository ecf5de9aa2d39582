/* The servers of one (database, user, startup parameters), and the clients that wait for one. Startup parameters are
 * part of the key so that RESET and DISCARD ALL return to the client's own values; application_name is not, it
 * is set when a client is linked. */
#ifndef PGIAM_PROXY_POOL_H
#define PGIAM_PROXY_POOL_H

#include "proxy/server.h"
#include "proxy/turn.h"
#include "proxy/verdict.h"

enum pool_queue {
	POOL_WELCOME, /* waits for the pool to know its server */
	POOL_SERVER,  /* waits for a server of its own */
	POOL_QUEUES,
};

/* What a pool knows of its server, to welcome clients with. */
enum pool_welcome {
	POOL_UNTRIED, /* nothing: nobody was ever let in */
	POOL_KNOWN,
	POOL_SUSPECT, /* its last server was lost: what it knows stands for nobody until a login succeeds */
};

/* A client's place in a queue. Exactly one of the callbacks comes, once, never inside pool_wait. */
struct pool_waiter {
	struct list node;
	struct pool *pool; /* non-NULL exactly while waiting */
	enum pool_queue queue;
	uint64_t since_us;
	struct timer deadline; /* query_wait_timeout */
	void (*served)(void *arg, struct server *s); /* s: idle, to be linked now; NULL for a welcome */
	void (*failed)(void *arg, const struct err *e);
	void *arg;
};

struct pool {
	struct database *db;
	const struct server_env *env;
	char *user, *database;   /* to log in as, and to */
	struct params startup;   /* sent at login */
	bool replication;
	struct list idle;        /* most recently used first */
	struct list busy;        /* logging in, linked, resetting, ... */
	uint32_t total, logins;
	struct list queue[POOL_QUEUES]; /* oldest first */
	uint32_t waiting[POOL_QUEUES];
	struct turn turn;        /* for somebody who waits */
	struct turn spare;       /* for min_pool_size */
	struct timer retry;      /* when logins may be tried again; also collects an unused pool */
	struct defer pump;
	bool retired;            /* pool_retire was called */
	unsigned failures;       /* logins failed in a row */
	bool retried;            /* the last refusal was not believed yet */
	uint64_t begun, disbelieved; /* logins; those of them that had begun at the last refusal that was not believed */
	struct err last_error;
	uint64_t told_us;        /* when a failure was last logged */
	const struct verdict *verdict; /* on last_error; non-NULL if failures > 0 */
	uint64_t retry_at_us;    /* no login before; 0: at any time */
	struct params welcome;   /* the server's ParameterStatus values */
	enum pool_welcome known; /* are they good? */
	uint32_t welcome_version; /* grows when they change */
	uint32_t refs;           /* clients that name this pool */
	uint64_t unused_since_us; /* 0: in use */
	uint64_t left_us;         /* when the last client that named it went */
};

struct pool_request {
	struct database *db;
	const struct server_env *env;
	const char *user, *database;
	const struct params *startup; /* copied */
	bool replication;
};

struct pool *pool_new(const struct pool_request *rq);
/* Closes its servers. No client may name it. */
void pool_free(struct pool *p);

/* A client names it: it stays. */
void pool_ref(struct pool *p);
void pool_unref(struct pool *p);

/* Nothing in it and nobody names it. */
bool pool_unused(const struct pool *p);

/* Queues up. If logins have been failing just now, a waiter for a welcome is told the same error at once
 * instead of waiting for the same to happen again. */
void pool_wait(struct pool *p, struct pool_waiter *w, enum pool_queue q);
void pool_wait_cancel(struct pool_waiter *w); /* idempotent */
void pool_waiter_init(struct pool_waiter *w, struct loop *l);

/* None is kept ready any more. Closes idle servers now and the others as they get free, unless somebody waits for one: then
 * call it again when something has changed. */
void pool_retire(struct pool *p);

/* For database.evict. */
bool pool_evict(struct list *db_node);

#endif
