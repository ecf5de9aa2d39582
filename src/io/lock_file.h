/* A file that one process at a time has: pid files, the locks of unix sockets. What is in it is its owner's to judge and to
 * write. flock decides, which the kernel gives up with the process: a number in the file may have become somebody else's,
 * and in a container it is the same one every time. */
#ifndef PGIAM_IO_LOCK_FILE_H
#define PGIAM_IO_LOCK_FILE_H

#include <stdbool.h>
#include "base/err.h"

/* Opens the file, makes it if need be (0600), and locks it: the descriptor, the caller's to close, which gives the lock
 * up. -1 with e of this code, where it is called `what` ("pid file"): another process has it, or it cannot be opened. */
int lock_file_open(const char *path, const char *what, enum err_code code, struct err *e);

/* Is the locked file still the one with this name? It may have been removed, and made anew by others. */
bool lock_file_is_current(int fd, const char *path);

#endif
