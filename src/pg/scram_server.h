/* SCRAM-SHA-256 and -PLUS, the server's side: the checks, their order and the errors are those of PostgreSQL's
 * backend (libpq/auth-scram.c; RFC 5802, RFC 7677, RFC 5929). Pure: randomness, the secret and PBKDF2's result come
 * from outside. The client is hostile; nothing here depends on whether its user exists.
 *
 * Stricter than PostgreSQL in two things no client does: an empty nonce, and an attribute of the RFC's own sent again
 * among the extensions, are malformed (pitfall 76). */
#ifndef PGIAM_PG_SCRAM_SERVER_H
#define PGIAM_PG_SCRAM_SERVER_H

#include "pg/scram_secret.h"

#define SCRAM_MAX_CLIENT_MESSAGE 1024 /* PostgreSQL's PG_MAX_SASL_MESSAGE_LENGTH */

struct scram_server_opts {
	const unsigned char *nonce; /* SCRAM_NONCE_BYTES random bytes */
	bool plus;                  /* the client selected SCRAM-SHA-256-PLUS */
	bool plus_offered;
	struct slice binding_data;  /* of tls-server-end-point, copied; 1..64 bytes if plus_offered */
};

struct scram_server;
struct scram_server *scram_server_new(const struct scram_server_opts *o);
void scram_server_free(struct scram_server *s); /* wipes; NULL is fine */

/* Reads the client-first-message and adds the server-first-message to out. 0, or -1 with e as PostgreSQL says it:
 * ERR_CLIENT_PROTOCOL, ERR_CLIENT_UNSUPPORTED, ERR_CLIENT_USER. Each of these is called once, in this order. */
int scram_server_first(struct scram_server *s, struct slice msg, struct slice salt, uint32_t iterations, struct buf *out,
		       struct err *e);

/* Reads the client-final-message and checks all of it but the proof. */
int scram_server_final(struct scram_server *s, struct slice msg, struct err *e);

/* Is the proof one of these keys' password? Adds the server-final-message to out in any case: it is to be sent only if
 * the answer is yes, and the work is the same either way. */
bool scram_server_verify(struct scram_server *s, const struct scram_keys *keys, struct buf *out);

#endif
