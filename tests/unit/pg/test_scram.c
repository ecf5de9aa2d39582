#include "pg_test.h"
#include "base/digest.h"
#include "base/enc.h"
#include "pg/scram.h"

#define RAW_NONCE "abcdefghijklmnopqr"       /* 18 bytes */
#define NONCE     "YWJjZGVmZ2hpamtsbW5vcHFy" /* the same in base64 */
#define SALT      "W22ZaJ0SNY7soEsUEjb6gQ=="
#define GOOD      "r=" NONCE "srv,s=" SALT ",i=4096"

/* A client that has sent its first message. */
static struct scram_client *started(void)
{
	struct scram_client *c =
		scram_client_new((const unsigned char *)RAW_NONCE, SCRAM_BIND_NONE, slice_str(""));
	struct buf b;

	buf_init(&b, 1000);
	assert_int_equal(scram_client_first(c, &b), 0);
	buf_free(&b);
	return c;
}

/* One that has sent its last, and what the server must answer. */
static struct scram_client *finished(const char *password, struct buf *verdict)
{
	struct scram_client *c = started();
	unsigned char salted[SCRAM_KEY_BYTES], proof[SCRAM_KEY_BYTES], signature[SCRAM_KEY_BYTES];
	struct slice auth = BYTES("n=,r=" NONCE "," GOOD ",c=biws,r=" NONCE "srv");
	struct buf b;
	struct err e;

	buf_init(&b, 1000);
	assert_int_equal(scram_client_server_first(c, BYTES(GOOD), &e), 0);
	digest_pbkdf2_sha256(slice_str(password), scram_client_salt(c), scram_client_iterations(c), salted);
	assert_int_equal(scram_client_final(c, salted, &b), 0);
	buf_free(&b);
	scram_sign(salted, auth, proof, signature);
	buf_init(verdict, 1000);
	buf_add_str(verdict, "v=");
	enc_base64(verdict, slice_of(signature, sizeof(signature)));
	return c;
}

/* RFC 7677 section 3. Its user name and the length of its nonce are not ours, so its parts are checked. */
static void rfc_7677(void **state)
{
	static const char auth[] = "n=user,r=rOprNGfwEbeRWgbNEkqO,"
				   "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,"
				   "s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096,"
				   "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0";
	unsigned char salted[SCRAM_KEY_BYTES], proof[SCRAM_KEY_BYTES], signature[SCRAM_KEY_BYTES];
	struct buf salt, text;

	(void)state;
	buf_init(&salt, 100);
	buf_init(&text, 100);
	assert_int_equal(enc_base64_decode(&salt, slice_str(SALT)), 0);
	digest_pbkdf2_sha256(slice_str("pencil"), buf_slice(&salt), 4096, salted);
	scram_sign(salted, slice_str(auth), proof, signature);
	enc_base64(&text, slice_of(proof, sizeof(proof)));
	assert_string_equal(buf_cstr(&text), "dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=");
	buf_clear(&text);
	enc_base64(&text, slice_of(signature, sizeof(signature)));
	assert_string_equal(buf_cstr(&text), "6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=");
	buf_free(&salt);
	buf_free(&text);
}

/* Client messages as libpq would write them; c= carries the channel binding. */
static void bindings(void **state)
{
	static const struct {
		enum scram_binding binding;
		const char *data, *first, *final;
	} cases[] = {
		{SCRAM_BIND_NONE,      "",                                 "n,,n=,r=" NONCE, "c=biws,r=" NONCE "srv,p="},
		{SCRAM_BIND_UNUSED,    "ignored",                          "y,,n=,r=" NONCE, "c=eSws,r=" NONCE "srv,p="},
		{SCRAM_BIND_END_POINT, "0123456789abcdef0123456789abcdef",
		 "p=tls-server-end-point,,n=,r=" NONCE,
		 "c=cD10bHMtc2VydmVyLWVuZC1wb2ludCwsMDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=,r=" NONCE
		 "srv,p="											      },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct scram_client *c = scram_client_new((const unsigned char *)RAW_NONCE, cases[i].binding,
							  slice_str(cases[i].data));
		unsigned char salted[SCRAM_KEY_BYTES], proof[SCRAM_KEY_BYTES], signature[SCRAM_KEY_BYTES];
		struct buf b, auth, text;
		struct err e;

		buf_init(&b, 1000);
		buf_init(&auth, 1000);
		buf_init(&text, 1000);
		assert_int_equal(scram_client_first(c, &b), 0);
		assert_string_equal(buf_cstr(&b), cases[i].first);
		assert_int_equal(scram_client_server_first(c, BYTES(GOOD), &e), 0);
		assert_int_equal(scram_client_iterations(c), 4096);
		assert_slice(scram_client_salt(c),
			     "\x5b\x6d\x99\x68\x9d\x12\x35\x8e\xec\xa0\x4b\x14\x12\x36\xfa\x81");
		memset(salted, 7, sizeof(salted));
		buf_clear(&b);
		assert_int_equal(scram_client_final(c, salted, &b), 0);
		assert_memory_equal(b.p, cases[i].final, strlen(cases[i].final));
		/* the proof is over all three messages, the last without it */
		buf_printf(&auth, "n=,r=" NONCE "," GOOD ",%.*s", (int)strlen(cases[i].final) - 3,
			   cases[i].final);
		scram_sign(salted, buf_slice(&auth), proof, signature);
		buf_add_str(&text, cases[i].final);
		enc_base64(&text, slice_of(proof, sizeof(proof)));
		assert_true(slice_eq(buf_slice(&b), buf_slice(&text)));
		buf_clear(&text);
		buf_add_str(&text, "v=");
		enc_base64(&text, slice_of(signature, sizeof(signature)));
		assert_int_equal(scram_client_verify(c, buf_slice(&text), &e), 0);
		scram_client_free(c);
		buf_free(&b);
		buf_free(&auth);
		buf_free(&text);
	}
}

