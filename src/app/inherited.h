/* Listening sockets a service manager opened and passed on: the protocol of sd_listen_fds(3), by hand. */
#ifndef PGIAM_APP_INHERITED_H
#define PGIAM_APP_INHERITED_H

#include "app/sockets.h"

struct inherited_fd {
	int fd;
	char *name; /* of LISTEN_FDNAMES; "" if there is none */
	bool open;  /* was it, when the process began? */
};

struct inherited {
	struct inherited_fd *v; /* owned */
	size_t n;
	char *not_ours;  /* LISTEN_PID, if it names another process; NULL otherwise */
	char *malformed; /* LISTEN_FDS, if it is no number; NULL otherwise */
};

/* Takes LISTEN_PID, LISTEN_FDS, LISTEN_FDNAMES and LISTEN_PIDFDID out of the environment, so that no child believes them,
 * and makes the descriptors close-on-exec. First of all: before anything is opened, and while there is one thread. */
void inherited_take(struct inherited *in, char **env);
void inherited_free(struct inherited *in);

/* Checks them and sorts them: those named "http" become http's sockets, all others clients'. A kind without any is left
 * empty. -1 with e set (ERR_CONFIG): something is no listening stream socket, or one that rule 7 forbids. The descriptors
 * belong to the sockets then. */
int inherited_sort(struct inherited *in, const struct conf *c, struct sockets *clients, struct sockets *http, struct err *e);

#endif
