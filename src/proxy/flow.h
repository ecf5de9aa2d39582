/* One direction of a relay: bytes on their way from one stream to another through at most one buffer, in which they are
 * parsed where they are. Knows nothing of the protocol but that messages have a length. */
#ifndef PGIAM_PROXY_FLOW_H
#define PGIAM_PROXY_FLOW_H

#include "base/slice.h"
#include "io/iobuf.h"
#include "io/stream.h"

struct flow {
	struct iobuf *b;  /* NULL while empty */
	uint32_t remain;  /* bytes of the current message still to come */
	bool drop;        /* the current message goes nowhere */
	bool blocked;     /* the peer takes no more: its readiness is awaited */
	uint64_t bytes;   /* read in all */
};

/* Gives the buffer back. */
void flow_release(struct iobuf_pool *bufs, struct flow *f);

/* Writes what is parsed. 0 all gone, 1 blocked, -1 the destination is broken. */
int flow_flush(struct iobuf_pool *bufs, struct flow *f, struct stream *to);

/* Fills the buffer with what is there. > 0 bytes were read, 0 nothing now or no room, -1 end or failure. */
int flow_fill(struct iobuf_pool *bufs, struct flow *f, struct stream *from);

/* No room, and what takes it waits for a slow destination: stop reading. */
static inline bool flow_full(const struct flow *f)
{
	return f->b && f->blocked && f->b->filled == IOBUF_BYTES;
}

/* Room enough again that reading on is worth a compaction. */
static inline bool flow_roomy(const struct flow *f)
{
	return !f->b || f->b->filled - f->b->sent <= IOBUF_BYTES / 2;
}

/* Takes the n bytes behind `parsed` out of the stream of bytes. */
void flow_drop(struct flow *f, size_t n);

/* Passes on, or drops, what is there of the current message. */
static inline void flow_take(struct flow *f)
{
	size_t n = f->b->filled - f->b->parsed;

	if (n > f->remain)
		n = f->remain;
	f->remain -= (uint32_t)n;
	if (f->drop)
		flow_drop(f, n);
	else
		f->b->parsed += n;
}

/* Behind a message that was passed on whole: passes on further whole ones of this type and at most max_body bytes of
 * body. Rows come by the thousand, and what had to be asked about the first holds for all. */
void flow_take_alike(struct flow *f, uint8_t type, uint32_t max_body);

/* What was read and not parsed yet. */
static inline struct slice flow_unparsed(const struct flow *f)
{
	return slice_of(f->b->data + f->b->parsed, f->b->filled - f->b->parsed);
}

#endif