/* Pitfalls 18, 76, 77: each attribute there once, in order, not empty, nothing else. */
static void hostile_challenges(void **state)
{
	static const char *const bad[] = {
		"",
		",",
		"=",
		"r",
		"r=",
		"r=,s=" SALT ",i=4096",
		"s=" SALT ",i=4096",
		"r=" NONCE "srv,i=4096",
		"r=" NONCE "srv,s=" SALT,
		"r=" NONCE "srv,s=" SALT ",",
		"r=" NONCE "srv,s=,i=4096",
		"r=" NONCE "srv,s=" SALT ",i=",
		"s=" SALT ",r=" NONCE "srv,i=4096",
		"r=" NONCE "srv,i=4096,s=" SALT,
		"r=" NONCE "srv,r=" NONCE "srv,s=" SALT ",i=4096",
		"r=" NONCE "srv,s=" SALT ",s=" SALT ",i=4096",
		GOOD ",i=4096",
		GOOD ",",
		GOOD ",x=1",
		"m=ext," GOOD,
		"," GOOD,
		"R=" NONCE "srv,s=" SALT ",i=4096",
		"r:" NONCE "srv,s=" SALT ",i=4096",
		"r=" NONCE ",s=" SALT ",i=4096", /* no part of the server's own */
		"r=YWJjZGVmZ2hpamtsbW5vcHFzsrv,s=" SALT ",i=4096",
		"r=xx,s=" SALT ",i=4096",
		"r=" NONCE "a b,s=" SALT ",i=4096",
		"r=" NONCE "\x7f,s=" SALT ",i=4096",
		"r=" NONCE "\xc3\xa9,s=" SALT ",i=4096",
		"r=" NONCE "srv,s=W22ZaJ0SNY7soEsUEjb6gQ=,i=4096",
		"r=" NONCE "srv,s=W22Z!J0SNY7soEsUEjb6gQ==,i=4096",
		"r=" NONCE "srv,s==,i=4096",
		"r=" NONCE "srv,s=" SALT ",i=0",
		"r=" NONCE "srv,s=" SALT ",i=-1",
		"r=" NONCE "srv,s=" SALT ",i=+1",
		"r=" NONCE "srv,s=" SALT ",i=04096",
		"r=" NONCE "srv,s=" SALT ",i=4096 ",
		"r=" NONCE "srv,s=" SALT ",i=0x10",
		"r=" NONCE "srv,s=" SALT ",i=1000001",
		"r=" NONCE "srv,s=" SALT ",i=4294967295",
		"r=" NONCE "srv,s=" SALT ",i=4294967296",
		"r=" NONCE "srv,s=" SALT ",i=4294971392",
		"r=" NONCE "srv,s=" SALT ",i=18446744073709555712",
		"e=unknown-user",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct scram_client *c = started();
		void *copy = guard_copy(bad[i], strlen(bad[i]));
		struct err e = {0};

		assert_int_equal(scram_client_server_first(c, slice_of(copy, strlen(bad[i])), &e), -1);
		assert_int_equal(e.code, ERR_SERVER_PROTOCOL);
		assert_true(e.msg[0] != '\0');
		/* one chance only */
		assert_int_equal(scram_client_server_first(c, BYTES(GOOD), &e), -1);
		guard_free(copy, strlen(bad[i]));
		scram_client_free(c);
	}
}

