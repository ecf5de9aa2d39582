/* Was it wiped before it was freed? Seen by a free() put in front of the C library's by the linker (--wrap=free). */
#ifndef PGIAM_TESTS_UNIT_BASE_WIPED_H
#define PGIAM_TESTS_UNIT_BASE_WIPED_H

#include <stdbool.h>
#include <stddef.h>

void __real_free(void *p);
void __wrap_free(void *p);

static struct {
	const unsigned char *p; /* of the data that are to be wiped when their block is freed */
	size_t n;
	unsigned wiped, dirty;
} watch;

void __wrap_free(void *p)
{
	/* The data are somewhere behind the start of their block. */
	if (watch.p && (const unsigned char *)p <= watch.p && watch.p - (const unsigned char *)p <= 64) {
		bool clean = true;

		for (size_t i = 0; i < watch.n; i++)
			clean = clean && watch.p[i] == 0;
		*(clean ? &watch.wiped : &watch.dirty) += 1;
		watch.p = NULL;
	}
	__real_free(p);
}

static void watch_for(const void *p, size_t n)
{
	watch.p = p;
	watch.n = n;
	watch.wiped = watch.dirty = 0;
}

#endif
