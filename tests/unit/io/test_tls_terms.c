/* What is agreed on in a handshake, and what never is. */
#include "raw.h"

#include <stdlib.h>
#include <string.h>
#include "base/mem.h"
#include "io/stream_private.h"
#include "io/tls_private.h"

/* No cipher of the context sends in the clear or to anybody. */
static void all_protect(const struct tls_ctx *c)
{
	const STACK_OF(SSL_CIPHER) *list = SSL_CTX_get_ciphers(c->ssl_ctx);

	assert_true(sk_SSL_CIPHER_num(list) > 0);
	for (int i = 0; i < sk_SSL_CIPHER_num(list); i++) {
		const SSL_CIPHER *one = sk_SSL_CIPHER_value(list, i);

		if (SSL_CIPHER_get_bits(one, NULL) == 0 || SSL_CIPHER_get_auth_nid(one) == NID_auth_null)
			fail_msg("%s", SSL_CIPHER_get_name(one));
	}
}

static void no_cipher_without_cipher(void **state)
{
	static const char *const lists[] = {"ALL:COMPLEMENTOFALL:@SECLEVEL=0", "HIGH:eNULL:@SECLEVEL=0", "aNULL:HIGH", "ALL",
					    "ECDHE-RSA-NULL-SHA:AES256-SHA:@SECLEVEL=0"};
	struct err e;

	(void)state;
	for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++) {
		struct tls_opts o = {.ciphers = lists[i]};
		struct tls_ctx *c = tls_client_ctx_new(&o, &e), *s = tls_server_ctx_new(&o, &e);

		assert_non_null(c);
		assert_non_null(s);
		all_protect(c);
		all_protect(s);
		tls_ctx_unref(c);
		tls_ctx_unref(s);
	}
	assert_null(tls_client_ctx_new(&(struct tls_opts){.ciphers = "eNULL:@SECLEVEL=0"}, &e));
	assert_int_equal(e.code, ERR_CONFIG);
	assert_string_equal(e.msg, "OpenSSL knows none of the ciphers \"eNULL:@SECLEVEL=0\"");
}

/* The version and cipher a server of ours and a client of ours agree on; NULL: on none. */
static const char *agreed(struct tls_opts server, struct tls_opts client, const char **cipher)
{
	struct loop *l = kit_loop();
	struct err e;
	struct tls_ctx *sc = tls_server_ctx_new(&server, &e), *cc = tls_client_ctx_new(&client, &e);
	struct side s, c;
	const char *version = NULL;

	assert_non_null(sc);
	assert_non_null(cc);
	raw_meet(&s, &c, l, sc, cc, "localhost");
	if (s.done == 1 && c.done == 1)
		version = strcmp(stream_tls_version(c.s), "TLSv1.3") == 0 ? "1.3" : "1.2";
	*cipher = version ? SSL_get_cipher_name(c.s->ssl) : NULL;
	raw_part(&s, &c);
	loop_free(l);
	tls_ctx_unref(sc);
	tls_ctx_unref(cc);
	return version;
}

static void versions(void **state)
{
	const struct tls_opts all = {0}, v12 = {.versions = TLS_VERSIONS_1_2}, v13 = {.versions = TLS_VERSIONS_1_3};
	const char *cipher;

	(void)state;
	assert_string_equal(agreed(all, all, &cipher), "1.3");
	assert_string_equal(agreed(v12, all, &cipher), "1.2");
	assert_string_equal(agreed(all, v12, &cipher), "1.2");
	assert_string_equal(agreed(v13, all, &cipher), "1.3");
	assert_null(agreed(v13, v12, &cipher));
	assert_null(agreed(v12, v13, &cipher));
}

static void ciphers_and_groups(void **state)
{
	const struct tls_opts all = {0}, v12 = {.versions = TLS_VERSIONS_1_2};
	const char *cipher;

	(void)state;
	agreed((struct tls_opts){.ciphers = "ECDHE-ECDSA-AES128-GCM-SHA256"}, v12, &cipher);
	assert_string_equal(cipher, "ECDHE-ECDSA-AES128-GCM-SHA256");
	agreed(all, (struct tls_opts){.ciphers13 = "TLS_AES_128_GCM_SHA256"}, &cipher);
	assert_string_equal(cipher, "TLS_AES_128_GCM_SHA256");
	assert_null(agreed((struct tls_opts){.ciphers13 = "TLS_AES_128_GCM_SHA256", .versions = TLS_VERSIONS_1_3},
			   (struct tls_opts){.ciphers13 = "TLS_AES_256_GCM_SHA384"}, &cipher));
	assert_string_equal(agreed((struct tls_opts){.groups = "P-384"}, (struct tls_opts){.groups = "X25519:P-384"}, &cipher),
			    "1.3");
	assert_null(agreed((struct tls_opts){.groups = "P-384"}, (struct tls_opts){.groups = "X25519"}, &cipher));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_cipher_without_cipher),
		cmocka_unit_test(versions),
		cmocka_unit_test(ciphers_and_groups),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
