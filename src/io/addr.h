/* Socket addresses: parsing what a person writes, printing what a person reads. */
#ifndef PGIAM_IO_ADDR_H
#define PGIAM_IO_ADDR_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>
#include "base/err.h"

struct addr {
	struct sockaddr_storage ss;
	socklen_t len;
};

/* An IPv4 or IPv6 literal (without brackets); -1 if it is a name. */
int addr_parse(struct addr *a, const char *ip, uint16_t port);

/* A unix socket path; -1 with e set if it is too long. A leading '@' means Linux's abstract namespace. */
int addr_unix(struct addr *a, const char *path, struct err *e);

void addr_set_port(struct addr *a, uint16_t port);
uint16_t addr_port(const struct addr *a); /* 0 for unix sockets */
bool addr_is_unix(const struct addr *a);
bool addr_is_loopback(const struct addr *a); /* 127/8, ::1, ::ffff:127/8, unix */

/* "127.0.0.1:5432", "[::1]:5432", "unix:/path". Room for ADDR_TEXT. */
#define ADDR_TEXT 160
const char *addr_text(const struct addr *a, char out[ADDR_TEXT]);

/* Without the port: "127.0.0.1", "::1", "[local]" for unix sockets. */
const char *addr_host_text(const struct addr *a, char out[ADDR_TEXT]);

#endif
