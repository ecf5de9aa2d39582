/* Bytes that must not linger: wiped when replaced and when freed. */
#ifndef PGIAM_BASE_SECRET_H
#define PGIAM_BASE_SECRET_H

#include "base/slice.h"

struct secret {
	unsigned char *p; /* owned; NULL if unset. A NUL follows the n bytes. */
	size_t n;
};

/* Copies; wipes what was there. */
void secret_set(struct secret *s, struct slice v);

/* Wipes and frees; idempotent. */
void secret_clear(struct secret *s);

static inline bool secret_is_set(const struct secret *s)
{
	return s->p != NULL;
}

static inline struct slice secret_slice(const struct secret *s)
{
	return (struct slice){s->p, s->n};
}

#endif
