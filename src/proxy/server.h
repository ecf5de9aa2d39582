/* One server connection, from its login to its end. Belongs to a pool, which is told what it needs to know through
 * struct server_ops; serves at most one client at a time, which is linked to it. */
#ifndef PGIAM_PROXY_SERVER_H
#define PGIAM_PROXY_SERVER_H

#include "proxy/database.h"
#include "proxy/relay.h"
#include "proxy/state.h"

enum server_state {
	SERVER_LOGIN,    /* struct login is at work */
	SERVER_SETUP,    /* connect_query is running */
	SERVER_IDLE,     /* may be handed out */
	SERVER_LINKED,   /* a client has it */
	SERVER_DRAIN,    /* the client left; what is owed is read and dropped */
	SERVER_CANCELLED, /* the same, when that took too long: what it runs was cancelled */
	SERVER_FENCE,    /* a cancel request for it is under way: it could hit whoever comes next */
	SERVER_ROLLBACK, /* ending an abandoned transaction */
	SERVER_RESET,    /* the reset query is running */
	SERVER_CLOSED,
};

/* What is in it of those who used it. */
enum server_use {
	SERVER_USED,
	SERVER_CLEAN, /* nothing: nobody used it since its reset, or since its connect_query began */
	SERVER_FRESH, /* nobody used it since its login, connect_query included */
};

enum server_fate {
	SERVER_STAYS,
	SERVER_ENDING, /* to be closed when its client leaves */
	SERVER_LOST,   /* the server ended it, not we */
};

struct server;

/* How long what an absent client left running may go on before it is cancelled. */
#define SERVER_ABANDONED_US (5 * CLOCK_US_PER_SEC)

/* For the pool. Each but kept_ready may close the server, as its last act. */
struct server_ops {
	void (*login_done)(void *pool, struct server *s, const struct err *e); /* e: closed comes next */
	void (*idle)(void *pool, struct server *s);                           /* may be handed out */
	void (*closed)(void *pool, struct server *s); /* gone; memory goes after the turn */
	/* server_returns_soon is not true any more, although it is still resetting. */
	void (*overdue)(void *pool, struct server *s);
	/* Would another server have to take the place of one that goes? */
	bool (*kept_ready)(void *pool);
	/* s->session->params changed: by the server itself, or by a reset after its configuration changed. */
	void (*parameters)(void *pool, struct server *s);
};

struct server_env {
	struct login_env login;
	struct iobuf_pool *bufs;
	uint64_t fence_timeout_us; /* cancel_wait_timeout */
	void (*closed)(void *arg); /* any server was closed */
	/* Asks the server to end what it is doing, as for an impatient client; false if that cannot be done. */
	bool (*cancel)(void *arg, struct server *s);
	void *arg;
};

struct server_request {
	struct database *db;
	const char *user, *database;  /* copied */
	const struct params *startup; /* borrowed while the server lives: the pool's */
	bool replication;
};

/* The client at the other end. */
struct server_link {
	struct relay_client_ops relay;
	/* The server is gone; e says why, fatal: it sent the client a FATAL error already. server_unlink must be
	 * called inside. */
	void (*server_gone)(void *arg, const struct err *e, bool fatal);
};

struct server {
	const struct server_env *env;
	struct server_request rq;
	enum server_state state;
	const struct server_ops *ops;
	void *pool;
	struct list pool_node; /* the pool's */
	struct list db_node;   /* database.idle, but for the first moment of its life */
	struct login *login;   /* non-NULL exactly in SERVER_LOGIN */
	struct login_result *session; /* parameters and cancel key, once logged in */
	struct relay relay;
	const struct server_link *link; /* non-NULL exactly in SERVER_LINKED */
	void *link_arg;
	struct timer timer;    /* deadline of the state, or of idling */
	char *app_name;        /* application_name as we last set it; "" after login and reset */
	uint64_t login_no;     /* among its pool's, from 1: the pool's own */
	uint64_t secret_no;    /* with which of the source's secrets it logged in; 0: with none */
	uint64_t born_us;
	uint64_t query_us;     /* when our own query was sent */
	uint64_t max_age_us;   /* server_lifetime with jitter; 0: none */
	uint64_t abandoned_us; /* since when its client is gone, or going */
	uint32_t cancels;      /* cancel requests under way */
	uint32_t params_version; /* the pool's: which values it reported */
	bool news;             /* the pool was not told yet of what it reported */
	uint32_t reported;     /* ParameterStatus messages that no client saw, since it was last linked */
	bool failed_query;     /* one of our own queries ended in an error */
	enum server_use use;
	enum server_fate fate; /* never gets better */
};

/* Starts logging in. login_done comes later, never inside. */
struct server *server_new(const struct server_env *env, const struct server_request *rq,
                          const struct server_ops *ops, void *pool);

/* Closes at once, whatever it does. A linked client is told (server_gone) with e. Idempotent while closing. */
void server_close(struct server *s, const struct err *e);

/* Is it on its way back to idle, and were it worth waiting for? A rollback or reset that gets no answer may take long. */
bool server_returns_soon(const struct server *s);

/* Closes it when it is free; at once while it logs in: nobody waits for it. */
void server_retire(struct server *s);

/* Is an idle server alive and silent? If not it has been closed. */
bool server_check(struct server *s);

/* Links a client to an idle server. first: bytes read from the client already, taken, or NULL. app_name: the client's
 * application_name. Then call relay_start(&s->relay). */
void server_link(struct server *s, struct stream *client, struct iobuf *first, const char *app_name,
                 const struct server_link *link, void *arg);

/* Lets the client go; see relay_detach for what is returned. The server finds its way back to idle or is closed. */
struct iobuf *server_unlink(struct server *s, bool *clean);

/* The linked client will say no more, and may be gone: the time it has is counted from here. */
void server_leaving(struct server *s);

/* The linked client is gone for certain: what it left running is cancelled at once. */
void server_abandon(struct server *s);

/* A cancel request for this server was started or is through. settled: it has struck, or never will; otherwise it may
 * strike at any time, and the server serves nobody after its present client. */
void server_cancel_begin(struct server *s);
void server_cancel_end(struct server *s, bool settled);

const struct state_row *server_state_rows(size_t *count);

#endif
