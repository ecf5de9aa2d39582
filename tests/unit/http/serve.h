/* A blocking HTTP server of one thread that does to each connection what the test tells it: what a client
 * meets out there. */
#ifndef PGIAM_TESTS_UNIT_HTTP_SERVE_H
#define PGIAM_TESTS_UNIT_HTTP_SERVE_H

#include <pthread.h>
#include "../io/kit.h"

struct serve {
	/* set before serve_start */
	const char *reply;    /* sent as it is; NULL: nothing, the connection stays open */
	size_t filler;        /* that many 'x' behind it */
	bool drop;            /* closes without a word */
	SSL_CTX *tls;         /* NULL: plain */
	unsigned connections; /* to take, then the thread ends; 0: one */
	/* for the test */
	struct addr addr;
	char url[128];
	char request[65536]; /* the last one, after serve_stop */
	/* own */
	int fd, quit[2];
	pthread_t thread;
};

void serve_start(struct serve *s, const char *path);
void serve_stop(struct serve *s); /* whatever it is at */

#endif
