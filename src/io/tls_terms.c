/* What may be agreed on in a handshake. Whatever the options say, nothing below TLS 1.2, nothing that does not encrypt and
 * nothing without a certificate: a "NULL" cipher would carry a token in the clear inside verified TLS. */
#include "io/tls_private.h"

#include <stdlib.h>
#include <openssl/err.h>
#include "base/mem.h"

static int tls_terms_fail(struct err *e, const char *what, const char *value)
{
	ERR_clear_error(); /* says no more than "no cipher match" */
	return err_set(e, ERR_CONFIG, "OpenSSL knows none of the %s \"%s\"", what, value);
}

static int tls_set_versions(SSL_CTX *ctx, enum tls_versions v)
{
	int low = v == TLS_VERSIONS_1_3 ? TLS1_3_VERSION : TLS1_2_VERSION,
	    high = v == TLS_VERSIONS_1_2 ? TLS1_2_VERSION : TLS1_3_VERSION;

	return SSL_CTX_set_min_proto_version(ctx, low) && SSL_CTX_set_max_proto_version(ctx, high);
}

static int tls_set_ciphers(SSL_CTX *ctx, const char *ciphers)
{
	char *text = mem_printf("%s:!aNULL:!eNULL", ciphers);
	int ok = SSL_CTX_set_cipher_list(ctx, text);

	free(text);
	return ok;
}

int tls_terms_set(struct tls_ctx *c, struct err *e)
{
	const struct tls_opts *o = &c->opts;

	if (!tls_set_versions(c->ssl_ctx, o->versions))
		return err_set(e, ERR_TLS, "TLS cannot be set up: this OpenSSL does not speak the versions wanted");
	if (o->ciphers && !tls_set_ciphers(c->ssl_ctx, o->ciphers))
		return tls_terms_fail(e, "ciphers", o->ciphers);
	if (o->ciphers13 && !SSL_CTX_set_ciphersuites(c->ssl_ctx, o->ciphers13))
		return tls_terms_fail(e, "ciphers of TLS 1.3", o->ciphers13);
	if (o->groups && !SSL_CTX_set1_groups_list(c->ssl_ctx, (char *)(uintptr_t)o->groups))
		return tls_terms_fail(e, "curves", o->groups);
	if (c->server)
		SSL_CTX_set_dh_auto(c->ssl_ctx, o->dhe);
	return 0;
}
