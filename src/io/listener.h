/* Listening sockets. Opened once by the control thread; each worker accepts on its own event
 * over the same descriptor. Accepting is level-triggered with a budget a turn, and running out
 * of descriptors pauses it for a moment instead of spinning (pitfall 60), unless the owner can give one up. */
#ifndef PGIAM_IO_LISTENER_H
#define PGIAM_IO_LISTENER_H

#include <sys/types.h>
#include "io/addr.h"
#include "io/loop.h"

struct listen_opts {
	int backlog;
	mode_t unix_mode; /* of a unix socket's file, 0660 by default */
	gid_t unix_gid;   /* its group, if unix_gid_set */
	bool unix_gid_set;
};

/* A non-blocking, close-on-exec listening descriptor, or -1 with e naming address and reason. A unix
 * socket's stale file is removed only if nobody answers on it. IPv6 sockets are IPV6_V6ONLY. */
int listener_open(const struct addr *a, const struct listen_opts *o, struct err *e);

/* After the end of listening, removes the file of a unix socket: not that of a successor who listens there. */
void listener_remove_file(const struct addr *a);

/* A descriptor somebody else opened: checks that it is a listening stream socket (TCP or unix), makes it non-blocking and
 * close-on-exec, and tells its address. -1 with e set; the descriptor stays the caller's either way. */
int listener_adopt(int fd, struct addr *a, struct err *e);

struct listener;

/* No descriptor is left for a connection that waits. True: one was given up, try again; false: pause. */
typedef bool (*starved_cb)(void *arg);

/* fd belongs to the callee: non-blocking, close-on-exec, TCP_NODELAY set. */
typedef void (*accept_cb)(void *arg, int fd, const struct addr *peer, const struct addr *local);

/* Starts accepting on a borrowed listening descriptor. starved may be NULL. */
struct listener *listener_start(struct loop *l, int fd, accept_cb cb, starved_cb starved, void *arg);

/* Stops accepting; the descriptor stays open. NULL is fine. */
void listener_stop(struct listener *ln);

/* Times accept found no descriptor left. */
uint64_t listener_exhausted(const struct listener *ln);

#endif
