/* Writer of wire formats into a struct buf. Failure is the buffer's sticky `full`. */
#ifndef PGIAM_BASE_WR_H
#define PGIAM_BASE_WR_H

#include <stdint.h>
#include "base/buf.h"

/* Network byte order. */
void wr_u8(struct buf *b, uint8_t v);
void wr_be32(struct buf *b, uint32_t v);

/* Bytes and a NUL. The string itself must hold no NUL. */
void wr_cstr(struct buf *b, const char *s);
void wr_cslice(struct buf *b, struct slice s);

/* A 4-byte length that counts itself, as PostgreSQL's messages have: begin returns the mark
 * that end needs. */
size_t wr_len_begin(struct buf *b);
void wr_len_end(struct buf *b, size_t mark);

#endif
