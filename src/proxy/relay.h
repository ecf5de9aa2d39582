/* Moves bytes between a client's stream and a server's stream, and knows just enough of the protocol to say what the
 * server owes. Each direction has at most one buffer, held only while it has bytes. Nothing is copied: what was
 * read is parsed in place and written from there.
 *
 * A relay belongs to a server and lives as long as it does. Attached, a client's bytes go through; detached, what the
 * server sends is read, understood and dropped. A query of pgiam's own can be put in front: its replies are hidden, but
 * not what the server happens to report about its parameters meanwhile. */
#ifndef PGIAM_PROXY_RELAY_H
#define PGIAM_PROXY_RELAY_H

#include "base/err.h"
#include "base/slice.h"
#include "proxy/flow.h"
#include "proxy/inflight.h"
#include "proxy/state.h"

enum relay_end {
	RELAY_TERMINATE, /* the client said Terminate */
	RELAY_EOF,       /* it closed, or its connection broke */
	RELAY_VIOLATION, /* it broke the protocol: e says how */
};

/* For whoever owns the server. None may be called after relay_close. Each may call relay_close, as its last act. */
struct relay_server_ops {
	/* The server closed, broke or violated the protocol. A FATAL error it sent before has been forwarded. */
	void (*end)(void *arg, const struct err *e);
	/* A message that no client sees, while detached or for a hidden query: 'E' (body as in pg/msg.h: a prefix), 'Z'. */
	void (*hidden)(void *arg, uint8_t type, struct slice body);
	/* A ParameterStatus, whether a client sees it or not. */
	void (*reported)(void *arg, struct slice body);
	/* Detached, and everything owed has come, or will not come because the server waits for the end of a batch or a
	 * COPY. tx: the last ReadyForQuery's status. */
	void (*settled)(void *arg, char tx);
};

/* For whoever owns the client, while attached. Each may detach, as its last act. */
struct relay_client_ops {
	void (*end)(void *arg, enum relay_end how, const struct err *e);
	/* It said Terminate, closed its side or broke the protocol while it is owed something: `end` comes when it has been
	 * given that, as PostgreSQL does. The owner bounds the time. */
	void (*leaving)(void *arg);
	/* A ReadyForQuery was passed on and nothing more is owed. */
	void (*ready)(void *arg, char tx);
	/* The first message after `ready` (or after attaching) that is owed an answer was passed on. Must not detach. */
	void (*busy)(void *arg);
};

/* What is still to be had from the client: a machine from attaching to detaching. */
enum relay_state {
	RELAY_OPEN,     /* its messages are read and passed on */
	RELAY_MUTE,     /* nothing more is read: the server takes no more, or it is told that this is the end */
	RELAY_LEAVING,  /* it said or did `how`, and is still owed something */
	RELAY_GOODBYE,  /* ... and the server was told, since it would wait for more */
	RELAY_DETACHED, /* no client */
};

/* A server connection that has heard or said its last is good for nobody else. */
enum relay_word {
	RELAY_WORD_NONE,
	RELAY_WORD_GOODBYE,    /* it was told to end */
	RELAY_WORD_FATAL,      /* it said FATAL, and no client heard it */
	RELAY_WORD_FATAL_TOLD, /* it said FATAL, and its client heard it */
};

struct relay {
	struct iobuf_pool *bufs;
	struct stream *client, *server; /* client: borrowed, NULL while detached; server: owned */
	struct flow up, down;     /* from the client, from the server */
	struct inflight inflight;
	uint32_t hidden;                /* ReadyForQuery messages of our own queries to come */
	char tx;
	bool busy;                      /* something is owed to the client */
	enum relay_state state;
	enum relay_word last_word;
	int wrong;                      /* the type of the message that broke the protocol */
	enum relay_end how;             /* why it is RELAY_LEAVING or RELAY_GOODBYE */
	uint64_t drained_bytes;         /* dropped since the client left */
	uint64_t ready_count, tx_count; /* ReadyForQuery passed on; with status 'I' */
	const struct relay_server_ops *server_ops;
	void *server_arg;
	const struct relay_client_ops *client_ops;
	void *client_arg;
};

/* Takes server, a stream on which a login was completed. */
void relay_init(struct relay *r, struct iobuf_pool *bufs, struct stream *server, const struct relay_server_ops *ops,
                void *arg);

/* Closes the server's stream (with a Terminate message if the server would understand it) and frees buffers. Detach
 * first. Idempotent. */
void relay_close(struct relay *r);

/* The client's bytes go through from now on. first: what was read from it already (its `parsed` is 0), taken; or
 * NULL. Nothing may be unsent to the client. Nothing is called back before the loop's next turn or relay_start. */
void relay_attach(struct relay *r, struct stream *client, struct iobuf *first, const struct relay_client_ops *ops,
                  void *arg);

/* Puts messages of our own before whatever the server says; between relay_attach and relay_start. */
void relay_tell(struct relay *r, struct slice messages);

/* Starts moving after relay_attach; may call back. */
void relay_start(struct relay *r);

/* Lets go of the client: its stream is the caller's again, with both switches off. What was read from it and is
 * complete still goes to the server; a message cut short is dropped and makes relay_aligned false. What the client has
 * not been sent yet is returned (owned, between sent and parsed), or NULL; *clean tells whether something may follow it:
 * it ends with a complete message, and not with a FATAL error. */
struct iobuf *relay_detach(struct relay *r, bool *clean);

/* Was the last message to the server complete? */
static inline bool relay_aligned(const struct relay *r)
{
	return r->up.remain == 0;
}

/* Sends a query of our own; between relay_attach and relay_start, before what the client says. Only while nothing is owed.
 * Its replies are hidden. */
void relay_query(struct relay *r, const char *sql);

const struct state_row *relay_state_rows(size_t *count);

/* Is the server silent, as it should be? For a server about to be handed out. */
static inline bool relay_server_quiet(struct relay *r)
{
	return !r->down.b && r->down.remain == 0 && !stream_peek(r->server);
}

#endif
