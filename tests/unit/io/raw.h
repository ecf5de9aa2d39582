/* The two ends of TLS tests: a stream of ours, and a peer under the test's control. */
#ifndef PGIAM_TESTS_UNIT_IO_RAW_H
#define PGIAM_TESTS_UNIT_IO_RAW_H

#include "io/stream.h"
#include "kit.h"

/* A stream that shakes hands first and then counts what it is told, or reads by itself. */
struct side {
	struct stream *s;
	int done; /* of the handshake */
	unsigned readable, writable;
	struct err err;
};

void raw_side_start(struct side *x, struct loop *l, int fd);

/* Plain OpenSSL, its bytes handed over by hand. */
struct raw {
	SSL_CTX *ctx;
	SSL *ssl;
	BIO *in, *out; /* owned by ssl */
	int fd;
};

void raw_start(struct raw *w, const struct kit_tls *t, int fd, bool server);
void raw_free(struct raw *w);

/* Takes in what the socket has. */
void raw_pull(struct raw *w);

/* Sends at most n bytes of what waits; returns how many. */
size_t raw_push(struct raw *w, size_t n);

/* Finishes the handshake of both; whatever a raw server writes at its end (tickets of TLS 1.3) stays in
 * w->out. */
void raw_shake(struct raw *w, struct side *x, struct loop *l);
void raw_write(struct raw *w, const void *p, size_t n);

/* A raw server w and a client stream x, both before the handshake. */
void raw_server(struct raw *w, struct side *x, struct kit_tls *t, struct loop *l);

/* A raw client w and a server stream x, both before the handshake. */
void raw_client(struct raw *w, struct side *x, struct kit_tls *t, struct loop *l);

/* Two streams of ours over TCP and their handshake, until both have ended it or one has failed (->done). The client wants that
 * name. Both stay open until raw_part. */
void raw_meet(struct side *server, struct side *client, struct loop *l, struct tls_ctx *server_ctx,
	      struct tls_ctx *client_ctx, const char *name);
void raw_part(struct side *server, struct side *client);

/* What a group of tests begins with. */
struct raw_world {
	struct kit_tls tls; /* a CA, and db.example.com, which everybody trusts */
	struct loop *l;
	/* room for the ends of one connection: a stream of ours with a raw peer, or two of ours */
	struct raw w;
	struct side x, server, client;
};

/* cmocka's: *state is the world. */
int raw_world_setup(void **state);
int raw_world_teardown(void **state);

#endif
