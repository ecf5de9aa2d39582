/* Connection strings as PgBouncer has them in [databases] and [users]: key=value pairs with blanks between
 * them; a value with blanks in it stands in single quotes, with '' for a quote. */
#ifndef PGIAM_APP_CONNSTR_H
#define PGIAM_APP_CONNSTR_H

#include "base/err.h"

#define CONNSTR_KEY_MAX 63

/* One pair; borrowed. -1 with e set stops. */
typedef int (*connstr_cb)(void *arg, const char *key, const char *value, struct err *e);

/* Calls cb for each pair, in order. 0, or -1 with e (ERR_CONFIG): malformed, or what cb said. */
int connstr_parse(const char *text, connstr_cb cb, void *arg, struct err *e);

#endif
