/* A program that is run for what it prints: without a shell, within a deadline and a size, on the loop. What
 * it writes to its standard error is thrown away: it may be a secret, and nobody here could tell. */
#ifndef PGIAM_IO_CHILD_H
#define PGIAM_IO_CHILD_H

#include "base/slice.h"
#include "io/loop.h"

/* Borrowed until child_start returns. */
struct child_opts {
	char *const *argv; /* argv[0] is looked for in PATH; ends with NULL */
	char *const *envp; /* ends with NULL */
	uint64_t deadline_us;
	size_t max_output_bytes;
};

/* X(end, what happened, for people) */
#define CHILD_TABLE(X)                                                                                       \
	X(CHILD_EXITED, "exited")                                                                            \
	X(CHILD_KILLED, "was ended by a signal")                                                             \
	X(CHILD_TIMEOUT, "did not end in time")                                                              \
	X(CHILD_TOO_MUCH, "printed too much")                                                                \
	X(CHILD_NOT_STARTED, "could not be started")

enum child_end {
#define X(end, what) end,
	CHILD_TABLE(X)
#undef X
};

/* Borrowed: valid during the callback; wiped after it. */
struct child_result {
	enum child_end end;
	int status; /* CHILD_EXITED: its exit status; CHILD_KILLED: the signal; CHILD_NOT_STARTED: errno */
	struct slice output; /* CHILD_EXITED: all it printed */
};

/* Comes once, never inside start, never after cancel. */
typedef void (*child_cb)(void *arg, const struct child_result *r);

/* The child has descriptors 0 to 2 and none else, the default signals, and a process group of its own, which
 * is killed when it has to end. */
struct child;
struct child *child_start(struct loop *l, const struct child_opts *o, child_cb cb, void *arg);

/* Kills it and waits until the kernel says that it is gone, which is at once. NULL is fine. */
void child_cancel(struct child *c);

const char *child_end_text(enum child_end end); /* "did not end in time" */

#endif
