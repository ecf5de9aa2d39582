/* Memory: allocation that cannot fail, and freeing that wipes.
 *
 * Running out of memory aborts: whatever a peer or a file can size is capped
 * before it gets here, so a failed allocation is the machine's fault, and a
 * half-made object is worse than a restart. */
#ifndef PGIAM_BASE_MEM_H
#define PGIAM_BASE_MEM_H

#include <stddef.h>

/* n bytes, not initialised. Never NULL (also for n == 0). Caller frees with free(). */
void *mem_alloc(size_t n) __attribute__((malloc, returns_nonnull));

/* n zeroed bytes. */
void *mem_zalloc(size_t n) __attribute__((malloc, returns_nonnull));

/* count * size zeroed bytes; aborts if the product overflows. */
void *mem_array(size_t count, size_t size) __attribute__((malloc, returns_nonnull));

/* Grows or shrinks p to n bytes; takes p, returns owned. p may be NULL. Not for secrets:
 * realloc leaves the old copy behind. */
void *mem_resize(void *p, size_t n) __attribute__((returns_nonnull));

/* Owned copies, NUL-terminated. mem_strdup(NULL) is NULL. */
char *mem_strdup(const char *s);
char *mem_strndup(const char *s, size_t n) __attribute__((malloc, returns_nonnull));
char *mem_printf(const char *fmt, ...) __attribute__((format(printf, 1, 2), returns_nonnull));

/* Overwrites n bytes so that the compiler cannot leave it out. */
void mem_wipe(void *p, size_t n);

/* Wipes n bytes and frees. p may be NULL. */
void mem_free_wipe(void *p, size_t n);

/* Wipes up to the NUL and frees. s may be NULL. */
void mem_free_str_wipe(char *s);

#endif
