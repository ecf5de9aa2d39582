/* The certificate we show, and its key. Everything about them that can be wrong is told at start, or when they are read
 * again, and not by the first handshake. */
#include "config.h" /* for timegm */
#include "io/tls_private.h"

#include <time.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

int tls_no_passphrase(char *buf, int size, int writing, void *asked)
{
	(void)buf;
	(void)size;
	(void)writing;
	if (asked)
		*(bool *)asked = true;
	return -1;
}

static int tls_identity_fail(struct err *e, const char *what, const char *path)
{
	char text[160];

	return err_set(e, ERR_CONFIG, "cannot use the %s file %s: %s", what, path, tls_error_text(text, sizeof text));
}

static bool tls_key_use(SSL_CTX *ctx, struct buf *pem, bool *asked)
{
	BIO *in = tls_file_bio(pem);
	EVP_PKEY *key = in ? PEM_read_bio_PrivateKey(in, NULL, tls_no_passphrase, asked) : NULL;
	bool ok = key && SSL_CTX_use_PrivateKey(ctx, key) == 1 && SSL_CTX_check_private_key(ctx) == 1;

	EVP_PKEY_free(key);
	BIO_free(in);
	return ok;
}

static int tls_key_bad(const struct tls_ctx *c, bool asked, struct err *e)
{
	const char *path = c->opts.key_file;

	if (asked) {
		err_set(e, ERR_CONFIG, "cannot use the key file %s: it is encrypted, and pgiam has no passphrase for it",
			path);
		err_hint(e, "Give it a key without a passphrase (openssl pkey -in KEY -out NEWKEY), readable by pgiam's "
			    "user only.");
		ERR_clear_error();
		return -1;
	}
	tls_identity_fail(e, "key", path);
	err_hint(e, "It must be a PEM key that belongs to the first certificate in %s.", c->opts.cert_file);
	return -1;
}

static int tls_key_load(struct tls_ctx *c, struct err *e)
{
	struct buf pem;
	bool asked = false;
	int rc;

	tls_ctx_watch(c, c->opts.key_file);
	rc = tls_file_read("key", c->opts.key_file, &pem, e);
	if (rc == 0 && !tls_key_use(c->ssl_ctx, &pem, &asked))
		rc = tls_key_bad(c, asked, e);
	buf_free(&pem);
	return rc;
}

/* As SSL_CTX_use_certificate_chain_file does it: ours, and those that lead from it to a root. */
static bool tls_chain_use(SSL_CTX *ctx, struct buf *pem)
{
	BIO *in = tls_file_bio(pem);
	X509 *x = in ? PEM_read_bio_X509_AUX(in, NULL, tls_no_passphrase, NULL) : NULL;
	bool ok = x && SSL_CTX_use_certificate(ctx, x) == 1;

	X509_free(x);
	while (ok && (x = PEM_read_bio_X509(in, NULL, tls_no_passphrase, NULL))) {
		ok = SSL_CTX_add0_chain_cert(ctx, x) == 1;
		if (!ok)
			X509_free(x);
	}
	BIO_free(in);
	if (ok && ERR_GET_REASON(ERR_peek_last_error()) != PEM_R_NO_START_LINE)
		return false; /* damaged in the middle */
	if (ok)
		ERR_clear_error();
	return ok;
}

static void tls_expiry_of(struct tls_ctx *c, const X509 *x)
{
	struct tm tm;
	int64_t sec;

	if (!ASN1_TIME_to_tm(X509_get0_notAfter(x), &tm))
		return;
	sec = timegm(&tm);
	if (c->expires_sec == 0 || sec < c->expires_sec)
		c->expires_sec = sec;
}

void tls_identity_note_expiry(struct tls_ctx *c)
{
	const X509 *leaf = SSL_CTX_get0_certificate(c->ssl_ctx);
	STACK_OF(X509) *chain = NULL;

	if (leaf)
		tls_expiry_of(c, leaf);
	SSL_CTX_get0_chain_certs(c->ssl_ctx, &chain);
	for (int i = 0; i < sk_X509_num(chain); i++)
		tls_expiry_of(c, sk_X509_value(chain, i));
}

int tls_identity_load(struct tls_ctx *c, struct err *e)
{
	const char *path = c->opts.cert_file;
	struct buf pem;
	int rc;

	tls_ctx_watch(c, path);
	ERR_clear_error();
	rc = tls_file_read("certificate", path, &pem, e);
	if (rc == 0 && !tls_chain_use(c->ssl_ctx, &pem))
		rc = tls_identity_fail(e, "certificate", path);
	buf_free(&pem);
	if (rc < 0 || tls_key_load(c, e) < 0)
		return -1;
	tls_identity_note_expiry(c);
	return 0;
}
