/* free() is not told how long a block is, so each carries its length in front: malloc_usable_size would tell
 * as well, but only what the allocator gave and not on every system. */
#include "base/mem_hooks.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "base/mem.h"

struct block {
	size_t n; /* bytes of data */
	_Alignas(max_align_t) unsigned char data[];
};

static struct block *block_of(void *p)
{
	return (struct block *)(void *)((unsigned char *)p - offsetof(struct block, data));
}

void *mem_hooks_malloc(size_t n)
{
	struct block *b;

	/* A length that cannot be is refused by the allocator, and that aborts. */
	b = mem_alloc(n > SIZE_MAX - sizeof(*b) ? SIZE_MAX : sizeof(*b) + n);
	b->n = n;
	return b->data;
}

void *mem_hooks_calloc(size_t count, size_t size)
{
	size_t n = size && count > SIZE_MAX / size ? SIZE_MAX : count * size;
	void *p = mem_hooks_malloc(n);

	memset(p, 0, n);
	return p;
}

void *mem_hooks_realloc(void *p, size_t n)
{
	void *copy = mem_hooks_malloc(n);

	if (p) {
		size_t old = block_of(p)->n;

		memcpy(copy, p, old < n ? old : n);
		mem_hooks_free(p);
	}
	return copy;
}

char *mem_hooks_strdup(const char *s)
{
	size_t n = strlen(s) + 1;

	return memcpy(mem_hooks_malloc(n), s, n);
}

void mem_hooks_free(void *p)
{
	if (p)
		mem_free_wipe(block_of(p), sizeof(struct block) + block_of(p)->n);
}
