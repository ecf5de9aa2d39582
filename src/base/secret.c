/* A type of its own, so that no secret sits in a plain string that somebody frees plainly. */
#include "base/secret.h"

#include "base/mem.h"

void secret_set(struct secret *s, struct slice v)
{
	/* the copy first: v may be what s holds */
	struct secret fresh = {.p = (unsigned char *)slice_dup(v), .n = v.n};

	secret_clear(s);
	*s = fresh;
}

void secret_clear(struct secret *s)
{
	mem_free_wipe(s->p, s->n);
	*s = (struct secret){NULL, 0};
}
