/* The simulator's clients. Included by sim.h. */
#ifndef PGIAM_TESTS_SIM_CLIENT_H
#define PGIAM_TESTS_SIM_CLIENT_H

#include "peer.h"
#include "pg/params.h"
#include "pg/startup.h"

struct sim;

struct sim_client {
	struct sim *sim;
	struct peer p;
	uint32_t remain;       /* of a message whose body is skipped */
	bool expect_raw;       /* nothing of what comes is looked at */
	bool expect_byte;      /* the answer to SSLRequest comes next */
	char byte;
	char said[512];        /* types of the messages that came; runs of D, d and S shortened to one */
	size_t said_n;
	uint64_t rows, messages;
	char sqlstate[6], text[256], severity[16]; /* of the last error */
	char detail[256], hint[256];
	char tx;               /* of the last ReadyForQuery */
	unsigned char auth[2048]; /* body of the last authentication request */
	size_t auth_n;
	uint32_t pid;
	unsigned char key[STARTUP_CANCEL_KEY_MAX];
	size_t key_bytes;
	struct buf kept; /* body of NegotiateProtocolVersion, or what came raw */
	struct params params;  /* ParameterStatus */
};

/* A connected client that has said nothing. */
struct sim_client *sim_connect(struct sim *s);

/* The same, from 192.0.2.1: not trusted with the server's texts. */
struct sim_client *sim_connect_remote(struct sim *s);

/* The same; it takes nothing, not a byte. */
struct sim_client *sim_connect_deaf(struct sim *s);

/* The same over TCP, with buffers as small as can be: what is on the way there is lost when pgiam closes with bytes unread. */
struct sim_client *sim_connect_tcp(struct sim *s);

/* Connected, and has sent its startup packet. more: further parameters, "name", "value", ..., NULL; or NULL. */
struct sim_client *sim_login(struct sim *s, const char *user, const char *const *more);

/* The same with another protocol version and _pq_. options, "name", "value", ..., NULL; or NULL. */
struct sim_client *sim_login_version(struct sim *s, uint32_t version, const char *const *pq);

/* The same, and has been welcomed. */
struct sim_client *sim_client(struct sim *s);
struct sim_client *sim_client_as(struct sim *s, const char *user);

/* The same, with a query that has no answer until sim_answer. */
struct sim_client *sim_hanging(struct sim *s);

void sim_send(struct sim_client *c, const void *bytes, size_t n);
void sim_query(struct sim_client *c, const char *sql);

#define SIM_SSL_REQUEST "\0\0\0\10\4\322\26\57"
#define SIM_GSS_REQUEST "\0\0\0\10\4\322\26\60"

/* One of these two; the byte that answers it, 0 if none does. */
char sim_request(struct sim_client *c, const char *packet);

/* Messages with the shortest bodies: "PBDES", "Hc", ... */
void sim_say(struct sim_client *c, const char *types);

/* It says goodbye, and what comes of that has come. */
void sim_leave(struct sim_client *c);

/* CancelRequest with the key of somebody, on a connection of its own. */
struct sim_client *sim_cancel(struct sim *s, const struct sim_client *of);

/* Gone without a word. */
void sim_vanish(struct sim_client *c);

/* Settles; then these messages must have come since the last call, no more and no less. */
void sim_expect(struct sim_client *c, const char *types);

/* Settles; it must have been told this FATAL error last and then closed. */
void sim_expect_fatal(struct sim_client *c, const char *sqlstate, const char *text);

/* For sim.c: reads and writes what can be. */
bool sim_client_pump(struct sim_client *c);

/* Is it closed by the proxy? */
bool sim_closed(const struct sim_client *c);

/* sql must be answered by "CZ". */
void sim_works(struct sim_client *c);

#endif
