/* tls-server-end-point (RFC 5929) for certificates signed in every way, as both sides see it. */
#include "raw.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <openssl/rsa.h>
#include "base/mem.h"

static struct kit_cert self_signed(const char *key, const EVP_MD *md, bool pss)
{
	struct kit_cert c = kit_cert_new(&(struct kit_cert_opts){.cn = "db.example.com"}, NULL);
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	EVP_PKEY_CTX *pctx;

	EVP_PKEY_free(c.key);
	c.key = strcmp(key, "RSA") == 0 ? EVP_RSA_gen(2048) : strcmp(key, "EC") == 0 ? EVP_EC_gen("P-256")
										      : EVP_PKEY_Q_keygen(NULL, NULL, key);
	assert_non_null(c.key);
	X509_set_pubkey(c.x, c.key);
	assert_int_equal(EVP_DigestSignInit(ctx, &pctx, md, NULL, c.key), 1);
	if (pss)
		assert_true(EVP_PKEY_CTX_set_rsa_padding(pctx, RSA_PKCS1_PSS_PADDING) > 0);
	assert_true(X509_sign_ctx(c.x, ctx) > 0);
	EVP_MD_CTX_free(ctx);
	return c;
}

/* What both ends of a connection bind to; they must agree. */
static size_t binding(const struct kit_cert *c, unsigned char out[64])
{
	char *dir = kit_dir_new(), *cert = kit_write_cert(dir, "c.pem", c), *key = kit_write_key(dir, "k.pem", c, NULL);
	struct loop *l = kit_loop();
	struct err e;
	struct tls_ctx *sc = tls_server_ctx_new(&(struct tls_opts){.cert_file = cert, .key_file = key}, &e),
		       *cc = tls_client_ctx_new(&(struct tls_opts){.verify = TLS_VERIFY_NONE}, &e);
	struct side s, x;
	unsigned char other[64];
	size_t n;

	if (!sc)
		fail_msg("%s", e.msg);
	raw_meet(&s, &x, l, sc, cc, "db.example.com");
	assert_int_equal(s.done, 1);
	assert_int_equal(x.done, 1);
	n = stream_tls_server_end_point(s.s, out);
	assert_int_equal(stream_tls_server_end_point(x.s, other), n);
	assert_memory_equal(out, other, n);
	raw_part(&s, &x);
	loop_free(l);
	tls_ctx_unref(sc);
	tls_ctx_unref(cc);
	free(cert);
	free(key);
	kit_dir_free(dir);
	return n;
}

static void every_hash(void **state)
{
	static const struct {
		const char *key, *signed_with, *bound_by;
		bool pss;
	} ways[] = {
		{"RSA",     "MD5",    "SHA256", false},
                {"RSA",     "SHA1",   "SHA256", false},
                {"EC",      "SHA1",   "SHA256", false},
		{"RSA",     "SHA224", "SHA224", false},
                {"RSA",     "SHA256", "SHA256", false},
                {"EC",      "SHA256", "SHA256", false},
		{"RSA",     "SHA384", "SHA384", false},
                {"EC",      "SHA384", "SHA384", false},
                {"RSA",     "SHA512", "SHA512", false},
		{"EC",      "SHA512", "SHA512", false},
                {"RSA",     "SHA256", "SHA256", true },
                {"RSA",     "SHA384", "SHA384", true },
		{"ED25519", NULL,     NULL,     false}, /* hashes nothing by itself: there is no binding */
	};

	(void)state;
	for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++) {
		struct kit_cert c = self_signed(
			ways[i].key, ways[i].signed_with ? EVP_get_digestbyname(ways[i].signed_with) : NULL, ways[i].pss);
		unsigned char got[64], want[EVP_MAX_MD_SIZE];
		unsigned int n = 0;

		if (ways[i].bound_by)
			assert_int_equal(X509_digest(c.x, EVP_get_digestbyname(ways[i].bound_by), want, &n), 1);
		if (binding(&c, got) != n)
			fail_msg("%s with %s", ways[i].key, ways[i].signed_with ? ways[i].signed_with : "nothing");
		assert_memory_equal(got, want, n);
		kit_cert_free(&c);
	}
}

static void plain_text_is_bound_to_nothing(void **state)
{
	struct loop *l = kit_loop();
	struct side x;
	unsigned char out[64];
	int fd[2];

	(void)state;
	kit_tcp_pair(fd);
	raw_side_start(&x, l, fd[0]);
	assert_int_equal(stream_tls_server_end_point(x.s, out), 0);
	stream_close(x.s);
	close(fd[1]);
	loop_free(l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_hash),
		cmocka_unit_test(plain_text_is_bound_to_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
