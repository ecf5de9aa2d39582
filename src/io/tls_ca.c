/* Trust anchors. Read here certificate by certificate instead of by SSL_CTX_load_verify_file: a file that
 * holds no certificate, or a damaged one in the middle, must be told by name at start and not turn up as
 * "unable to get local issuer certificate" at the first login. */
#include "config.h"
#include "io/tls_private.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include "base/mem.h"

const char *const *tls_rds_bundle_paths(void)
{
	static const char *const paths[] = {
		"/etc/pgiam/global-bundle.pem",
		"/etc/ssl/certs/rds-global-bundle.pem",
		"/etc/ssl/certs/global-bundle.pem",
		"/etc/pki/rds/global-bundle.pem",
		"/usr/local/share/pgiam/global-bundle.pem",
		"/usr/share/pgiam/global-bundle.pem",
		NULL,
	};
	return paths;
}

/* Where distributions keep all roots in one file, for an OpenSSL that was built with another idea. */
static const char *const tls_system_bundles[] = {
	"/etc/ssl/certs/ca-certificates.crt",
	"/etc/pki/tls/certs/ca-bundle.crt",
	"/etc/ssl/cert.pem",
};

#define TLS_CA_MAX_CERTS 10000

/* -1: errno or OpenSSL's queue says why; otherwise how many certificates were taken. */
static int tls_ca_add_file(X509_STORE *store, const char *path, struct err *e)
{
	char text[160];
	FILE *f = fopen(path, "re");
	X509 *x;
	int n = 0;

	if (!f)
		return err_set(e, ERR_CONFIG, "cannot read the CA file %s: %s", path,
			       strerror_r(errno, text, sizeof text));
	ERR_clear_error();
	while (n < TLS_CA_MAX_CERTS && (x = PEM_read_X509_AUX(f, NULL, tls_no_passphrase, NULL))) {
		int ok = X509_STORE_add_cert(store, x);

		X509_free(x);
		if (!ok)
			break;
		n++;
	}
	fclose(f);
	if (n > 0 && ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE) {
		ERR_clear_error();
		return n;
	}
	if (n == 0 && ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE) {
		err_set(e, ERR_CONFIG, "the CA file %s holds no certificate", path);
		err_hint(e, "It must be in PEM format, with lines \"-----BEGIN CERTIFICATE-----\".");
		ERR_clear_error();
		return -1;
	}
	return err_set(e, ERR_CONFIG, "the CA file %s is damaged at certificate %d: %s", path, n + 1,
		       tls_error_text(text, sizeof text));
}

static int tls_ca_load_system(struct tls_ctx *c, struct err *e)
{
	X509_STORE *store = SSL_CTX_get_cert_store(c->ssl_ctx);
	bool there = tls_ctx_watch(c, X509_get_default_cert_file());
	struct stat st;

	/* Also what SSL_CERT_FILE and SSL_CERT_DIR name. */
	if (SSL_CTX_set_default_verify_paths(c->ssl_ctx) != 1)
		return err_set(e, ERR_TLS, "TLS cannot be set up: no default places for CA certificates");
	ERR_clear_error();
	if (there || stat(X509_get_default_cert_dir(), &st) == 0)
		return 0;
	for (size_t i = 0; i < sizeof tls_system_bundles / sizeof tls_system_bundles[0]; i++)
		if (tls_ctx_watch(c, tls_system_bundles[i]))
			return tls_ca_add_file(store, tls_system_bundles[i], e) < 0 ? -1 : 0;
	return 0;
}

int tls_ca_load(struct tls_ctx *c, const char *ca_file, struct err *e)
{
	X509_STORE *store = SSL_CTX_get_cert_store(c->ssl_ctx);
	const char *bundle = NULL;

	if (ca_file) {
		tls_ctx_watch(c, ca_file);
		c->ca_text = mem_strdup(ca_file);
		return tls_ca_add_file(store, ca_file, e) < 0 ? -1 : 0;
	}
	/* Those before the one that is there are watched as well: one that appears takes its place. */
	for (const char *const *p = tls_rds_bundle_paths(); *p && !bundle; p++)
		if (tls_ctx_watch(c, *p))
			bundle = *p;
	if (bundle && tls_ca_add_file(store, bundle, e) < 0)
		return -1;
	c->ca_text = bundle ? mem_printf("the RDS bundle %s and the system's roots", bundle)
			    : mem_strdup("the system's roots (no RDS bundle is installed)");
	return tls_ca_load_system(c, e);
}
