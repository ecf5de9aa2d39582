/* Nothing is checked here: a refused addition leaves the buffer full, and its owner looks once. */
#include "base/wr.h"

#include <assert.h>

void wr_u8(struct buf *b, uint8_t v)
{
	buf_add(b, &v, 1);
}

static void put_be32(unsigned char *p, uint32_t v)
{
	p[0] = (unsigned char)(v >> 24);
	p[1] = (unsigned char)(v >> 16);
	p[2] = (unsigned char)(v >> 8);
	p[3] = (unsigned char)v;
}

void wr_be32(struct buf *b, uint32_t v)
{
	unsigned char p[4];

	put_be32(p, v);
	buf_add(b, p, sizeof(p));
}

void wr_cstr(struct buf *b, const char *s)
{
	buf_add(b, s, strlen(s) + 1);
}

void wr_cslice(struct buf *b, struct slice s)
{
	assert(s.n == 0 || !memchr(s.p, '\0', s.n));
	buf_add_slice(b, s);
	wr_u8(b, 0);
}

size_t wr_len_begin(struct buf *b)
{
	size_t mark = b->n;

	wr_be32(b, 0);
	return mark;
}

void wr_len_end(struct buf *b, size_t mark)
{
	if (b->full)
		return;
	assert(b->n >= mark + 4 && b->n - mark <= INT32_MAX);
	put_be32(b->p + mark, (uint32_t)(b->n - mark));
}
