/* The socket below a stream: recv and send that remember what they learnt, so that no system call is
 * made whose answer is known to be EAGAIN. Plain streams call it directly, TLS through a BIO of its
 * own; OpenSSL's socket BIO writes without MSG_NOSIGNAL and cannot be told that the socket is empty.
 *
 * The BIO takes whole records: what the socket did not take it keeps. Were a record left with OpenSSL, it would have to
 * go out before OpenSSL can do anything else, and 3.0 breaks the connection ("bad length") when a peer that reads slowly
 * asks for new keys (RFC 8446, section 4.6.3) just then. */
#ifndef PGIAM_IO_SOCK_H
#define PGIAM_IO_SOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>
#include <openssl/bio.h>

#define SOCK_AGAIN (-1)
#define SOCK_FAIL  (-2)

/* One record of OpenSSL's with all that goes with it, and some short ones behind: answers to KeyUpdate. */
#define SOCK_KEPT_BYTES 18432

struct sock_kept;

struct sock {
	int fd;
	int error;      /* errno of the last SOCK_FAIL */
	unsigned reads; /* recv calls the BIO may still make before it says "again": bounds what one TLS call
			   does for a peer that sends records without data as fast as it can */
	bool drained;   /* a recv came back short: nothing more until the socket is readable again */
	bool clogged;   /* a send came back short: nothing goes until it is writable again */
	bool eof;       /* the peer closed its side */
	struct sock_kept *kept; /* owned: what the BIO took and the socket did not; NULL if nothing */
};

/* > 0 bytes; 0: end of file; SOCK_AGAIN, at once if drained; SOCK_FAIL. n > 0. */
ssize_t sock_recv(struct sock *s, void *p, size_t n);

/* > 0 bytes; SOCK_AGAIN, at once if clogged; SOCK_FAIL. Never raises SIGPIPE. */
ssize_t sock_send(struct sock *s, const void *p, size_t n);

/* Sends what the BIO kept. 0: nothing is left of it; SOCK_AGAIN, at once if clogged; SOCK_FAIL. */
ssize_t sock_flush(struct sock *s);

/* Drops what the BIO kept. Does not close fd. */
void sock_forget(struct sock *s);

/* A BIO's methods over a struct sock (BIO_set_data, borrowed). NULL if OpenSSL fails. */
BIO_METHOD *sock_bio_method_new(void);

#endif
