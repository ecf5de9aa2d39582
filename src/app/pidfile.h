/* A pid file that is also a lock: a second process with the same one does not start. */
#ifndef PGIAM_APP_PIDFILE_H
#define PGIAM_APP_PIDFILE_H

#include "base/err.h"

struct pidfile;

/* Creates or takes over path (a file nobody holds is stale), writes the pid. NULL with e set: another process
 * holds it, or it cannot be written. */
struct pidfile *pidfile_new(const char *path, struct err *e);

/* Removes the file. NULL is fine. */
void pidfile_free(struct pidfile *p);

#endif
