#include "pg_test.h"
#include "base/digest.h"
#include "pg/scram_secret.h"

/* Of the password "pencil"; the salt and the iterations are those of RFC 7677's example. */
#define SALT   "W22ZaJ0SNY7soEsUEjb6gQ=="
#define KEYS   "WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU="
#define SECRET "SCRAM-SHA-256$4096:" SALT "$" KEYS

static void good(void **state)
{
	unsigned char salted[SCRAM_KEY_BYTES];
	struct scram_secret s;
	struct scram_keys k;
	struct err e;

	(void)state;
	assert_int_equal(scram_secret_parse(BYTES(SECRET), &s, &e), 0);
	assert_int_equal(s.iterations, 4096);
	assert_int_equal(s.salt_bytes, 16);
	digest_pbkdf2_sha256(slice_str("pencil"), slice_of(s.salt, s.salt_bytes), s.iterations, salted);
	scram_keys_make(salted, &k);
	assert_memory_equal(&k, &s.keys, sizeof(k));
}

static void bad(void **state)
{
	static const char *const cases[] = {
		"",
		"pencil",
		"SCRAM-SHA-1$4096:" SALT "$" KEYS,
		"SCRAM-SHA-256$0:" SALT "$" KEYS,
		"SCRAM-SHA-256$04096:" SALT "$" KEYS,
		"SCRAM-SHA-256$-1:" SALT "$" KEYS,
		"SCRAM-SHA-256$1000001:" SALT "$" KEYS,
		"SCRAM-SHA-256$4294967297:" SALT "$" KEYS,
		"SCRAM-SHA-256$:" SALT "$" KEYS,
		"SCRAM-SHA-256$4096:$" KEYS,
		"SCRAM-SHA-256$4096:!$" KEYS,
		"SCRAM-SHA-256$4096:" SALT SALT SALT "$" KEYS, /* padding in the middle */
		"SCRAM-SHA-256$4096:" SALT ":" KEYS,
		"SCRAM-SHA-256$4096:" SALT "$" KEYS "AAAA",
		"SCRAM-SHA-256$4096:" SALT "$AAAA:AAAA",
		"SCRAM-SHA-256$4096:" SALT "$" KEYS "\n",
	};
	struct scram_secret s;
	struct err e;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		assert_int_equal(scram_secret_parse(slice_str(cases[i]), &s, &e), -1);
		assert_int_equal(e.code, ERR_CONFIG);
		assert_null(strstr(e.msg, SALT));
	}
}

static void check_cut(struct slice cut, bool whole)
{
	struct scram_secret s;
	struct err e;

	assert_int_equal(scram_secret_parse(cut, &s, &e), whole ? 0 : -1);
}

static void cuts(void **state)
{
	(void)state;
	each_cut(BYTES(SECRET), check_cut);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(good),
		cmocka_unit_test(bad),
		cmocka_unit_test(cuts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
