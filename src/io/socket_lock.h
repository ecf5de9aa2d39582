/* The lock file beside a unix socket, PostgreSQL's: .s.PGSQL.5432.lock (PostgreSQL: miscinit.c, CreateSocketLockFile).
 *
 * A socket that was bound and does not listen yet looks like one whose owner died: two that start at the same time could
 * remove each other's. And a PostgreSQL of the same directory and port removes whatever socket it finds, unless somebody
 * who lives stands in this file. */
#ifndef PGIAM_IO_SOCKET_LOCK_H
#define PGIAM_IO_SOCKET_LOCK_H

#include "base/err.h"

struct socket_lock;

/* Takes the lock of the socket with this path, which need not exist. A file left behind by a dead process is taken over.
 * NULL with e set (ERR_CONFIG): a PostgreSQL or pgiam that lives has it, or it cannot be written. */
struct socket_lock *socket_lock_new(const char *path, struct err *e);

/* Removes the file. NULL is fine. */
void socket_lock_free(struct socket_lock *l);

#endif
