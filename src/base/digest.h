/* Digests, by OpenSSL's libcrypto. Failures of libcrypto abort: they mean it is not usable. */
#ifndef PGIAM_BASE_DIGEST_H
#define PGIAM_BASE_DIGEST_H

#include <stdint.h>
#include "base/slice.h"

#define DIGEST_SHA256_BYTES 32

void digest_sha256(struct slice in, unsigned char out[DIGEST_SHA256_BYTES]);
void digest_hmac_sha256(struct slice key, struct slice in, unsigned char out[DIGEST_SHA256_BYTES]);

/* PBKDF2-HMAC-SHA-256 (RFC 8018), the Hi() of RFC 5802. Takes time proportional to iterations:
 * keep it off an event loop (io/offload.h). */
void digest_pbkdf2_sha256(struct slice password, struct slice salt, uint32_t iterations,
                          unsigned char out[DIGEST_SHA256_BYTES]);

/* MD5, for PostgreSQL's old password exchange and nothing else. False where libcrypto has none (FIPS mode); with out
 * untouched. */
#define DIGEST_MD5_BYTES 16
bool digest_md5(struct slice in, unsigned char out[DIGEST_MD5_BYTES]);

/* SHA-1, for names of files that others chose, and nothing else. False where libcrypto has none; with out untouched. */
#define DIGEST_SHA1_BYTES 20
bool digest_sha1(struct slice in, unsigned char out[DIGEST_SHA1_BYTES]);

/* Cryptographically strong random bytes. */
void digest_random(void *out, size_t n);

#endif
