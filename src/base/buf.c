/* The maximum is part of the buffer from its birth, so that no later addition can forget it. One
 * byte more than the maximum may be allocated: the NUL of buf_cstr and of printf. */
#include "base/buf.h"

#include <assert.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include "base/mem.h"

#define BUF_FIRST_BYTES 128

void buf_init(struct buf *b, size_t max_bytes)
{
	if (max_bytes > SIZE_MAX / 4)
		max_bytes = SIZE_MAX / 4; /* so that doubling cannot overflow */
	*b = (struct buf){.max = max_bytes};
}

void buf_init_secret(struct buf *b, size_t max_bytes)
{
	buf_init(b, max_bytes);
	b->secret = true;
}

void buf_free(struct buf *b)
{
	if (b->secret)
		mem_free_wipe(b->p, b->size);
	else
		free(b->p);
	*b = (struct buf){.max = b->max, .secret = b->secret};
}

void buf_clear(struct buf *b)
{
	if (b->secret && b->p)
		mem_wipe(b->p, b->size);
	b->n = 0;
	b->full = false;
}

/* Makes the allocation at least `need` bytes, need <= max + 1. */
static void grow(struct buf *b, size_t need)
{
	size_t size = b->size ? b->size : BUF_FIRST_BYTES;
	unsigned char *p;

	if (need <= b->size)
		return;
	while (size < need)
		size *= 2;
	if (size > b->max + 1)
		size = b->max + 1;
	if (b->secret) {
		p = mem_alloc(size);
		if (b->n)
			memcpy(p, b->p, b->n);
		mem_free_wipe(b->p, b->size);
	} else {
		p = mem_resize(b->p, size);
	}
	b->p = p;
	b->size = size;
}

/* Once full it stays so: what is held is always a prefix of what was to be held. */
static bool refuses(struct buf *b, size_t n)
{
	if (!b->full && n > b->max - b->n)
		b->full = true;
	return b->full;
}

unsigned char *buf_space(struct buf *b, size_t n)
{
	if (refuses(b, n))
		return NULL;
	grow(b, b->n + n);
	return b->p ? b->p + b->n : (grow(b, 1), b->p);
}

int buf_add(struct buf *b, const void *p, size_t n)
{
	if (refuses(b, n))
		return -1;
	if (n) {
		grow(b, b->n + n);
		memcpy(b->p + b->n, p, n);
		b->n += n;
	}
	return 0;
}

int buf_add_slice(struct buf *b, struct slice s)
{
	return buf_add(b, s.p, s.n);
}

int buf_add_str(struct buf *b, const char *s)
{
	return buf_add(b, s, strlen(s));
}

int buf_add_char(struct buf *b, char c)
{
	return buf_add(b, &c, 1);
}

int buf_printf(struct buf *b, const char *fmt, ...)
{
	va_list ap;
	int rc;

	va_start(ap, fmt);
	rc = buf_vprintf(b, fmt, ap);
	va_end(ap);
	return rc;
}

int buf_vprintf(struct buf *b, const char *fmt, va_list ap)
{
	size_t left = b->size - b->n;
	va_list again;
	int n;

	va_copy(again, ap);
	n = vsnprintf(left ? (char *)b->p + b->n : NULL, left, fmt, ap); /* mostly it fits at once */
	if (n < 0 || refuses(b, (size_t)n)) {
		b->full = true;
		va_end(again);
		return -1;
	}
	if ((size_t)n >= left) {
		grow(b, b->n + (size_t)n + 1);
		vsnprintf((char *)b->p + b->n, (size_t)n + 1, fmt, again);
	}
	va_end(again);
	b->n += (size_t)n;
	return 0;
}

void buf_drop_front(struct buf *b, size_t n)
{
	assert(n <= b->n);
	if (n == 0)
		return;
	memmove(b->p, b->p + n, b->n - n);
	b->n -= n;
	if (b->secret)
		mem_wipe(b->p + b->n, n);
}

const char *buf_cstr(struct buf *b)
{
	grow(b, b->n + 1);
	b->p[b->n] = '\0';
	return (const char *)b->p;
}
