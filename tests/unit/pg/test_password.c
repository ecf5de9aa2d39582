#include "pg_test.h"
#include "base/enc.h"
#include "pg/password.h"

static void passwords(void **state)
{
	struct slice p;
	struct err e;

	(void)state;
	assert_int_equal(password_parse(BYTES("sesame\0"), &p, &e), 0);
	assert_slice(p, "sesame");
	assert_int_equal(password_parse(BYTES("\0"), &p, &e), -1);
	assert_int_equal(e.code, ERR_AUTH_PASSWORD);
	assert_string_equal(e.msg, "empty password returned by client");
	assert_int_equal(password_parse(BYTES("ses\0me\0"), &p, &e), -1);
	assert_int_equal(e.code, ERR_CLIENT_PROTOCOL);
	assert_string_equal(e.msg, "invalid password packet size");
}

static void cut_password(struct slice cut, bool whole)
{
	struct slice p;
	struct err e;

	assert_int_equal(password_parse(cut, &p, &e), whole ? 0 : -1);
}

static int parse_sasl(struct slice body, struct slice *mechanism, struct password_sasl *m, struct err *e)
{
	return password_take_mechanism(&body, mechanism, e) != 0 ? -1 : password_parse_sasl(body, m, e);
}

static void sasl(void **state)
{
	struct password_sasl m;
	struct slice name;
	struct err e;

	(void)state;
	assert_int_equal(parse_sasl(BYTES("SCRAM-SHA-256\0\0\0\0\3n,,"), &name, &m, &e), 0);
	assert_slice(name, "SCRAM-SHA-256");
	assert_slice(m.data, "n,,");
	assert_true(m.has_data);
	assert_int_equal(parse_sasl(BYTES("X\0\xff\xff\xff\xff"), &name, &m, &e), 0);
	assert_false(m.has_data);
	assert_int_equal(parse_sasl(BYTES("X\0\0\0\0\0"), &name, &m, &e), 0);
	assert_true(m.has_data);
	assert_int_equal(m.data.n, 0);
	assert_int_equal(parse_sasl(BYTES("X\0\xff\xff\xff\xff\0"), &name, &m, &e), -1);
	assert_string_equal(e.msg, "invalid message format");
	assert_int_equal(parse_sasl(BYTES("X\0\x7f\xff\xff\xffn"), &name, &m, &e), -1);
	assert_string_equal(e.msg, "insufficient data left in message");
	assert_slice(name, "X"); /* known all the same */
	assert_int_equal(parse_sasl(BYTES("X"), &name, &m, &e), -1);
	assert_string_equal(e.msg, "invalid string in message");
}

static void cut_sasl(struct slice cut, bool whole)
{
	struct password_sasl m;
	struct slice name;
	struct err e;

	assert_int_equal(parse_sasl(cut, &name, &m, &e), whole ? 0 : -1);
}

static void cuts(void **state)
{
	(void)state;
	each_cut(BYTES("sesame\0"), cut_password);
	each_cut(BYTES("SCRAM-SHA-256\0\0\0\0\5n,,n="), cut_sasl);
}

/* As PostgreSQL computes them: md5 of "sesame" and "joe", and its answer to the salt 01020304. */
static void md5(void **state)
{
	unsigned char kept[DIGEST_MD5_BYTES], again[DIGEST_MD5_BYTES];
	char answer[PASSWORD_MD5_CHARS];
	struct buf text;

	(void)state;
	buf_init(&text, 100);
	assert_true(password_md5(slice_str("sesame"), slice_str("joe"), kept));
	buf_add_str(&text, "md5");
	enc_hex(&text, slice_of(kept, sizeof(kept)));
	assert_string_equal(buf_cstr(&text), "md5688376570e45c6009b9fd0b578bd0813");
	assert_true(password_is_md5(buf_slice(&text), again));
	assert_memory_equal(kept, again, sizeof(kept));
	assert_true(password_md5_answer(kept, (const unsigned char *)"\1\2\3\4", answer));
	assert_memory_equal(answer, "md5a4b8628eb20048c0836eda9b693dd793", PASSWORD_MD5_CHARS);
	assert_true(password_is_md5(BYTES("md5ABCDEF7890abcdef1234567890abcdef"), again));
	assert_int_equal(again[0], 0xab);
	assert_false(password_is_md5(BYTES("md5ABCDEF7890abcdef1234567890abcde"), NULL));
	assert_false(password_is_md5(BYTES("md5ABCDEF7890abcdef1234567890abcdeg"), NULL));
	assert_false(password_is_md5(BYTES("MD5ABCDEF7890abcdef1234567890abcdef"), NULL));
	buf_free(&text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(passwords),
		cmocka_unit_test(sasl),
		cmocka_unit_test(cuts),
		cmocka_unit_test(md5),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
