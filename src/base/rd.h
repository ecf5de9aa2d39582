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

/* Marks the input as wrong; for a caller's own checks. */
static inline void rd_fail(struct rd *r)
{
	r->bad = true;
	r->left = 0;
}

/* The next n bytes, borrowed. The one bounds check of them all. */
static inline struct slice rd_bytes(struct rd *r, size_t n)
{
	struct slice s = {r->p, n};

	if (n > r->left) {
		rd_fail(r);
		return (struct slice){NULL, 0};
	}
	if (n > 0) /* p may be NULL, to which not even 0 may be added */
		r->p += n;
	r->left -= n;
	return s;
}

/* Network byte order. */
static inline uint8_t rd_u8(struct rd *r)
{
	struct slice s = rd_bytes(r, 1);

	return s.n ? s.p[0] : 0;
}

static inline uint16_t rd_be16(struct rd *r)
{
	struct slice s = rd_bytes(r, 2);

	return s.n ? (uint16_t)(s.p[0] << 8 | s.p[1]) : 0;
}

static inline uint32_t rd_be32(struct rd *r)
{
	struct slice s = rd_bytes(r, 4);

	return s.n ? (uint32_t)s.p[0] << 24 | (uint32_t)s.p[1] << 16 | (uint32_t)s.p[2] << 8 | s.p[3] : 0;
}

/* Up to the next NUL, which is consumed but not part of the result; bad if there is none. */
struct slice rd_cstr(struct rd *r);

/* All that is left. */
struct slice rd_rest(struct rd *r);

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