static void check_challenge_cut(struct slice cut, bool whole)
{
	struct scram_client *c = started();
	size_t digits = strlen("096"); /* i=4 is a challenge too */
	struct err e;

	assert_int_equal(scram_client_server_first(c, cut, &e),
			 whole || cut.n >= sizeof(GOOD) - 1 - digits ? 0 : -1);
	scram_client_free(c);
}

static void challenges_cut(void **state)
{
	(void)state;
	each_cut(BYTES(GOOD), check_challenge_cut);
}

static void limits(void **state)
{
	static const char *const iterations[] = {"1", "1000000"};
	struct scram_client *c;
	struct buf b;
	struct err e;

	(void)state;
	buf_init(&b, 10000);
	for (size_t i = 0; i < 2; i++) {
		c = started();
		buf_clear(&b);
		buf_printf(&b, "r=" NONCE "srv,s=" SALT ",i=%s", iterations[i]);
		assert_int_equal(scram_client_server_first(c, buf_slice(&b), &e), 0);
		assert_int_equal(scram_client_iterations(c), strtoul(iterations[i], NULL, 10));
		scram_client_free(c);
	}
	/* a nonce up to the limit of the message (CVE-2026-6665), a byte more, a salt beyond its own */
	for (size_t extra = 0; extra < 2; extra++) {
		c = started();
		buf_clear(&b);
		buf_add_str(&b, "r=" NONCE);
		while (b.n < SCRAM_MAX_MESSAGE + extra - strlen(",s=" SALT ",i=1"))
			buf_add_char(&b, 'x');
		buf_add_str(&b, ",s=" SALT ",i=1");
		assert_int_equal(scram_client_server_first(c, buf_slice(&b), &e), extra ? -1 : 0);
		if (!extra) {
			unsigned char salted[SCRAM_KEY_BYTES] = {0};
			struct buf final;

			buf_init(&final, 10000);
			assert_int_equal(scram_client_final(c, salted, &final), 0);
			buf_free(&final);
		}
		scram_client_free(c);
	}
	for (size_t groups = 341; groups <= 342; groups++) {
		c = started();
		buf_clear(&b);
		buf_add_str(&b, "r=" NONCE "srv,s=");
		for (size_t i = 0; i < groups; i++)
			buf_add_str(&b, "AAAA");
		buf_add_str(&b, ",i=1");
		assert_int_equal(scram_client_server_first(c, buf_slice(&b), &e),
				 groups * 3 > SCRAM_MAX_SALT ? -1 : 0);
		scram_client_free(c);
	}
	buf_free(&b);
}

static void verdicts(void **state)
{
	static const struct {
		const char *message;
		enum err_code code;
	} bad[] = {
		{"",					       ERR_SERVER_PROTOCOL},
		{"v",					      ERR_SERVER_PROTOCOL},
		{"v=",					     ERR_SERVER_PROTOCOL},
		{"x=1",					    ERR_SERVER_PROTOCOL},
		{"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=", ERR_SERVER_PROTOCOL},
		{"v=AAAA",					 ERR_SERVER_PROTOCOL},
		{"v=!!!!",					 ERR_SERVER_PROTOCOL},
		{"e=",					     ERR_SERVER_PROTOCOL},
		{"e=invalid-proof",                                ERR_AUTH_PASSWORD  },
		{"e=\x1b[31m\xff",                                 ERR_AUTH_PASSWORD  },
	};
	struct scram_client *c;
	struct buf verdict;
	struct err e;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		c = finished("secret", &verdict);
		e = (struct err){0};
		assert_int_equal(scram_client_verify(c, slice_str(bad[i].message), &e), -1);
		assert_int_equal(e.code, bad[i].code);
		assert_int_equal(e.from_server, bad[i].code == ERR_AUTH_PASSWORD);
		/* a good one that follows comes too late */
		assert_int_equal(scram_client_verify(c, buf_slice(&verdict), NULL), -1);
		buf_free(&verdict);
		scram_client_free(c);
	}
	c = finished("secret", &verdict);
	assert_int_equal(scram_client_verify(c, BYTES("e=x"), NULL), -1);
	scram_client_free(c);
	buf_free(&verdict);

	c = finished("secret", &verdict);
	assert_int_equal(scram_client_verify(c, buf_slice(&verdict), &e), 0);
	assert_int_equal(scram_client_verify(c, buf_slice(&verdict), &e), -1);
	scram_client_free(c);
	buf_free(&verdict);
	c = finished("secret", &verdict);
	buf_add_str(&verdict, ",x=1");
	assert_int_equal(scram_client_verify(c, buf_slice(&verdict), &e), -1);
	scram_client_free(c);
	buf_free(&verdict);
}

