/* A proof that the one who asks holds a key: DPoP, RFC 9449, signed by ES256 (RFC 7518). Pure, but for the proof's
 * number, which is random. */
#ifndef PGIAM_AWS_DPOP_H
#define PGIAM_AWS_DPOP_H

#include <stdint.h>
#include "base/buf.h"
#include "base/err.h"

/* Adds to out the JWT for a POST of this URL (without query) at that time. key_pem: a private key on the curve P-256, as
 * OpenSSL writes it ("EC PRIVATE KEY" or "PRIVATE KEY"), not encrypted. -1 with ERR_CREDENTIALS, which quotes nothing of
 * it. */
int dpop_proof(struct slice key_pem, const char *url, int64_t wall_us, struct buf *out, struct err *e);

#endif
