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
bool flow_full(const struct flow *f);

/* Room enough again that reading on is worth a compaction. */
bool flow_roomy(const struct flow *f);

/* Passes on, or drops, what is there of the current message. */
void flow_take(struct flow *f);

/* What was read and not parsed yet. */
struct slice flow_unparsed(const struct flow *f);

#endif
