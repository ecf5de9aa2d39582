/* Input that ends flush against a page nobody may touch, so that reading one byte too many is a crash, also
 * in a build without sanitizers. */
#ifndef PGIAM_TESTS_UNIT_GUARD_H
#define PGIAM_TESTS_UNIT_GUARD_H

#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static inline size_t guard_room(size_t n)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);

	return (n + page - 1) / page * page;
}

/* A copy of n bytes; the byte behind the last is forbidden. Free with guard_free(copy, n). */
static inline void *guard_copy(const void *p, size_t n)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE), room = guard_room(n);
	unsigned char *base =
		mmap(NULL, room + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (base == MAP_FAILED || mprotect(base + room, page, PROT_NONE) != 0)
		abort();
	if (n)
		memcpy(base + room - n, p, n);
	return base + room - n;
}

static inline void guard_free(void *copy, size_t n)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE), room = guard_room(n);

	munmap((unsigned char *)copy + n - room, room + page);
}

#endif
