/* What a client is told, looked at as it comes: the order PostgreSQL's own start-up has, each thing once, nothing behind a
 * FATAL, and nothing of the server's before the client is in. */
#ifndef PGIAM_TESTS_FUZZ_TOLD_H
#define PGIAM_TESTS_FUZZ_TOLD_H

#include "talk.h"

#define TOLD_MARK "Upstre4m" /* in everything the servers of these targets say */

struct told {
	struct talk *t;
	bool remote;       /* not to be trusted with the server's words before it is in */
	bool tls;          /* was answered S, or spoke TLS at once */
	unsigned yes, no;  /* answers to SSLRequest and GSSENCRequest */
	unsigned requests; /* for a password or a step of SASL */
	bool negotiated, in, key, ready, fatal;
	unsigned char auth[600]; /* the body of the last authentication request */
	size_t auth_n;
	uint32_t key_bytes;
	unsigned char key_data[4 + 256]; /* pid and secret */
	uint64_t rest;     /* of a message that is only counted */
};

/* Takes what t has got. */
void told_look(struct told *d);

/* Is it over for this client: closed by the proxy or by itself, or logged in? Or can it understand no more? */
bool told_settled(const struct told *d);

#endif
