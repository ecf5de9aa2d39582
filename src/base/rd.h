/* Bounds-checked reader over borrowed bytes. One bounds check in one place, and failure is
 * sticky: a parser reads like a schema and asks rd_end() or rd_ok() once at its end.
 * After a failed read every further read gives zeros and empty slices. */
#ifndef PGIAM_BASE_RD_H
#define PGIAM_BASE_RD_H

#include <stdbool.h>
#include <stdint.h>
#include "base/slice.h"

struct rd {
	const unsigned char *p;
	size_t left;
	bool bad;
};

static inline struct rd rd_init(struct slice s)
{
	return (struct rd){s.p, s.n, false};
}

/* Network byte order. */
uint8_t rd_u8(struct rd *r);
uint16_t rd_be16(struct rd *r);
uint32_t rd_be32(struct rd *r);

/* The next n bytes, borrowed. */
struct slice rd_bytes(struct rd *r, size_t n);

/* Up to the next NUL, which is consumed but not part of the result; bad if there is none. */
struct slice rd_cstr(struct rd *r);

/* All that is left. */
struct slice rd_rest(struct rd *r);

/* Marks the input as wrong; for a caller's own checks. */
static inline void rd_fail(struct rd *r)
{
	r->bad = true;
	r->left = 0;
}

static inline bool rd_ok(const struct rd *r)
{
	return !r->bad;
}

/* True if nothing failed and every byte was read. */
static inline bool rd_end(const struct rd *r)
{
	return !r->bad && r->left == 0;
}

#endif
