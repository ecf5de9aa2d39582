/* Who is at the other end of a local connection: SO_PEERCRED for unix sockets, sock_diag for
 * loopback TCP (sock_diag(7), struct inet_diag_msg's idiag_uid). */
#ifndef PGIAM_IO_PEER_H
#define PGIAM_IO_PEER_H

#include <sys/types.h>
#include "io/addr.h"

/* The uid that owns the peer's socket. peer and local as accept() told them. -1 with e set where it cannot be
 * known (not local, another network namespace, already gone): treat that as a refusal. */
int peer_uid(int fd, const struct addr *peer, const struct addr *local, uid_t *uid, struct err *e);

#endif
