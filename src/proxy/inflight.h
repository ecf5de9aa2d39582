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
 * One thing cannot be known: a COPY that fails may or may not have read, and so ignored, Syncs that were sent
 * meanwhile. Then the queue is lost: it takes whatever comes and is never idle nor closed again. */
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

#define INFLIGHT_INLINE   4
#define INFLIGHT_MAX_RUNS 16384

struct inflight {
	struct inflight_run *runs; /* ring of `size`, a power of two */
	struct inflight_run first[INFLIGHT_INLINE];
	uint32_t head, count, size;
	uint32_t ready_owed;  /* ReadyForQuery messages to come, as far as is known */
	bool skip_to_sync;    /* the server skips: nothing the client sends counts until a Sync */
	bool copy_in;         /* the server reads COPY data */
	bool swallowed;       /* the present COPY ignores or eats messages that count if it fails before it reads them */
	bool open;            /* the client's last batch has no end yet */
	bool lost;            /* what is owed cannot be known */
};

void inflight_init(struct inflight *f);
void inflight_free(struct inflight *f);

/* Nothing is owed, no batch is open. */
static inline bool inflight_idle(const struct inflight *f)
{
	return f->count == 0 && !f->skip_to_sync && !f->copy_in && !f->open && !f->lost;
}

/* Everything owed will come without the client sending more: the last message ends its batch. */
static inline bool inflight_closed(const struct inflight *f)
{
	return !f->skip_to_sync && !f->copy_in && !f->open && !f->lost;
}

/* The client sent this message (type byte). False if too much is in flight: hold the message back and try
 * again when the server has answered some. */
bool inflight_client(struct inflight *f, uint8_t type);

/* The server sent this message. False if it answers nothing that was asked (a protocol violation). Asynchronous
 * messages need not be told. */
bool inflight_server(struct inflight *f, uint8_t type);

#endif
