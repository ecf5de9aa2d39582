/* A borrowed run of bytes: pointer and length, passed by value. Owns nothing. */
#ifndef PGIAM_BASE_SLICE_H
#define PGIAM_BASE_SLICE_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

struct slice {
	const unsigned char *p;
	size_t n; /* bytes */
};

/* printf arguments for "%.*s". */
#define SLICE_FMT(s) (int)(s).n, (const char *)(s).p

static inline struct slice slice_of(const void *p, size_t n)
{
	return (struct slice){(const unsigned char *)p, n};
}

static inline struct slice slice_str(const char *s)
{
	return (struct slice){(const unsigned char *)s, s ? strlen(s) : 0};
}

static inline bool slice_eq(struct slice a, struct slice b)
{
	return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

static inline bool slice_eq_str(struct slice a, const char *s)
{
	return slice_eq(a, slice_str(s));
}

/* Does a begin with prefix? */
bool slice_starts(struct slice a, const char *prefix);

/* Owned, NUL-terminated copy. The bytes may hold NULs; the caller checked if it matters. */
char *slice_dup(struct slice s) __attribute__((returns_nonnull));

/* Compares without telling by its time where the difference is (only the length leaks). */
bool slice_eq_consttime(struct slice a, struct slice b);

#endif
