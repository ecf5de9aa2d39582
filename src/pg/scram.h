/* SCRAM-SHA-256 and -PLUS, the client's side (RFC 5802, RFC 7677, RFC 5929; PostgreSQL: SASL Authentication).
 * Pure: randomness and the PBKDF2 result come from outside, so that the loop never waits for it.
 * The server is hostile: attributes must be there once, in order and not empty; lengths are capped;
 * iterations at most SCRAM_MAX_ITERATIONS. */
#ifndef PGIAM_PG_SCRAM_H
#define PGIAM_PG_SCRAM_H

#include <stdint.h>
#include "base/buf.h"
#include "base/err.h"

#define SCRAM_SHA_256        "SCRAM-SHA-256"
#define SCRAM_SHA_256_PLUS   "SCRAM-SHA-256-PLUS"
#define SCRAM_MAX_ITERATIONS 1000000u
#define SCRAM_NONCE_BYTES    18 /* raw; 24 characters of base64 */
#define SCRAM_MAX_SALT       1024
#define SCRAM_MAX_MESSAGE    4096
#define SCRAM_KEY_BYTES      32

enum scram_binding {
	SCRAM_BIND_NONE,      /* "n": no TLS, or nothing in it to bind to */
	SCRAM_BIND_UNUSED,    /* "y": TLS, but the server offers no -PLUS */
	SCRAM_BIND_END_POINT, /* "p=tls-server-end-point" */
};

struct scram_client;

/* nonce: SCRAM_NONCE_BYTES random bytes. binding_data: of SCRAM_BIND_END_POINT, copied. */
struct scram_client *scram_client_new(const unsigned char *nonce, enum scram_binding binding,
				      struct slice binding_data);
void scram_client_free(struct scram_client *c); /* wipes */

/* The client-first-message. The builders return -1 if out is full; calling one out of turn is a bug. */
int scram_client_first(struct scram_client *c, struct buf *out);

/* Reads the server-first-message; -1 also if it comes out of turn. Then what PBKDF2 needs can be asked for
 * (borrowed). */
int scram_client_server_first(struct scram_client *c, struct slice msg, struct err *e);
struct slice scram_client_salt(const struct scram_client *c);
uint32_t scram_client_iterations(const struct scram_client *c);

/* The client-final-message, from the SaltedPassword that PBKDF2 made. */
int scram_client_final(struct scram_client *c, const unsigned char salted[SCRAM_KEY_BYTES], struct buf *out);

/* Checks the server-final-message: its signature proves that it knows the password too. The login is good
 * only if this returned 0, whatever else the server says. */
int scram_client_verify(struct scram_client *c, struct slice msg, struct err *e);

/* ClientProof and ServerSignature over an AuthMessage (RFC 5802 section 3). */
void scram_sign(const unsigned char salted[SCRAM_KEY_BYTES], struct slice auth_message,
		unsigned char proof[SCRAM_KEY_BYTES], unsigned char signature[SCRAM_KEY_BYTES]);

/* Appends the password as SCRAM wants it: SASLprep (pg/saslprep.h), or the raw bytes where that does not
 * apply (not UTF-8, prohibited characters), which is what PostgreSQL's server and libpq do. -1 if it is empty
 * or out is full. out is a secret buf. */
int scram_prepare_password(struct slice password, struct buf *out, struct err *e);

#endif
