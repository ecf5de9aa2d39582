/* Framing of messages after the startup packet: one type byte, a 4-byte length that counts itself
 * but not the type, then the body (PostgreSQL: Protocol, Message Formats). */
#ifndef PGIAM_PG_FRAME_H
#define PGIAM_PG_FRAME_H

#include <stdint.h>
#include "base/rd.h"

#define FRAME_HEAD_BYTES 5

/* PostgreSQL's PQ_LARGE_MESSAGE_LIMIT, MaxAllocSize - 1: no body may be longer. */
#define FRAME_MAX_BODY 0x3ffffffeu

enum frame_status { FRAME_PARTIAL, FRAME_OK, FRAME_BAD };

struct frame {
	uint8_t type;
	uint32_t body; /* bytes after the length word */
};

/* Reads the 5 bytes of a head from the front of in. PARTIAL: fewer than 5 there; BAD: a length below 4 or
 * above the limit. */
static inline enum frame_status frame_head(struct slice in, struct frame *f)
{
	struct rd r = rd_init(in);
	uint32_t length;

	if (in.n < FRAME_HEAD_BYTES)
		return FRAME_PARTIAL;
	f->type = rd_u8(&r);
	length = rd_be32(&r);
	if (length < 4 || length - 4 > FRAME_MAX_BODY)
		return FRAME_BAD;
	f->body = length - 4;
	return FRAME_OK;
}

/* A whole message at the front of in whose body may have max_body bytes at most: sets body to the borrowed
 * body. PARTIAL until all is there. */
enum frame_status frame_whole(struct slice in, uint32_t max_body, struct frame *f, struct slice *body);

#endif
