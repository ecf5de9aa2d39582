/* Who holds a port: the one thing a person wants to know when it is in use. */
#ifndef PGIAM_IO_LISTENER_OWNER_H
#define PGIAM_IO_LISTENER_OWNER_H

#include "io/addr.h"

/* "postgres (pid 4711)", or "a process of user postgres (uid 104)" where the process cannot be seen because it is somebody
 * else's; from /proc (proc(5)). False if not even that can be told: another container's. Slow: for messages at start. */
#define LISTENER_OWNER_TEXT 96
bool listener_owner(const struct addr *a, char out[LISTENER_OWNER_TEXT]);

#endif
