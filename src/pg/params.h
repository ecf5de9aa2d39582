/* An ordered list of name/value pairs: startup parameters, ParameterStatus values. Names compare without
 * case (of ASCII), as PostgreSQL's do; setting a name again replaces its value in place. No NUL in either. */
#ifndef PGIAM_PG_PARAMS_H
#define PGIAM_PG_PARAMS_H

#include <stdint.h>
#include "base/buf.h"

struct param {
	char *name, *value; /* owned, NUL-terminated */
	uint32_t hash;      /* of the name; params.c's own */
};

struct params {
	struct param *v; /* owned */
	size_t n, size;
};

void params_init(struct params *p);
void params_free(struct params *p); /* leaves it empty; idempotent */
void params_set(struct params *p, struct slice name, struct slice value);
void params_add(struct params *p, struct slice name,
		struct slice value); /* whether or not the name is there */
bool params_del(struct params *p, const char *name);
const char *params_get(const struct params *p, const char *name); /* NULL if absent */
void params_copy(struct params *to, const struct params *from);   /* sets each of from in to */

/* The same pairs in the same order? Names without case, values exactly. */
bool params_equal(const struct params *a, const struct params *b);

/* A text that is the same for two lists exactly if they hold the same pairs, whatever their order:
 * names in lower case, sorted, NUL after each name and value. */
int params_canonical(const struct params *p, struct buf *out);

#endif
