/* malloc and friends for libraries that take such functions and hold secrets (libcurl, cJSON): whatever they
 * free is wiped first. Running out of memory aborts, as in base/mem.h.
 *
 * A block of these is freed by these only. */
#ifndef PGIAM_BASE_MEM_HOOKS_H
#define PGIAM_BASE_MEM_HOOKS_H

#include <stddef.h>

void *mem_hooks_malloc(size_t n);
void *mem_hooks_calloc(size_t count, size_t size);
void *mem_hooks_realloc(void *p, size_t n);
char *mem_hooks_strdup(const char *s);
void mem_hooks_free(void *p);

#endif
