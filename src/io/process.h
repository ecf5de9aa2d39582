/* What belongs to the process and not to a loop: set up once, before the first thread, and signals. */
#ifndef PGIAM_IO_PROCESS_H
#define PGIAM_IO_PROCESS_H

#include "io/loop.h"

/* On the main thread, before any other thread and any descriptor of ours:
 * - descriptors 0, 1 and 2 are open: a socket that became number 2 would be given log lines;
 * - SIGPIPE, SIGUSR1, SIGUSR2 are ignored; the signals of process_signals_new wait until it is there, in
 * every thread;
 * - libevent's own messages, which it writes to a maybe stalled stderr, go nowhere.
 * Children must undo the signal mask. */
int process_init(struct err *e);

/* SIGTERM, SIGINT, SIGQUIT and SIGHUP as calls on a loop. */
struct process_signals;
struct process_signals *process_signals_new(struct loop *l, void (*cb)(void *arg, int signo), void *arg,
					    struct err *e);
void process_signals_free(struct process_signals *s); /* NULL is fine; the signals stay blocked */

#endif
