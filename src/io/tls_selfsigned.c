/* For applications that insist on sslmode=require: encryption without an identity, as libpq's `require`
 * means it. The key never leaves memory and is a new one in every process. */
#include "io/tls_private.h"

#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/x509v3.h>

#define TLS_SELFSIGNED_DAYS 365

static int tls_add_extension(X509 *x, int nid, const char *value)
{
	X509V3_CTX ctx;
	X509_EXTENSION *ext;
	int ok;

	X509V3_set_ctx_nodb(&ctx);
	X509V3_set_ctx(&ctx, x, x, NULL, NULL, 0);
	ext = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
	ok = ext && X509_add_ext(x, ext, -1);
	X509_EXTENSION_free(ext);
	return ok;
}

static int tls_random_serial(X509 *x)
{
	BIGNUM *n = BN_new();
	int ok = n && BN_rand(n, 127, BN_RAND_TOP_ONE, BN_RAND_BOTTOM_ANY) &&
		 BN_to_ASN1_INTEGER(n, X509_get_serialNumber(x));

	BN_free(n);
	return ok;
}

static int tls_fill_certificate(X509 *x, EVP_PKEY *key, const char *cn)
{
	X509_NAME *name = X509_get_subject_name(x);

	return X509_set_version(x, X509_VERSION_3) && tls_random_serial(x) &&
	       /* A clock a little behind ours is no reason to refuse. */
	       X509_gmtime_adj(X509_getm_notBefore(x), -3600) &&
	       X509_time_adj_ex(X509_getm_notAfter(x), TLS_SELFSIGNED_DAYS, 0, NULL) &&
	       X509_set_pubkey(x, key) &&
	       X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8, (const unsigned char *)cn, -1, -1, 0) &&
	       X509_set_issuer_name(x, name) &&
	       tls_add_extension(x, NID_basic_constraints, "critical,CA:FALSE") &&
	       tls_add_extension(x, NID_key_usage, "critical,digitalSignature") &&
	       tls_add_extension(x, NID_ext_key_usage, "serverAuth") &&
	       tls_add_extension(x, NID_subject_alt_name, "DNS:localhost,IP:127.0.0.1,IP:::1") &&
	       X509_sign(x, key, EVP_sha256());
}

int tls_selfsigned_use(SSL_CTX *ctx, const char *host_name, struct err *e)
{
	char text[160];
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *x = X509_new();
	int ok = key && x && tls_fill_certificate(x, key, host_name) &&
		 SSL_CTX_use_certificate(ctx, x) == 1 && SSL_CTX_use_PrivateKey(ctx, key) == 1;

	X509_free(x);
	EVP_PKEY_free(key);
	if (!ok)
		return err_set(e, ERR_TLS, "cannot make a self-signed certificate: %s",
			       tls_error_text(text, sizeof text));
	return 0;
}
