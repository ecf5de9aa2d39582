/* base/digest, against published vectors: FIPS 180-4's "abc", RFC 4231, RFC 7914 section 11. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>
#include "base/buf.h"
#include "base/digest.h"
#include "base/enc.h"

static void is_hex(const unsigned char *d, const char *hex)
{
	struct buf b;

	buf_init(&b, 64);
	enc_hex(&b, slice_of(d, DIGEST_SHA256_BYTES));
	assert_string_equal(buf_cstr(&b), hex);
	buf_free(&b);
}

static void sha256(void **state)
{
	unsigned char d[DIGEST_SHA256_BYTES];

	(void)state;
	digest_sha256(slice_str("abc"), d);
	is_hex(d, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
	digest_sha256(slice_of(NULL, 0), d);
	is_hex(d, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

static void hmac_sha256(void **state)
{
	unsigned char d[DIGEST_SHA256_BYTES];

	(void)state;
	digest_hmac_sha256(slice_str("Jefe"), slice_str("what do ya want for nothing?"), d);
	is_hex(d, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
	digest_hmac_sha256(slice_of(NULL, 0), slice_of(NULL, 0), d);
	is_hex(d, "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad");
}

static void md5(void **state) /* RFC 1321 */
{
	unsigned char d[DIGEST_MD5_BYTES];
	struct buf b;

	(void)state;
	buf_init(&b, 64);
	assert_true(digest_md5(slice_str("abc"), d));
	enc_hex(&b, slice_of(d, sizeof(d)));
	assert_string_equal(buf_cstr(&b), "900150983cd24fb0d6963f7d28e17f72");
	buf_free(&b);
}

static void pbkdf2(void **state)
{
	unsigned char d[DIGEST_SHA256_BYTES];

	(void)state;
	digest_pbkdf2_sha256(slice_str("passwd"), slice_str("salt"), 1, d);
	is_hex(d, "55ac046e56e3089fec1691c22544b605f94185216dde0465e68b9d57c20dacbc");
	digest_pbkdf2_sha256(slice_str("Password"), slice_str("NaCl"), 80000, d);
	is_hex(d, "4ddcd8f60b98be21830cee5ef22701f9641a4418d04c0414aeff08876b34ab56");
}

static void randomness(void **state)
{
	unsigned char a[32] = {0}, b[32] = {0};

	(void)state;
	digest_random(a, sizeof(a));
	digest_random(b, sizeof(b));
	assert_memory_not_equal(a, b, sizeof(a));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sha256),
		cmocka_unit_test(hmac_sha256),
		cmocka_unit_test(md5), cmocka_unit_test(pbkdf2),
		cmocka_unit_test(randomness),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
