/* One end of a connection to a whole simulated proxy (tests/sim), in the fuzzer's hands down to the bytes of a TLS record:
 * a real OpenSSL works in memory, and what it makes can be held, cut, doubled, swapped and changed on its way. With it
 * what every input has in common: random numbers that are the same every time, and the search for what is left behind. */
#ifndef PGIAM_TESTS_FUZZ_TALK_H
#define PGIAM_TESTS_FUZZ_TALK_H

#include "../sim/sim.h"
#include <openssl/ssl.h>

#define TALK_GOT_MAX (1u << 20) /* more than that from a proxy that is not logged in is a finding itself */

struct talk {
	int fd;            /* -1: closed */
	SSL *ssl;          /* NULL: plain */
	BIO *in, *from;    /* owned by ssl: what it is to read, what it has written */
	bool begun, up, broken; /* the handshake; it is over; TLS has failed */
	bool held;         /* nothing is sent but what is let go */
	bool deaf, eof;    /* reads nothing; the proxy closed */
	size_t record;     /* bytes of ours in a TLS record at most; 0: as many as go in */
	size_t segment;    /* bytes sent at a time, each read by the proxy by itself; 0: all */
	struct buf out;    /* to be sent */
	struct buf got;    /* came from the socket and is not taken yet */
	struct buf inside; /* came inside TLS and is not taken yet */
};

/* Aborts: a finding. */
void talk_must(bool ok);

void talk_open(struct talk *t, int fd); /* takes fd */
void talk_close(struct talk *t);        /* idempotent */

/* Inside TLS if there is TLS, and otherwise as it is. */
void talk_say(struct talk *t, const void *p, size_t n);
void talk_say_raw(struct talk *t, const void *p, size_t n);

/* From now on got is TLS. Idempotent. */
void talk_tls(struct talk *t, SSL_CTX *ctx, bool server);

/* Does something to the records that wait in out: how[0] says what, the rest is needed for it. */
void talk_records(struct talk *t, struct slice how);

/* TLS 1.3: a key update; before: a renegotiation, which is to be refused. */
void talk_rekey(struct talk *t);

/* Says that it says no more, to TLS; and to the socket. */
void talk_notify(struct talk *t);
void talk_end(struct talk *t);

/* Moves what can be moved, and says whether anything did. */
bool talk_pump(struct talk *t);

/* got, as TLS if there is TLS. */
void talk_feed(struct talk *t);

/* ---- the world ---- */

typedef bool (*talk_cb)(void *arg);

/* As sim_settle and sim_pass; pump moves what the target has. */
void talk_settle(struct sim *s, talk_cb pump, void *arg);
void talk_pass(struct sim *s, uint64_t us, talk_cb pump, void *arg);

/* Nothing is ready or put off: a loop that waits would wait. */
void talk_quiet(struct sim *s, talk_cb pump, void *arg);

/* Every deadline is over: no client is kept that is not in. */
void talk_nobody_waits(struct sim *s);

struct talk_left {
	unsigned fds;
	size_t timers;
};

/* A simulator in whose loop talk_quiet can look, and whose sockets' files go with the process. */
struct sim *talk_sim(void);

/* An input begins: the same random numbers as always, an empty log, no burst remembered. */
struct talk_left talk_begin(struct sim *s);

/* When the proxy is stopped (sim_end) and the target has closed what it had: nothing may be left that was not there at the
 * beginning. */
void talk_over(struct sim *s, const struct talk_left *before);

/* Bytes allocated now; 0 where no sanitizer counts them. */
size_t talk_memory(void);

bool talk_has(struct slice s, const char *what);

#endif
