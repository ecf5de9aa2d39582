/* What a process that holds secrets does first: nothing of its memory may get to a disk or to another
 * process. */
#ifndef PGIAM_BASE_HARDEN_H
#define PGIAM_BASE_HARDEN_H

#include "base/err.h"

/* No core files (RLIMIT_CORE 0), and no reading of memory by other processes of the same user
 * (PR_SET_DUMPABLE 0). 0, or -1 with ERR_INTERNAL: then go no further. Children inherit the first, and lose
 * the second at execve. */
int harden_process(struct err *e);

#endif
