/* The words of pg_hba.conf and pg_ident.conf (PostgreSQL: Client Authentication): blanks between them, commas between the
 * items of one, # begins a comment, double quotes take away what a word means ("all" is then a name), a doubled quote
 * is one. A line that ends in a backslash goes on. Pure. */
#ifndef PGIAM_PROXY_AUTH_TOKEN_H
#define PGIAM_PROXY_AUTH_TOKEN_H

#include "base/err.h"
#include "base/rd.h"

#define AUTH_TOKEN_MAX  256 /* bytes of an item */
#define AUTH_FIELDS_MAX 16  /* on a line */
#define AUTH_ITEMS_MAX  256 /* in a field */

struct auth_item {
	char *text; /* owned */
	bool quoted;
};

struct auth_field {
	struct auth_item *item; /* owned; at least one */
	size_t n;
};

struct auth_line {
	struct auth_field field[AUTH_FIELDS_MAX];
	size_t n;      /* 0: blank */
	unsigned line; /* its number, from 1 */
};

/* Reads the next line that is not blank: 1, 0 at the end, -1 with e (ERR_CONFIG) naming the line. *number: 0 before the
 * first. l is to be freed whatever comes. */
int auth_line_next(struct rd *r, unsigned *number, struct auth_line *l, struct err *e);
void auth_line_free(struct auth_line *l); /* idempotent */

/* Is the item this word, and not quoted? */
bool auth_item_is(const struct auth_item *i, const char *word);

#endif
