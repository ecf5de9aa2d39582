/* Inside of the resolver, for resolver*.c only. */
#ifndef PGIAM_IO_RESOLVER_PRIVATE_H
#define PGIAM_IO_RESOLVER_PRIVATE_H

#include "base/map.h"
#include "io/resolver.h"

struct resolver_answer {
	struct addr addr[RESOLVER_MAX_ADDRS];
	size_t count;
};

/* The real lookup: how many addresses were written to out (at most max), or -1 with e set. Blocks. */
int resolver_getaddrinfo(const char *name, struct addr *out, size_t max, struct err *e);

#endif
