/* The certificate we show, and its key. Everything about them that can be wrong is told at start, or when they are read
 * again, and not by the first handshake. */
#include "config.h" /* for timegm */
#include "io/tls_private.h"

#include <time.h>
#include <openssl/err.h>
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

static int tls_identity_absent(struct err *e, const char *what, const char *path)
{
	return err_set(e, ERR_CONFIG, "cannot read the %s file %s: %m", what, path);
}

static int tls_key_load(struct tls_ctx *c, struct err *e)
{
	const char *path = c->opts.key_file;
	bool asked = false;
	int ok;

	if (!tls_ctx_watch(c, path))
		return tls_identity_absent(e, "key", path);
	SSL_CTX_set_default_passwd_cb_userdata(c->ssl_ctx, &asked);
	ok = SSL_CTX_use_PrivateKey_file(c->ssl_ctx, path, SSL_FILETYPE_PEM) == 1 &&
	     SSL_CTX_check_private_key(c->ssl_ctx) == 1;
	SSL_CTX_set_default_passwd_cb_userdata(c->ssl_ctx, NULL);
	if (ok)
		return 0;
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

	SSL_CTX_set_default_passwd_cb(c->ssl_ctx, tls_no_passphrase);
	if (!tls_ctx_watch(c, path))
		return tls_identity_absent(e, "certificate", path);
	if (SSL_CTX_use_certificate_chain_file(c->ssl_ctx, path) != 1)
		return tls_identity_fail(e, "certificate", path);
	if (tls_key_load(c, e) < 0)
		return -1;
	tls_identity_note_expiry(c);
	return 0;
}
