/* What a server keeps of a password for SCRAM-SHA-256 (RFC 5802 section 3), and PostgreSQL's text of it:
 * SCRAM-SHA-256$<iterations>:<salt>$<StoredKey>:<ServerKey>, the last three in base64. */
#ifndef PGIAM_PG_SCRAM_SECRET_H
#define PGIAM_PG_SCRAM_SECRET_H

#include <stdint.h>
#include "base/err.h"
#include "base/slice.h"
#include "pg/scram.h"

#define SCRAM_SECRET_PREFIX     "SCRAM-SHA-256$"
#define SCRAM_SECRET_SALT_MAX   64
#define SCRAM_SECRET_ITERATIONS 4096u /* PostgreSQL's own, for secrets made here */
#define SCRAM_SECRET_SALT       16    /* the same, in bytes */

/* What proves a password. */
struct scram_keys {
	unsigned char stored[SCRAM_KEY_BYTES], server[SCRAM_KEY_BYTES];
};

/* A secret; whoever holds one wipes it. */
struct scram_secret {
	uint32_t iterations; /* 1..SCRAM_MAX_ITERATIONS */
	size_t salt_bytes;   /* 1..SCRAM_SECRET_SALT_MAX */
	unsigned char salt[SCRAM_SECRET_SALT_MAX];
	struct scram_keys keys;
};

/* 0, or -1 with e (ERR_CONFIG) saying what is wrong, without repeating any of it. */
int scram_secret_parse(struct slice text, struct scram_secret *out, struct err *e);

/* From PBKDF2's result. */
void scram_keys_make(const unsigned char salted[SCRAM_KEY_BYTES], struct scram_keys *out);

/* posit-number of RFC 5802: 0 if it is none or beyond UINT32_MAX. */
uint32_t scram_iterations(struct slice text);

#endif
