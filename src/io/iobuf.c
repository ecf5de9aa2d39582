/* The free list is a stack: what was used last is used next. */
#include "io/iobuf.h"

#include <stdlib.h>
#include <string.h>
#include "base/mem.h"

struct iobuf_pool {
	struct iobuf *free;
	size_t idle, keep, in_use;
};

struct iobuf_pool *iobuf_pool_new(size_t keep)
{
	struct iobuf_pool *p = mem_zalloc(sizeof(*p));

	p->keep = keep;
	return p;
}

void iobuf_pool_free(struct iobuf_pool *p)
{
	if (!p)
		return;
	while (p->free) {
		struct iobuf *b = p->free;

		p->free = b->next;
		free(b);
	}
	free(p);
}

struct iobuf *iobuf_get(struct iobuf_pool *p)
{
	struct iobuf *b = p->free;

	if (b) {
		p->free = b->next;
		p->idle--;
	} else {
		b = mem_alloc(sizeof(*b));
	}
	b->next = NULL;
	b->sent = b->parsed = b->filled = 0;
	p->in_use++;
	return b;
}

void iobuf_put(struct iobuf_pool *p, struct iobuf *b)
{
	if (!b)
		return;
	p->in_use--;
	if (p->idle == p->keep) {
		free(b);
		return;
	}
	b->next = p->free;
	p->free = b;
	p->idle++;
}

size_t iobuf_in_use(const struct iobuf_pool *p)
{
	return p->in_use;
}

void iobuf_compact(struct iobuf *b)
{
	size_t gone = b->sent;

	if (gone == 0)
		return;
	memmove(b->data, b->data + gone, b->filled - gone);
	b->sent = 0;
	b->parsed -= gone;
	b->filled -= gone;
}
