/* One-shot calls only. A failure of libcrypto here is no input's fault (no memory, no entropy, no
 * algorithm), so it ends the process like a failed allocation does. */
#include "base/digest.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>

static void must(int ok, const char *what)
{
	if (!ok) {
		fprintf(stderr, "pgiam: libcrypto failed: %s\n", what);
		abort();
	}
}

/* To libcrypto a NULL pointer means something else than no bytes. */
static const unsigned char *bytes(struct slice s)
{
	return s.n ? s.p : (const unsigned char *)"";
}

void digest_sha256(struct slice in, unsigned char out[DIGEST_SHA256_BYTES])
{
	must(EVP_Digest(bytes(in), in.n, out, NULL, EVP_sha256(), NULL) == 1, "SHA-256");
}

void digest_hmac_sha256(struct slice key, struct slice in, unsigned char out[DIGEST_SHA256_BYTES])
{
	must(key.n <= INT_MAX &&
		     HMAC(EVP_sha256(), bytes(key), (int)key.n, bytes(in), in.n, out, NULL) != NULL,
	     "HMAC-SHA-256");
}

void digest_pbkdf2_sha256(struct slice password, struct slice salt, uint32_t iterations,
			  unsigned char out[DIGEST_SHA256_BYTES])
{
	must(password.n <= INT_MAX && salt.n <= INT_MAX && iterations > 0 && iterations <= INT_MAX &&
		     PKCS5_PBKDF2_HMAC((const char *)bytes(password), (int)password.n, bytes(salt),
				       (int)salt.n, (int)iterations, EVP_sha256(), DIGEST_SHA256_BYTES,
				       out) == 1,
	     "PBKDF2");
}

bool digest_md5(struct slice in, unsigned char out[DIGEST_MD5_BYTES])
{
	return EVP_Digest(bytes(in), in.n, out, NULL, EVP_md5(), NULL) == 1;
}

bool digest_sha1(struct slice in, unsigned char out[DIGEST_SHA1_BYTES])
{
	return EVP_Digest(bytes(in), in.n, out, NULL, EVP_sha1(), NULL) == 1;
}

void digest_random(void *out, size_t n)
{
	must(n <= INT_MAX && RAND_bytes(out, (int)n) == 1, "random bytes");
}
