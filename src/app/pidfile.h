/* A pid file that is also a lock: a second process with the same one does not start. */
#ifndef PGIAM_APP_PIDFILE_H
#define PGIAM_APP_PIDFILE_H

#include "base/err.h"

struct pidfile;

/* Creates or takes over path, writes the pid. What is taken over: an empty file, or one that holds nothing but the
 * number of a process that is no more, or of this one. NULL with e set: another process holds it or is named in it, it is
 * no pid file, or it cannot be written. */
struct pidfile *pidfile_new(const char *path, struct err *e);

/* Removes the file. NULL is fine. */
void pidfile_free(struct pidfile *p);

#endif
