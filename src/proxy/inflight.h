/* What a server still owes: the messages a client sent, in order, and what answers them. Pure.
 *
 * PostgreSQL answers strictly in order, so a queue tells which reply belongs to which request, and when everything is
 * answered. Kept as runs of equal kinds, so that a thousand pipelined Binds cost one entry. The rules it knows
 * (PostgreSQL: Protocol, Message Flow; pitfalls 20-26, 38-40):
 *  - Query and FunctionCall are answered by one ReadyForQuery each, Sync too.
 *  - Parse, Bind, Describe, Execute and Close end with one completing message each; Flush owes nothing.
 *  - After an error in one of those the server skips everything up to the next Sync, simple queries too.
 *  - In COPY FROM STDIN Flush and Sync are ignored, CopyDone or CopyFail ends it, anything else fails it and is eaten.
 *  - COPY messages outside a COPY are ignored (the client had not seen the error yet).
 *  - A batch of the extended protocol, and the transaction it began, is open until a Sync or a Query, also when all of
 *    it has been answered.
 * One thing cannot be known at once: a COPY that fails may or may not have read, and so ignored, Syncs that were sent
 * meanwhile, and each of them may still be answered by one ReadyForQuery. Those come before anything else that is
 * owed, and nobody can tell one ReadyForQuery from another. So the next answer of another kind settles it: the
 * ones that did not come before it never will. Until then the queue is in doubt: never idle nor closed, so that the
 * server serves nobody else, but quiet, so that its client is idle. If what was sent meanwhile was more than Syncs,
 * the queue is lost: it takes whatever comes, and is quiet from a ReadyForQuery to the next message. */
#ifndef PGIAM_PROXY_INFLIGHT_H
#define PGIAM_PROXY_INFLIGHT_H

#include <stdbool.h>
#include <stdint.h>

enum inflight_kind {
	INFLIGHT_EXTENDED, /* one of Parse, Bind, Describe, Execute, Close */
	INFLIGHT_QUERY,    /* Query or FunctionCall */
	INFLIGHT_SYNC,
	INFLIGHT_COPY_END, /* CopyDone or CopyFail */
};

struct inflight_run {
	uint8_t kind; /* enum inflight_kind */
	uint32_t count;
};

enum inflight_doubt {
	INFLIGHT_CERTAIN,
	INFLIGHT_COPY,  /* a COPY of a simple query failed: its own ReadyForQuery comes, then perhaps `unsure` others */
	INFLIGHT_SYNCS, /* up to `unsure` more ReadyForQuery may come than are counted */
	INFLIGHT_LOST,  /* nothing is known but what is said now; `open`: something was asked since the last ReadyForQuery */
};

#define INFLIGHT_INLINE   4
#define INFLIGHT_MAX_RUNS 16384

struct inflight {
	struct inflight_run *runs; /* ring of `size`, a power of two */
	struct inflight_run first[INFLIGHT_INLINE];
	uint32_t head, count, size;
	uint32_t ready_owed;  /* ReadyForQuery messages to come, as far as is known */
	bool skip_to_sync;    /* the server skips: nothing the client sends counts until a Sync */
	bool copy_in;         /* the server reads COPY data */
	bool eaten;           /* a message that counts came upon the present COPY: fails it, unless that failed before */
	bool open;            /* the client's last batch has no end yet */
	uint8_t doubt;        /* enum inflight_doubt */
	uint32_t unsure;      /* Syncs that the present COPY ignores, or the one that failed may have ignored */
};

void inflight_init(struct inflight *f);
void inflight_free(struct inflight *f);

/* Everything owed will come without the client sending more: the last message ends its batch. */
static inline bool inflight_closed(const struct inflight *f)
{
	return !f->skip_to_sync && !f->copy_in && !f->open && f->doubt == INFLIGHT_CERTAIN;
}

/* Nothing is owed, no batch is open: for certain. */
static inline bool inflight_idle(const struct inflight *f)
{
	return f->count == 0 && inflight_closed(f);
}

/* The same as far as the client can tell, who waits for nothing: idle but for a doubt. */
static inline bool inflight_quiet(const struct inflight *f)
{
	return f->count == 0 && !f->skip_to_sync && !f->copy_in && !f->open;
}

/* The client sent this message (type byte). False if too much is in flight: hold the message back and try
 * again when the server has answered some. */
bool inflight_client(struct inflight *f, uint8_t type);

/* The server sent this message. False if it answers nothing that was asked (a protocol violation). Asynchronous
 * messages need not be told. */
bool inflight_server(struct inflight *f, uint8_t type);

#endif
