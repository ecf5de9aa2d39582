/* Transfer buffers, one size, kept on a per-loop free list: a connection holds one only while it has bytes in
 * flight, so an idle client costs none, and the one in use is the one still warm in the cache. */
#ifndef PGIAM_IO_IOBUF_H
#define PGIAM_IO_IOBUF_H

#include <stddef.h>
#include "io/loop.h"

#define IOBUF_BYTES 65536

/* sent <= parsed <= filled <= IOBUF_BYTES */
struct iobuf {
	struct iobuf *next; /* the free list's */
	size_t sent;        /* written to the other side up to here */
	size_t parsed;      /* may be written up to here */
	size_t filled;      /* read up to here */
	unsigned char data[IOBUF_BYTES];
};

struct iobuf_pool;
struct iobuf_pool *iobuf_pool_new(size_t keep); /* keep: idle buffers not given back to the system */
void iobuf_pool_free(struct iobuf_pool *p);

struct iobuf *iobuf_get(struct iobuf_pool *p); /* empty; never NULL */
void iobuf_put(struct iobuf_pool *p, struct iobuf *b); /* NULL is fine */
size_t iobuf_in_use(const struct iobuf_pool *p);

/* Moves what is not sent yet to the front, making room at the end. */
void iobuf_compact(struct iobuf *b);

#endif
