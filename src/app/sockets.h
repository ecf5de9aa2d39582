/* The listening sockets of a list of addresses. */
#ifndef PGIAM_APP_SOCKETS_H
#define PGIAM_APP_SOCKETS_H

#include "app/conf.h"

struct sockets {
	const struct conf_listen *listen; /* borrowed */
	size_t count;
	int *fd; /* -1: left out (optional) or closed */
};

/* Opens all, or none. An optional one this machine cannot have is left out; all left out is an error. An
 * empty list is fine. */
int sockets_open(struct sockets *s, const struct conf_listen *listen, size_t count,
		 const struct listen_opts *o, struct err *e);

/* Closes and removes files of unix sockets; idempotent. */
void sockets_close(struct sockets *s);

/* "127.0.0.1:5432 [::1]:5432", for the log: those that are open, cut at the room there is. */
void sockets_text(const struct sockets *s, char *out, size_t size);

#endif
