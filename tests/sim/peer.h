/* One end of a socket that a test holds: reads and writes without a loop, as fast or as slowly as the test likes. */
#ifndef PGIAM_TESTS_SIM_PEER_H
#define PGIAM_TESTS_SIM_PEER_H

#include <stdint.h>
#include <openssl/ssl.h>
#include "base/buf.h"

struct peer {
	int fd;            /* -1: closed */
	SSL *ssl;          /* NULL: plain */
	bool handshaking;
	bool deaf;         /* reads nothing */
	bool close_sent;   /* close when out is empty */
	bool eof, broken;  /* the other side closed; reset, or TLS failed */
	size_t step;       /* reads and writes at most so many bytes a turn; 0: no limit */
	struct buf in, out;
	uint64_t got, sent; /* bytes in all */
};

#define PEER_MAX (8u << 20)

void peer_init(struct peer *p, int fd);
void peer_close(struct peer *p);

void peer_say(struct peer *p, const void *bytes, size_t n);

/* As TLS server. */
void peer_tls_accept(struct peer *p, SSL_CTX *ctx);

/* As TLS client, verifying nothing. */
void peer_tls_connect(struct peer *p, SSL_CTX *ctx);

/* Moves what can be moved; did anything move? */
bool peer_pump(struct peer *p);

#endif
