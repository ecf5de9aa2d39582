/* The one bounds check is in rd_bytes. */
#include "base/rd.h"

struct slice rd_bytes(struct rd *r, size_t n)
{
	struct slice s;

	if (n > r->left) {
		rd_fail(r);
		return (struct slice){NULL, 0};
	}
	if (n == 0)
		return (struct slice){r->p, 0};
	s = slice_of(r->p, n);
	r->p += n;
	r->left -= n;
	return s;
}

uint8_t rd_u8(struct rd *r)
{
	struct slice s = rd_bytes(r, 1);

	return s.n ? s.p[0] : 0;
}

uint16_t rd_be16(struct rd *r)
{
	struct slice s = rd_bytes(r, 2);

	return s.n ? (uint16_t)(s.p[0] << 8 | s.p[1]) : 0;
}

uint32_t rd_be32(struct rd *r)
{
	struct slice s = rd_bytes(r, 4);

	return s.n ? (uint32_t)s.p[0] << 24 | (uint32_t)s.p[1] << 16 | (uint32_t)s.p[2] << 8 | s.p[3] : 0;
}

struct slice rd_cstr(struct rd *r)
{
	const unsigned char *nul = r->left ? memchr(r->p, '\0', r->left) : NULL;
	struct slice s;

	if (!nul) {
		rd_fail(r);
		return (struct slice){NULL, 0};
	}
	s = rd_bytes(r, (size_t)(nul - r->p));
	rd_bytes(r, 1);
	return s;
}

struct slice rd_rest(struct rd *r)
{
	return rd_bytes(r, r->left);
}
