/* Addresses to listen on, as listen_addr, listen, http_listen and unix_socket_dir write them. */
#ifndef PGIAM_APP_CONF_LISTEN_H
#define PGIAM_APP_CONF_LISTEN_H

#include "app/conf.h"

struct conf_listen_list {
	struct conf_listen *v; /* owned */
	size_t n;
};

/* Adds the addresses of listen_addr, which all get this port: IPv4, IPv6, localhost, *. */
int conf_listen_add_hosts(struct conf_listen_list *l, const char *text, uint16_t port, struct err *e);

/* Adds addresses that carry ports: 127.0.0.1:5432, [::1]:5432, localhost:5432, *:5432, or 5432 for loopback.
 */
int conf_listen_add_pairs(struct conf_listen_list *l, const char *text, struct err *e);

/* Adds the unix socket of a directory, or of an abstract name. */
int conf_listen_add_unix(struct conf_listen_list *l, const char *dir, uint16_t port, struct err *e);

void conf_listen_free(struct conf_listen *v, size_t n);

#endif
