/* One client connection, from accept to close. client_private.h says what it is made of. */
#ifndef PGIAM_PROXY_CLIENT_H
#define PGIAM_PROXY_CLIENT_H

#include "io/addr.h"
#include "pg/startup.h"
#include "proxy/cancel.h"
#include "proxy/hash_queue.h"
#include "proxy/keyring.h"
#include "proxy/opts.h"
#include "proxy/registry.h"
#include "proxy/state.h"

enum client_state {
	CLIENT_STARTUP, /* reading startup packets */
	CLIENT_TLS,     /* TLS handshake */
	CLIENT_CANCEL,  /* it sent a CancelRequest, which is on its way */
	CLIENT_AUTH,    /* proves who it is */
	CLIENT_WELCOME, /* waits until the pool knows its server */
	CLIENT_GREETED, /* its welcome is being sent */
	CLIENT_IDLE,    /* welcomed, no server yet */
	CLIENT_WAIT,    /* has sent something, waits for a server */
	CLIENT_LINKED,  /* has a server */
	CLIENT_LEAVING, /* has said Terminate or closed its side, and is still owed something by its server */
	CLIENT_CLOSING, /* what is left to say is being sent */
	CLIENT_CLOSED,
};

/* What clients share: the proxy's. */
struct client_env {
	struct loop *loop;
	const struct proxy_opts *opts;
	struct iobuf_pool *bufs;
	struct registry *registry;
	struct keyring *keys;
	struct hash_queue *hashes;
	struct stats_snapshot *totals;
	struct list *clients;
	struct list *logins;      /* client_ends of those that are logging in; who got on last comes last */
	uint32_t login_count;
	uint32_t count, welcomed; /* connections; those that count for max_client_conn */
	bool stopping;            /* nobody new is let in, and whoever is between transactions is sent away */
	/* A CancelRequest: not NULL if it was started for somebody here, and then done(client) will come. */
	struct cancel *(*cancel)(void *arg, uint32_t pid, struct slice key, void (*done)(void *arg), void *client);
	void (*gone)(void *arg); /* a client was closed */
	void *arg;
};

/* What matters until a connection has been let in: its addresses, on which depends who it is, and its place among those
 * that are logging in. */
struct client_ends {
	struct addr peer, local;
	struct list login; /* on env->logins */
	struct client *client;
};

struct client {
	struct list node;
	struct client_env *env;
	struct stream *stream;
	enum client_state state;
	struct timer timer;        /* login, welcome, idle and closing deadlines */
	struct client_ends *ends;  /* owned; NULL once it has been let in */
	struct buf in;             /* startup packets; then what it said until it has a server */
	struct buf out;            /* what pgiam itself says */
	struct iobuf *unsent;      /* what the server said and was not sent yet; goes before out */
	bool ssl_asked, gss_asked; /* each once (pitfall 3) */
	bool trusted;              /* may see the server's own texts (design.md rule 6) */
	bool hung_up;              /* it has closed its side, and waits for what it asked before */
	const char *reason;        /* why it goes, for the log; NULL before */
	char *user, *database;     /* as it asked; NULL before */
	char *app_name;            /* as it says; once it is welcomed as its server shows it */
	uint32_t told_version;     /* pool.welcome_version of the values it was told */
	struct pool *pool;         /* a reference, and counted in env->welcomed */
	struct pool_waiter waiter;
	struct server *server;     /* non-NULL exactly in CLIENT_LINKED and CLIENT_LEAVING */
	struct client_auth *auth;  /* non-NULL exactly in CLIENT_AUTH */
	struct cancel *cancel;     /* non-NULL exactly in CLIENT_CANCEL */
	uint32_t protocol;         /* what it speaks: STARTUP_3_0 until it says otherwise */
	uint32_t cancel_pid;       /* names its key in env->keys; 0: none */
	uint64_t connected_us;
	uint64_t query_start_us, xact_start_us; /* 0: none */
	uint64_t seen_up, seen_down; /* bytes of the link already counted */
};

/* Takes fd. */
void client_new(struct client_env *env, int fd, const struct addr *peer, const struct addr *local);

/* Sends FATAL and closes when it is sent; for any state. */
void client_fail(struct client *c, const struct err *e);

/* The same without a word to the client; at once. */
void client_drop(struct client *c, const struct err *e);

/* Closes without a word. Idempotent. */
void client_close(struct client *c);

/* There is no room: the connection that is logging in and has not got on for longest is told, and closed. False if none
 * is. */
bool client_push_out(struct client_env *env);

/* Told to go: at once if nothing is going on, else at the end of its transaction (client_env.stopping). */
void client_stop(struct client *c);

/* Is a cancel for it worth sending: does its server have something to do? */
bool client_is_busy(const struct client *c);

/* Adds the bytes of the present link to its database's counters. */
void client_count_bytes(struct client *c);

const struct state_row *client_state_rows(size_t *count);

#endif
