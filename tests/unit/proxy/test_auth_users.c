#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>
#include "../guard.h"
#include "base/digest.h"
#include "proxy/auth_users.h"

#define SCRAM                                                                                                              \
	"SCRAM-SHA-256$8000:MDEyMzQ1Njc4OWFi$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:"                                  \
	"wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU="
#define MD5 "md55d41402abc4b2a76b9719d911017c592"

static const unsigned char key[AUTH_KEY_BYTES] = "0123456789abcdef0123456789abcde";

static struct auth_users *parse(const char *text)
{
	struct err e;
	struct auth_users *u = auth_users_parse(slice_str(text), &e);

	if (!u)
		fail_msg("%s", e.msg);
	return u;
}

static void kinds(void **state)
{
	struct auth_users *u = parse("\n"
				     "; \"comment\" \"x\"\n"
				     "\"plain\" \"pass word\"\r\n"
				     "  \"md5\"\t\"" MD5 "\" \"2030-01-01\"\n"
				     "\"scram\" \"" SCRAM "\" trailing\n"
				     "\"quo\"\"ted\" \"a\"\"b\"\n"
				     "\"none\" \"\"\n"
				     "\"last\" \"no newline\"");
	struct auth_secret s;

	(void)state;
	assert_true(auth_users_secret(u, key, "plain", &s));
	assert_int_equal(s.kind, AUTH_KIND_PLAIN);
	assert_true(slice_eq_str(secret_slice(&s.plain), "pass word"));
	assert_int_equal(s.scram.salt_bytes, 16);
	auth_secret_clear(&s);
	assert_true(auth_users_secret(u, key, "md5", &s));
	assert_int_equal(s.kind, AUTH_KIND_MD5);
	assert_int_equal(s.md5[0], 0x5d);
	auth_secret_clear(&s);
	assert_true(auth_users_secret(u, key, "scram", &s));
	assert_int_equal(s.kind, AUTH_KIND_SCRAM);
	assert_int_equal(s.scram.iterations, 8000);
	assert_int_equal(s.scram.salt_bytes, 12);
	auth_secret_clear(&s);
	assert_true(auth_users_secret(u, key, "quo\"ted", &s));
	assert_true(slice_eq_str(secret_slice(&s.plain), "a\"b"));
	auth_secret_clear(&s);
	assert_true(auth_users_secret(u, key, "last", &s));
	auth_secret_clear(&s);
	assert_false(auth_users_secret(u, key, "none", &s));
	auth_secret_clear(&s);
	assert_false(auth_users_secret(u, key, "PLAIN", &s));
	auth_secret_clear(&s);
	assert_int_equal(auth_users_count(u, AUTH_KIND_PLAIN), 3);
	assert_int_equal(auth_users_count(u, AUTH_KIND_MD5), 1);
	assert_int_equal(auth_users_count(u, AUTH_KIND_SCRAM), 1);
	auth_users_free(u);
}

static void bad(void **state)
{
	static const struct {
		const char *text, *why;
	} cases[] = {
		{"joe secret\n", "line 1: it begins with no user"},
		{"# comment\n", "line 1: it begins with no user"},
		{"\"joe\" \"x\"\n\n\"joe\" \"y\"\n", "line 3: this user is on line 1 already"},
		{"\"\" \"x\"\n", "line 1: the user's name is empty"},
		{"\"joe\"\n", "line 1: behind the user there is no secret"},
		{"\"joe\" x\n", "line 1: behind the user there is no secret"},
		{"\"joe\" \"x\n\"\n", "line 1: behind the user there is no secret"},
		{"\"joe\n\" \"x\"\n", "line 1: it begins with no user"},
		{"\"a\" \"b\"\n\"joe\" \"SCRAM-SHA-256$zero:x$y:z\"\n", "line 2: a SCRAM secret that is none"},
	};
	struct err e;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		assert_null(auth_users_parse(slice_str(cases[i].text), &e));
		assert_int_equal(e.code, ERR_CONFIG);
		if (!strstr(e.msg, cases[i].why))
			fail_msg("\"%s\" is not \"%s\"", e.msg, cases[i].why);
	}
	assert_null(auth_users_parse(slice_of("\"a\" \"b\0c\"", 9), &e));
	assert_non_null(strstr(e.msg, "NUL"));
}

