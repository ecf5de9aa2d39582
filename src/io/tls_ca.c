/* Trust anchors. Read here certificate by certificate instead of by SSL_CTX_load_verify_file: a file that
 * holds no certificate, or a damaged one in the middle, must be told by name at start and not turn up as
 * "unable to get local issuer certificate" at the first login. */
#include "config.h"
#include "io/tls_private.h"

#include <dirent.h>
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

/* Where distributions keep all roots in one file. */
static const char *const tls_system_bundles[] = {
	"/etc/ssl/certs/ca-certificates.crt",
	"/etc/pki/tls/certs/ca-bundle.crt",
	"/etc/ssl/cert.pem",
};

#define TLS_CA_MAX_CERTS 10000

/* Takes what is in the file's text. -1 with e. */
static int tls_ca_add(X509_STORE *store, const char *path, struct buf *pem, struct err *e)
{
	BIO *in = tls_file_bio(pem);
	char text[160];
	X509 *x;
	int n = 0;
	bool at_end;

	ERR_clear_error();
	while (in && n < TLS_CA_MAX_CERTS && (x = PEM_read_bio_X509_AUX(in, NULL, tls_no_passphrase, NULL))) {
		int ok = X509_STORE_add_cert(store, x);

		X509_free(x);
		if (!ok)
			break;
		n++;
	}
	BIO_free(in);
	at_end = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
	if (!at_end)
		return err_set(e, ERR_CONFIG, "the CA file %s is damaged at certificate %d: %s", path, n + 1,
			       tls_error_text(text, sizeof text));
	ERR_clear_error();
	if (n > 0)
		return 0;
	err_set(e, ERR_CONFIG, "the CA file %s holds no certificate", path);
	err_hint(e, "It must be in PEM format, with lines \"-----BEGIN CERTIFICATE-----\".");
	return -1;
}

static int tls_ca_add_file(struct tls_ctx *c, const char *path, struct err *e)
{
	struct buf pem;
	int rc = tls_file_read("CA", path, &pem, e);

	if (rc == 0)
		rc = tls_ca_add(SSL_CTX_get_cert_store(c->ssl_ctx), path, &pem, e);
	buf_free(&pem);
	return rc;
}

/* Does OpenSSL find anything there? It looks for names like 1a2b3c4d.0 only. */
static bool tls_dir_is_hashed(const char *path)
{
	DIR *d = opendir(path);
	bool found = false;
	struct dirent *f;

	while (d && !found && (f = readdir(d)))
		found = strspn(f->d_name, "0123456789abcdef") == 8 && f->d_name[8] == '.';
	if (d)
		closedir(d);
	return found;
}

/* Has somebody said where roots are? OpenSSL itself asks the environment for it. */
static bool tls_system_is_named(void)
{
	return secure_getenv(X509_get_default_cert_file_env()) || secure_getenv(X509_get_default_cert_dir_env());
}

/* A container often has the distribution's bundle alone, without the links by which OpenSSL finds what is in it. But where
 * nothing is at a place that is named, nothing else is trusted instead. */
static int tls_ca_load_system(struct tls_ctx *c, struct err *e)
{
	X509_STORE *store = SSL_CTX_get_cert_store(c->ssl_ctx);
	const char *variable = X509_get_default_cert_file_env(), *named = secure_getenv(variable);
	const char *file = named ? named : X509_get_default_cert_file();
	int before = sk_X509_OBJECT_num(X509_STORE_get0_objects(store));

	if (tls_ctx_watch(c, file) && tls_ca_add_file(c, file, e) < 0)
		return named ? err_prefix(e, "%s", variable) : -1;
	/* SSL_CERT_DIR's, or the default */
	if (SSL_CTX_set_default_verify_dir(c->ssl_ctx) != 1)
		return err_set(e, ERR_TLS, "TLS cannot be set up: no default directory of CA certificates");
	ERR_clear_error();
	if (sk_X509_OBJECT_num(X509_STORE_get0_objects(store)) > before || tls_system_is_named() ||
	    tls_dir_is_hashed(X509_get_default_cert_dir()))
		return 0;
	for (size_t i = 0; i < sizeof tls_system_bundles / sizeof tls_system_bundles[0]; i++)
		if (tls_ctx_watch(c, tls_system_bundles[i]))
			return tls_ca_add_file(c, tls_system_bundles[i], e);
	return 0;
}

int tls_ca_load(struct tls_ctx *c, const char *ca_file, struct err *e)
{
	const char *bundle = NULL;

	if (ca_file) {
		tls_ctx_watch(c, ca_file);
		c->ca_text = mem_strdup(ca_file);
		return tls_ca_add_file(c, ca_file, e);
	}
	/* Those before the one that is there are watched as well: one that appears takes its place. */
	for (const char *const *p = tls_rds_bundle_paths(); *p && !bundle; p++)
		if (tls_ctx_watch(c, *p))
			bundle = *p;
	if (bundle && tls_ca_add_file(c, bundle, e) < 0)
		return -1;
	c->ca_text = bundle ? mem_printf("the RDS bundle %s and the system's roots", bundle)
			    : mem_strdup("the system's roots (no RDS bundle is installed)");
	return tls_ca_load_system(c, e);
}

void tls_ca_name(struct tls_ctx *c)
{
	STACK_OF(X509_OBJECT) *all = X509_STORE_get0_objects(SSL_CTX_get_cert_store(c->ssl_ctx));

	for (int i = 0; i < sk_X509_OBJECT_num(all); i++)
		SSL_CTX_add_client_CA(c->ssl_ctx, X509_OBJECT_get0_X509(sk_X509_OBJECT_value(all, i)));
	ERR_clear_error();
}

const char *tls_ctx_ca_text(const struct tls_ctx *c)
{
	return c->ca_text ? c->ca_text : "";
}
