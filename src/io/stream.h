/* A byte stream over a socket, plain or TLS. Non-blocking: reads and writes do what they can, and
 * the owner is told when trying again makes sense. Reading and writing are independent: TLS may need
 * to write for a read and to read for a write, and the stream keeps that to itself (pitfall 55).
 *
 * Level-triggered readiness with two switches (want_read, want_write). Records that wait inside
 * OpenSSL are announced like bytes in the socket. No SIGPIPE is ever raised. One event costs one recv: after
 * a short read, or a short write, the call that follows says STREAM_AGAIN without asking the kernel. */
#ifndef PGIAM_IO_STREAM_H
#define PGIAM_IO_STREAM_H

#include <sys/types.h>
#include "io/loop.h"
#include "io/tls.h"

#define STREAM_READABLE 1u
#define STREAM_WRITABLE 2u

/* what: STREAM_READABLE | STREAM_WRITABLE. The owner may close the stream inside. */
typedef void (*stream_cb)(void *arg, unsigned what);

struct stream;

/* Takes fd (non-blocking). Starts with both switches off. Never NULL. */
struct stream *stream_new(struct loop *l, int fd, stream_cb cb, void *arg);

/* Hands the stream to another owner: same descriptor, TLS state and all; both switches turn off. */
void stream_set_owner(struct stream *s, stream_cb cb, void *arg);

/* Idempotent through NULL; sends close_notify if it can be done at once, closes the descriptor; memory goes
 * after the turn. No callback after it. */
void stream_close(struct stream *s);

/* For who closes next and has said something before: takes out of the socket what the peer has said and nobody will read.
 * Closing with that in it would send a reset, and everything that is still on its way to the peer would be gone. At most
 * STREAM_DRAIN_BYTES. Nothing can be read afterwards. */
#define STREAM_DRAIN_BYTES (6u << 20) /* what Linux lets a socket hold (tcp_rmem) */
void stream_drain(struct stream *s);

#define STREAM_AGAIN (-1)
#define STREAM_FAIL  (-2)

/* n > 0. > 0 bytes; 0: the peer closed its side (for TLS also without close_notify); STREAM_AGAIN: nothing now, the
 * callback comes if want_read is on; STREAM_FAIL: broken, for writing as well, stream_error() says how. TLS
 * fills up to n from as many records as are there. */
ssize_t stream_read(struct stream *s, void *p, size_t n);

/* n > 0. > 0 bytes taken (maybe fewer than n); STREAM_AGAIN: the callback comes if want_write is on; STREAM_FAIL: no
 * more can be written, but what the peer said before it went can still be read. TLS
 * writes go out in records of at most 16 KB. The bytes not taken must come first, and not be fewer, in the
 * next call: TLS may have encrypted some of them already (the pointer may differ). */
ssize_t stream_write(struct stream *s, const void *p, size_t n);

void stream_want_read(struct stream *s, bool on);
void stream_want_write(struct stream *s, bool on);

/* Calls back with STREAM_READABLE next turn although nothing arrived, want_read or not: to go on after a
 * fairness budget. */
void stream_kick(struct stream *s);

/* Has bytes or an end of file waiting, without taking them? For a connection that should be silent: true means
 * dead or talking (pitfall 44). Session tickets and key updates of TLS are dealt with and do not count. */
bool stream_peek(struct stream *s);

/* The reason of the last STREAM_FAIL, "connection reset by peer"; borrowed. */
const char *stream_error(const struct stream *s);

int stream_fd(const struct stream *s);
bool stream_is_tls(const struct stream *s);

/* "TLSv1.3"; NULL if plain. */
const char *stream_tls_version(const struct stream *s);

/* Was the server's chain and name verified in this handshake (TLS_VERIFY_FULL)? Never for a client. */
bool stream_is_verified(const struct stream *s);

/* The common name in the certificate the peer showed, in UTF-8, NUL-terminated; its chain was verified in this very
 * handshake (there is no resumption). False, and out empty: it showed none, nobody verified it, or its subject has no
 * CN, more than one, an empty one, one of n bytes or more or with a NUL in it (CVE-2009-4034). n > 0. */
bool stream_tls_peer_cn(const struct stream *s, char *out, size_t n);

/* ---- TLS handshake ----
 * The stream must be plain, with no bytes read beyond the answer to SSLRequest. Then call stream_tls_step from
 * the callback until it is done; it sets the switches itself.
 * name: SNI (if it is a name) and the name to verify; NULL on the server side. */
void stream_tls_client(struct stream *s, struct tls_ctx *c, const char *name);
void stream_tls_server(struct stream *s, struct tls_ctx *c);

/* What a client says at first may be a password, and OpenSSL wipes its copy of it; what comes from now on is data, of which
 * it does not. Nothing on plain streams. */
void stream_tls_login_over(struct stream *s);

/* 1 done (both switches off), 0 wait for the callback, -1 failed with e set: ERR_TLS_VERIFY says which certificate
 * (subject, issuer, dates), which name, which CA file; otherwise ERR_TLS. */
int stream_tls_step(struct stream *s, struct err *e);

/* tls-server-end-point channel binding data (RFC 5929): the peer's certificate's hash on the client side, our
 * own on the server side. Bytes written to out (max 64), 0 if there is none. */
size_t stream_tls_server_end_point(struct stream *s, unsigned char out[64]);

/* ALPN protocol agreed on, or an empty slice. */
struct slice stream_tls_alpn(struct stream *s);

#endif