static void sizes(void **state)
{
	char text[3000];
	struct err e;

	(void)state;
	snprintf(text, sizeof(text), "\"%0127d\" \"x\"", 0);
	auth_users_free(parse(text));
	snprintf(text, sizeof(text), "\"%0128d\" \"x\"", 0);
	assert_null(auth_users_parse(slice_str(text), &e));
	assert_string_equal(e.msg, "line 1: the user's name is too long");
	snprintf(text, sizeof(text), "\"x\" \"%02047d\"", 0);
	auth_users_free(parse(text));
	snprintf(text, sizeof(text), "\"x\" \"%02048d\"", 0);
	assert_null(auth_users_parse(slice_str(text), &e));
	assert_string_equal(e.msg, "line 1: the secret is too long");
}

/* Whoever is not in the file gets what somebody there could have: the same each time, known to nobody, and of all the
 * file's kinds. */
static void made_up(void **state)
{
	struct auth_users *u = parse("\"a\" \"x\"\n\"b\" \"" MD5 "\"\n\"c\" \"" SCRAM "\"\n");
	struct auth_secret s, again, other;
	unsigned kinds_seen[3] = {0};

	(void)state;
	for (unsigned i = 0; i < 300; i++) {
		char name[20];

		snprintf(name, sizeof(name), "ghost%u", i);
		assert_false(auth_users_secret(u, key, name, &s));
		assert_false(auth_users_secret(u, key, name, &again));
		kinds_seen[s.kind]++;
		assert_int_equal(s.kind, again.kind);
		assert_memory_equal(&s.scram, &again.scram, sizeof(s.scram));
		assert_memory_equal(s.md5, again.md5, sizeof(s.md5));
		assert_true(slice_eq(secret_slice(&s.plain), secret_slice(&again.plain)));
		if (s.kind == AUTH_KIND_SCRAM) { /* as the only one there is */
			assert_int_equal(s.scram.iterations, 8000);
			assert_int_equal(s.scram.salt_bytes, 12);
		}
		auth_secret_clear(&s);
		auth_secret_clear(&again);
	}
	for (unsigned k = 0; k < 3; k++)
		assert_in_range(kinds_seen[k], 60, 140);
	assert_false(auth_users_secret(u, key, "ghost", &s));
	assert_false(auth_users_secret(u, (const unsigned char *)"another key of thirty-two bytes!", "ghost", &other));
	assert_memory_not_equal(s.scram.salt, other.scram.salt, 12);
	auth_secret_clear(&s);
	auth_secret_clear(&other);
	auth_users_free(u);
	assert_false(auth_users_secret(NULL, key, "ghost", &s));
	assert_int_equal(s.kind, AUTH_KIND_SCRAM);
	auth_secret_clear(&s);
}

/* ---- linked in front of the real one: by far the most that an answer costs ---- */

void __real_digest_hmac_sha256(struct slice key, struct slice in, unsigned char out[DIGEST_SHA256_BYTES]);
void __wrap_digest_hmac_sha256(struct slice key, struct slice in, unsigned char out[DIGEST_SHA256_BYTES]);

static unsigned hmacs;

void __wrap_digest_hmac_sha256(struct slice key_of, struct slice in, unsigned char out[DIGEST_SHA256_BYTES])
{
	hmacs++;
	__real_digest_hmac_sha256(key_of, in, out);
}

static unsigned cost(const struct auth_users *u, const char *name)
{
	struct auth_secret s;

	hmacs = 0;
	auth_users_secret(u, key, name, &s);
	auth_secret_clear(&s);
	return hmacs;
}

/* Nor can the two be told by a clock: what is made up costs a few hashes, for whoever is in the file, too. */
static void as_much_work(void **state)
{
	static const char *const files[] = {"\"there1\" \"x\"", "\"there1\" \"" MD5 "\"", "\"there1\" \"" SCRAM "\""};

	(void)state;
	for (unsigned f = 0; f < sizeof(files) / sizeof(*files); f++) {
		struct auth_users *u = parse(files[f]);

		assert_in_range(cost(u, "nobody"), 2, 20);
		assert_int_equal(cost(u, "there1"), cost(u, "nobody"));
		auth_users_free(u);
	}
}

static void cuts(void **state)
{
	static const char text[] = "\"plain\" \"x\"\n\"md5\" \"" MD5 "\"\n\"scram\" \"" SCRAM "\"\n";

	(void)state;
	for (size_t n = 0; n < sizeof(text); n++) {
		void *copy = guard_copy(text, n);
		struct err e;

		auth_users_free(auth_users_parse(slice_of(copy, n), &e));
		guard_free(copy, n);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(kinds), cmocka_unit_test(bad),  cmocka_unit_test(sizes),
		cmocka_unit_test(made_up), cmocka_unit_test(as_much_work), cmocka_unit_test(cuts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
