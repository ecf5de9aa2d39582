/* Inside of a stream, for stream.c and stream_tls.c only. */
#ifndef PGIAM_IO_STREAM_PRIVATE_H
#define PGIAM_IO_STREAM_PRIVATE_H

#include <event2/event_struct.h>
#include <openssl/ssl.h>
#include "io/sock.h"
#include "io/stream.h"

struct stream_hs; /* what only a TLS handshake needs: stream_tls.c's */

struct stream {
	struct loop *loop;
	stream_cb cb;
	void *arg;
	struct sock sock;

	unsigned want;  /* the owner's switches: STREAM_READABLE | STREAM_WRITABLE */
	unsigned armed; /* events that are in the event base */
	/* Which readiness of the socket makes reading, and writing, worth trying again: the one of its own
	 * name unless TLS said otherwise. */
	unsigned read_on, write_on;
	bool held;   /* OpenSSL may hold bytes, or an end, that no event of the socket will announce */
	bool kicked; /* the owner asked for a callback */
	bool later;  /* `soon` is set */

	struct event ev_read;
	struct event *ev_write; /* owned; NULL until a write first had to wait: most never do */
	struct defer soon;

	SSL *ssl; /* NULL: plain */
	struct tls_ctx *ctx;
	struct stream_hs *hs; /* NULL unless shaking hands */
	size_t owed;          /* bytes that TLS has taken and the socket not all of: the owner is told when it has */
	bool mute;            /* only writing has failed: what was received can still be read */
	char *error;          /* owned; set once, then the stream is broken */
};

/* Brings events and the put-off callback in line with the fields above. */
void stream_update(struct stream *s);

/* Breaks the stream: notes the errno of its socket, or why if not NULL. Returns STREAM_FAIL. */
ssize_t stream_broken(struct stream *s, const char *why);

/* The TLS halves of the functions of the same name. */
ssize_t stream_tls_read(struct stream *s, void *p, size_t n);
ssize_t stream_tls_write(struct stream *s, const void *p, size_t n);
bool stream_tls_peek(struct stream *s);
void stream_tls_close(struct stream *s, bool notify);

#endif
