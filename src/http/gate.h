/* The door in front of evhttp, for what evhttp 2.1 leaves out: how many connections there may be, how long
 * one may last in all, and what to do when the process is out of descriptors.
 *
 * When it is full, the oldest connection is closed to make room: whoever holds connections open without
 * asking anything cannot keep the probes out. */
#ifndef PGIAM_HTTP_GATE_H
#define PGIAM_HTTP_GATE_H

#include "io/loop.h"

struct evhttp;
struct gate;

struct gate_opts {
	unsigned max_connections;
	uint64_t lifetime_us; /* of a connection, from accept to the last byte */
};

/* http is borrowed; free it before the gate. */
struct gate *gate_new(struct loop *l, struct evhttp *http, const struct gate_opts *o);
void gate_free(struct gate *g);

/* Accepts on a borrowed listening descriptor. */
int gate_listen(struct gate *g, int fd, struct err *e);

/* Stops accepting; call before evhttp_free. */
void gate_close(struct gate *g);

#endif
