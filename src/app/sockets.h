/* The listening sockets of one purpose: opened from a list of addresses, or passed on by a service manager. */
#ifndef PGIAM_APP_SOCKETS_H
#define PGIAM_APP_SOCKETS_H

#include "app/conf.h"

struct sockets {
	size_t count;
	int *fd;                    /* count of them */
	struct sockets_entry *more; /* sockets.c's, in the same order */
};

/* Opens all, or none. An optional one this machine cannot have is left out; all left out is an error. An
 * empty list is fine. A unix socket's lock file (io/socket_lock.h) is taken first. */
int sockets_open(struct sockets *s, const struct conf_listen *listen, size_t count,
		 const struct listen_opts *o, struct err *e);

/* Adds one that was passed on, with its address: takes the descriptor. s is all zero at first. */
void sockets_add(struct sockets *s, int fd, const struct addr *a);

/* Closes and removes files of unix sockets, but for those that were passed on: they stay their maker's. Idempotent. */
void sockets_close(struct sockets *s);

/* Has who connects refused at once, while threads still hold the descriptors; not on those that were passed on. */
void sockets_refuse(struct sockets *s);

/* For a process that exits while threads still use them: sockets_refuse, and files are removed as by sockets_close. */
void sockets_abandon(struct sockets *s);

/* "127.0.0.1:5432 [::1]:5432", for the log: cut at the room there is. */
void sockets_text(const struct sockets *s, char *out, size_t size);

#endif