/* Every bit of the signature counts, and every length of the message. */
static void signature_bits(void **state)
{
	struct buf verdict, raw, text;
	struct scram_client *c;

	(void)state;
	buf_init(&raw, 100);
	buf_init(&text, 100);
	for (size_t bit = 0; bit < 8 * SCRAM_KEY_BYTES; bit += 17) {
		c = finished("secret", &verdict);
		buf_clear(&raw);
		buf_clear(&text);
		assert_int_equal(enc_base64_decode(&raw, slice_of(verdict.p + 2, verdict.n - 2)), 0);
		raw.p[bit / 8] ^= (unsigned char)(1 << bit % 8);
		buf_add_str(&text, "v=");
		enc_base64(&text, buf_slice(&raw));
		assert_int_equal(scram_client_verify(c, buf_slice(&text), NULL), -1);
		scram_client_free(c);
		buf_free(&verdict);
	}
	for (size_t n = 0; n < 46; n += 3) {
		c = finished("secret", &verdict);
		assert_int_equal(scram_client_verify(c, slice_of(verdict.p, n), NULL), -1);
		scram_client_free(c);
		buf_free(&verdict);
	}
	buf_free(&raw);
	buf_free(&text);
}

/* Which message comes when is the server's choice. */
static void out_of_turn(void **state)
{
	struct scram_client *c =
		scram_client_new((const unsigned char *)RAW_NONCE, SCRAM_BIND_NONE, slice_str(""));
	struct buf b;
	struct err e;

	(void)state;
	buf_init(&b, 1000);
	assert_int_equal(scram_client_server_first(c, BYTES(GOOD), &e), -1);
	assert_int_equal(e.code, ERR_SERVER_PROTOCOL);
	assert_int_equal(scram_client_verify(c, BYTES("v=AAAA"), &e), -1);
	assert_int_equal(scram_client_first(c, &b), 0);
	assert_int_equal(scram_client_verify(c, BYTES("v=AAAA"), &e), -1);
	assert_int_equal(scram_client_server_first(c, BYTES(GOOD), &e), 0);
	assert_int_equal(scram_client_server_first(c, BYTES(GOOD), &e), -1);
	scram_client_free(c);
	scram_client_free(NULL);
	buf_free(&b);
}

static void full_buffers(void **state)
{
	struct scram_client *c =
		scram_client_new((const unsigned char *)RAW_NONCE, SCRAM_BIND_NONE, slice_str(""));
	unsigned char salted[SCRAM_KEY_BYTES] = {0};
	struct buf b;
	struct err e;

	(void)state;
	buf_init(&b, 5);
	assert_int_equal(scram_client_first(c, &b), -1);
	assert_int_equal(scram_client_server_first(c, BYTES(GOOD), &e), 0);
	buf_clear(&b);
	assert_int_equal(scram_client_final(c, salted, &b), -1);
	scram_client_free(c);
	buf_free(&b);
}

static void passwords(void **state)
{
	struct buf b;
	struct err e;

	(void)state;
	buf_init_secret(&b, 20);
	assert_int_equal(scram_prepare_password(BYTES(""), &b, &e), -1);
	assert_int_equal(e.code, ERR_AUTH_PASSWORD);
	assert_int_equal(scram_prepare_password(BYTES("I\xc2\xadX"), &b, &e), 0);
	assert_slice(buf_slice(&b), "IX");
	buf_clear(&b);
	assert_int_equal(scram_prepare_password(BYTES("no utf-8 \xff\xc2\xad"), &b, &e), 0);
	assert_slice(buf_slice(&b), "no utf-8 \xff\xc2\xad");
	buf_clear(&b);
	/* prepared it is too long; raw it would fit and be wrong */
	assert_int_equal(
		scram_prepare_password(
			BYTES("\xe2\x85\xa7\xe2\x85\xa7\xe2\x85\xa7\xe2\x85\xa7\xe2\x85\xa7\xe2\x85\xa7"), &b,
			&e),
		-1);
	assert_int_equal(e.code, ERR_LIMIT);
	buf_free(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rfc_7677),
		cmocka_unit_test(bindings),
		cmocka_unit_test(hostile_challenges),
		cmocka_unit_test(challenges_cut),
		cmocka_unit_test(limits),
		cmocka_unit_test(verdicts),
		cmocka_unit_test(signature_bits),
		cmocka_unit_test(out_of_turn),
		cmocka_unit_test(full_buffers),
		cmocka_unit_test(passwords),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
