/* Who holds a port: the one thing a person wants to know when it is in use. */
#ifndef PGIAM_IO_LISTENER_OWNER_H
#define PGIAM_IO_LISTENER_OWNER_H

#include "io/addr.h"

/* "postgres (pid 4711)", from /proc (proc(5)). False if it cannot be told, for instance because the process
 * belongs to somebody else. Slow: for messages at start. */
#define LISTENER_OWNER_TEXT 96
bool listener_owner(const struct addr *a, char out[LISTENER_OWNER_TEXT]);

#endif
