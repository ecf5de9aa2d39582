/* OpenSSL signs in DER; JWTs want the two numbers themselves, 32 bytes each. */
#include "aws/dpop.h"

#include <limits.h>
#include <string.h>
#include <openssl/core_names.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include "base/digest.h"
#include "base/enc.h"

#define COORDINATE_BYTES 32
#define DER_MAX          80 /* two integers of 33 bytes, and what stands around them */
#define PART_MAX         2048

/* The key is not encrypted; whoever would ask for a password must not do so on a terminal. */
static int no_password(char *buf, int size, int for_writing, void *arg)
{
	(void)buf;
	(void)size;
	(void)for_writing;
	(void)arg;
	return -1;
}

/* Owned, or NULL: no key on P-256. */
static EVP_PKEY *read_key(struct slice pem)
{
	BIO *bio = pem.n > 0 && pem.n <= INT_MAX ? BIO_new_mem_buf(pem.p, (int)pem.n) : NULL;
	EVP_PKEY *key = bio ? PEM_read_bio_PrivateKey(bio, NULL, no_password, NULL) : NULL;
	char group[32] = "";

	BIO_free(bio);
	if (key && EVP_PKEY_get_group_name(key, group, sizeof(group), NULL) == 1 &&
	    strcmp(group, SN_X9_62_prime256v1) == 0)
		return key;
	EVP_PKEY_free(key);
	return NULL;
}

static int add_number(const BIGNUM *n, unsigned char out[COORDINATE_BYTES])
{
	return BN_bn2binpad(n, out, COORDINATE_BYTES) == COORDINATE_BYTES ? 0 : -1;
}

static int add_coordinate(EVP_PKEY *key, const char *name, struct buf *out)
{
	unsigned char bytes[COORDINATE_BYTES];
	BIGNUM *n = NULL;
	int rc = -1;

	if (EVP_PKEY_get_bn_param(key, name, &n) == 1 && add_number(n, bytes) == 0)
		rc = enc_base64url(out, slice_of(bytes, sizeof(bytes)));
	BN_free(n);
	return rc;
}

static int add_header(EVP_PKEY *key, struct buf *out)
{
	struct buf json;
	int rc;

	buf_init(&json, PART_MAX);
	buf_add_str(&json, "{\"typ\":\"dpop+jwt\",\"alg\":\"ES256\",\"jwk\":{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"");
	rc = add_coordinate(key, OSSL_PKEY_PARAM_EC_PUB_X, &json);
	buf_add_str(&json, "\",\"y\":\"");
	if (rc == 0)
		rc = add_coordinate(key, OSSL_PKEY_PARAM_EC_PUB_Y, &json);
	buf_add_str(&json, "\"}}");
	if (rc == 0)
		rc = json.full ? -1 : enc_base64url(out, buf_slice(&json));
	buf_free(&json);
	return rc;
}

/* As a UUID of version 4 (RFC 9562), which AWS's own tools use. */
static void add_number_of_its_own(struct buf *out)
{
	unsigned char r[16];

	digest_random(r, sizeof(r));
	r[6] = (unsigned char)((r[6] & 0x0F) | 0x40);
	r[8] = (unsigned char)((r[8] & 0x3F) | 0x80);
	for (size_t i = 0; i < sizeof(r); i++)
		buf_printf(out, "%s%02x", i == 4 || i == 6 || i == 8 || i == 10 ? "-" : "", r[i]);
}

static int add_claims(const char *url, int64_t wall_us, struct buf *out)
{
	struct buf json;
	int rc;

	buf_init(&json, PART_MAX);
	buf_add_str(&json, "{\"htm\":\"POST\",\"htu\":\"");
	enc_json(&json, slice_str(url), PART_MAX);
	buf_printf(&json, "\",\"iat\":%lld,\"jti\":\"", (long long)(wall_us / 1000000));
	add_number_of_its_own(&json);
	buf_add_str(&json, "\"}");
	rc = json.full ? -1 : enc_base64url(out, buf_slice(&json));
	buf_free(&json);
	return rc;
}

static int sign_der(EVP_PKEY *key, struct slice text, unsigned char der[DER_MAX], size_t *n)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	int rc = -1;

	*n = DER_MAX;
	if (ctx && EVP_DigestSignInit(ctx, NULL, EVP_sha256(), NULL, key) == 1 &&
	    EVP_DigestSign(ctx, der, n, text.p, text.n) == 1)
		rc = 0;
	EVP_MD_CTX_free(ctx);
	return rc;
}

static int add_signature(EVP_PKEY *key, struct slice text, struct buf *out)
{
	unsigned char der[DER_MAX], raw[2 * COORDINATE_BYTES];
	const unsigned char *at = der;
	ECDSA_SIG *s;
	size_t n;
	int rc = -1;

	if (sign_der(key, text, der, &n) != 0)
		return -1;
	s = d2i_ECDSA_SIG(NULL, &at, (long)n);
	if (s && add_number(ECDSA_SIG_get0_r(s), raw) == 0 &&
	    add_number(ECDSA_SIG_get0_s(s), raw + COORDINATE_BYTES) == 0)
		rc = enc_base64url(out, slice_of(raw, sizeof(raw)));
	ECDSA_SIG_free(s);
	return rc;
}

int dpop_proof(struct slice key_pem, const char *url, int64_t wall_us, struct buf *out, struct err *e)
{
	EVP_PKEY *key = read_key(key_pem);
	struct buf text, signature;
	int rc;

	if (!key)
		return err_set(e, ERR_CREDENTIALS, "the key is no private key on the curve P-256");
	buf_init(&text, 2 * PART_MAX);
	buf_init(&signature, PART_MAX);
	rc = add_header(key, &text);
	buf_add_char(&text, '.');
	if (rc == 0)
		rc = add_claims(url, wall_us, &text);
	if (rc == 0)
		rc = add_signature(key, buf_slice(&text), &signature);
	if (rc == 0 && !text.full)
		rc = buf_printf(out, "%s.%s", buf_cstr(&text), buf_cstr(&signature));
	EVP_PKEY_free(key);
	buf_free(&text);
	buf_free(&signature);
	return rc == 0 ? 0 : err_set(e, ERR_CREDENTIALS, "a proof of the key cannot be made");
}
