/* Listening sockets. Opened once by the control thread; each worker accepts on its own event
 * over the same descriptor. Accepting is level-triggered with a budget a turn, and running out
 * of descriptors pauses it for a moment instead of spinning (pitfall 60). */
#ifndef PGIAM_IO_LISTENER_H
#define PGIAM_IO_LISTENER_H

#include <sys/types.h>
#include "io/addr.h"
#include "io/loop.h"

struct listen_opts {
	int backlog;
	mode_t unix_mode; /* of a unix socket's file, 0660 by default */
};

/* A non-blocking, close-on-exec listening descriptor, or -1 with e naming address and reason. A unix
 * socket's stale file is removed only if nobody answers on it. IPv6 sockets are IPV6_V6ONLY. */
int listener_open(const struct addr *a, const struct listen_opts *o, struct err *e);

/* Closes and, for unix sockets, removes the file. */
void listener_close_fd(int fd, const struct addr *a);

struct listener;

/* fd belongs to the callee: non-blocking, close-on-exec, TCP_NODELAY set. */
typedef void (*accept_cb)(void *arg, int fd, const struct addr *peer, const struct addr *local);

/* Starts accepting on a borrowed listening descriptor. */
struct listener *listener_start(struct loop *l, int fd, accept_cb cb, void *arg);

/* Stops accepting; the descriptor stays open. NULL is fine. */
void listener_stop(struct listener *ln);

/* Times accept found no descriptor left. */
uint64_t listener_exhausted(const struct listener *ln);

#endif
