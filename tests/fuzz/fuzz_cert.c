/* io/tls_verify: any certificate as a server's, or as a client's, that is not trusted. It is not taken, and what is said of
 * it, which has an attacker's names in it, is printable and bounded. The first byte says whose it is. */
#include <stdint.h>
#include <stdlib.h>
#include <openssl/err.h>
#include "base/enc.h"
#include "io/tls_private.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool ok)
{
	if (!ok)
		abort();
}

static void text_must_be_clean(const char *text)
{
	must(enc_is_utf8(slice_str(text)));
	for (; *text; text++)
		must((unsigned char)*text >= 0x20 && *text != 0x7f);
}

/* As OpenSSL does it in a handshake. */
static void verify(struct tls_ctx *c, X509 *x)
{
	struct err e = {.code = ERR_NONE};
	X509_STORE_CTX *sc = X509_STORE_CTX_new();
	SSL *ssl = SSL_new(c->ssl_ctx);
	struct err *where = &e;

	must(ssl && sc && tls_verify_prepare(c, ssl, c->server ? NULL : "db.test", &e) == 0);
	SSL_set_app_data(ssl, (char *)where);
	must(X509_STORE_CTX_init(sc, SSL_CTX_get_cert_store(c->ssl_ctx), x, NULL) == 1);
	must(X509_STORE_CTX_set_ex_data(sc, SSL_get_ex_data_X509_STORE_CTX_idx(), ssl) == 1);
	X509_STORE_CTX_set_default(sc, c->server ? "ssl_client" : "ssl_server");
	X509_VERIFY_PARAM_set1(X509_STORE_CTX_get0_param(sc), SSL_get0_param(ssl));
	X509_STORE_CTX_set_verify_cb(sc, tls_verify_callback);
	must(X509_verify_cert(sc) != 1);
	if (e.code != ERR_NONE) { /* what it cannot even begin with is told without a callback */
		must(e.code == ERR_TLS_VERIFY && e.msg[0] && e.detail[0]);
		text_must_be_clean(e.msg);
		text_must_be_clean(e.detail);
		text_must_be_clean(e.hint);
	}
	X509_STORE_CTX_free(sc);
	SSL_free(ssl);
	ERR_clear_error();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct tls_ctx *ctx[2];
	const unsigned char *p = data + 1;
	struct err e;
	X509 *x;

	if (!ctx[0]) {
		ctx[0] = tls_client_ctx_new(&(struct tls_opts){.verify = TLS_VERIFY_NONE}, &e); /* trusts nobody */
		ctx[1] = tls_server_ctx_new(&(struct tls_opts){.host_name = "localhost"}, &e);
		must(ctx[0] && ctx[1]);
	}
	if (size == 0)
		return 0;
	x = d2i_X509(NULL, &p, (long)(size - 1));
	if (x)
		verify(ctx[data[0] % 2], x);
	X509_free(x);
	ERR_clear_error();
	return 0;
}
