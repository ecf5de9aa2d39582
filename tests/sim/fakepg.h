/* A PostgreSQL server of the simulator: as willing, slow, broken or hostile as the test wants. Listens on a unix socket,
 * on which everything arrives at once and in order. */
#ifndef PGIAM_TESTS_SIM_FAKEPG_H
#define PGIAM_TESTS_SIM_FAKEPG_H

#include "peer.h"
#include "pg/startup.h"

/* The steps of a login, in order: where it may close, fall silent or say an error instead. */
enum fakepg_step {
	FAKEPG_NEVER,
	FAKEPG_ACCEPT,   /* connected, nothing read */
	FAKEPG_SSL,      /* SSLRequest read */
	FAKEPG_STARTUP,  /* startup packet read */
	FAKEPG_PASSWORD, /* password or first SASL message read */
	FAKEPG_SCRAM,    /* second SASL message read */
	FAKEPG_PROVEN,   /* and answered: nothing behind the server's proof */
	FAKEPG_AUTH_OK,  /* AuthenticationOk said, nothing behind it */
	FAKEPG_PARAMS,   /* ParameterStatus said */
	FAKEPG_KEY,      /* BackendKeyData said */
};

struct fakepg_conn {
	struct fakepg *pg;
	unsigned index;       /* in the order of accepting, from 0 */
	struct peer p;
	unsigned packets;     /* read before it was logged in */
	bool started, ready;  /* startup packet read; logged in */
	bool cancel;          /* it is a CancelRequest's */
	struct startup startup;
	char *user;           /* of startup */
	uint32_t pid;
	char tx;
	bool skip;            /* to Sync */
	bool copy, copy_extended;
	bool hang;            /* says nothing any more to queries */
	uint64_t rows;        /* of a result, still to be said */
	size_t row_bytes;
	struct buf log;       /* what it was asked: "Q:SELECT 1;P;B;E;S;" */
	unsigned queries;
	char scram_begin[32];  /* the mechanism that was chosen and the first byte said in it: "SCRAM-SHA-256 n" */
	char scram_nonce[128];
	struct buf scram_auth; /* AuthMessage so far */
};

struct fakepg {
	int fd;
	char *dir;             /* of the socket: the target's host */
	struct fakepg_conn **conns;
	unsigned n, size;
	unsigned cancels;      /* CancelRequests received */
	uint32_t cancel_pid;   /* of the last one */
	struct buf cancel_key;

	/* how it behaves */
	bool accepts;          /* false: connections wait in the backlog */
	SSL_CTX *tls;          /* NULL: answers SSLRequest with N */
	bool direct_tls;       /* begins with the handshake */
	struct slice ssl_answer; /* said to SSLRequest instead of S or N; if n > 0 */
	struct slice sasl_offer; /* the mechanisms, in place of SCRAM-SHA-256 alone; if n > 0 */
	bool scram_liar;       /* says AuthenticationOk without having proven that it knows the password */
	bool scram_wrong;      /* proves it wrongly */
	uint32_t auth;         /* AUTH_OK, AUTH_CLEARTEXT, AUTH_SASL, ... */
	const char *password;  /* the right one; NULL: any */
	enum fakepg_step close_at, silent_at, error_at;
	const char *sqlstate;  /* of error_at, and for a wrong password ("28P01" if NULL) */
	struct slice raw;      /* said at once when the startup packet was read, instead of everything; if n > 0 */
	struct slice negotiate; /* body of the NegotiateProtocolVersion it says first; if n > 0 */
	unsigned key_bytes;    /* of BackendKeyData; 0: none is sent */
	const char *const *params; /* name, value, ..., NULL; instead of the usual ones */
	bool hold_cancel;      /* does not close a CancelRequest's connection by itself */
	bool mute;             /* answers no query by itself */
	size_t die_after;      /* closes a connection when it has said or heard so many bytes; 0: never */
	size_t step;           /* of every connection: struct peer */
	const char *watch;     /* a secret: was it heard? */
	bool heard;
};

void fakepg_init(struct fakepg *pg);
/* Listens on 127.0.0.1 instead, for a target that has a name; the port. */
uint16_t fakepg_tcp(struct fakepg *pg);
void fakepg_free(struct fakepg *pg);
void fakepg_forget(struct fakepg *pg); /* all connections */
bool fakepg_pump(struct fakepg *pg);

/* Is somebody connecting? */
bool fakepg_waits(const struct fakepg *pg);

/* Connections open now, CancelRequests left out. */
unsigned fakepg_open(const struct fakepg *pg);

/* The i-th open one, oldest first, CancelRequests left out; NULL if there are fewer. */
struct fakepg_conn *fakepg_conn(const struct fakepg *pg, unsigned i);

void fakepg_error(struct fakepg_conn *c, const char *severity, const char *sqlstate, const char *text);
void fakepg_close(struct fakepg_conn *c); /* when what it said is sent */
void fakepg_answer(struct fakepg_conn *c, const char *types); /* bodies as short as can be; Z with the present status */
const char *fakepg_log(struct fakepg_conn *c);                /* and forgets it */

/* fakepg_login.c: the bytes before ReadyForQuery. True if it took something. */
bool fakepg_login(struct fakepg_conn *c);

#endif
