/* Files that are read whole: configuration, secrets, certificates. Regular files only: a FIFO is opened when somebody else
 * writes to it, which may be never, and some devices have no end. And whether one has changed since. */
#ifndef PGIAM_BASE_REGULAR_H
#define PGIAM_BASE_REGULAR_H

#include <stdbool.h>
#include <sys/stat.h>
#include "base/buf.h"
#include "base/err.h"

/* Adds the whole file to out, whose maximum is the limit; nothing waits. -1 with e (code) naming the file, and errno: ENOENT
 * above all, EINVAL if it is no regular file, EFBIG if it is longer. st may be NULL: the file's, as it was opened. */
int regular_read(const char *path, enum err_code code, struct buf *out, struct stat *st, struct err *e);

/* A file as it was; one that was not there counts, too: it may appear. */
struct regular_mark {
	bool present;
	dev_t dev;
	ino_t ino;
	off_t size;
	struct timespec mtime, ctime;
};

/* The file as it is now, to be taken before it is read: what changes meanwhile is seen the next time. Returns whether it
 * is there. */
bool regular_look(const char *path, struct regular_mark *out);

/* Has it changed? Cheap: one stat(2). */
bool regular_changed(const char *path, const struct regular_mark *since);

#endif
