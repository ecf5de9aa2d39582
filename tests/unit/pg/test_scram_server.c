#include "pg_test.h"
#include "base/digest.h"
#include "base/enc.h"
#include "pg/scram_server.h"

#define RAW_NONCE "abcdefghijklmnopqr"       /* 18 bytes */
#define NONCE     "YWJjZGVmZ2hpamtsbW5vcHFy" /* the same in base64 */
#define SALT      "0123456789abcdef"
#define SALT64    "MDEyMzQ1Njc4OWFiY2RlZg=="
#define HASH      "0123456789abcdef0123456789ABCDEF" /* of a certificate */
#define PROOF     "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="

enum { NO_TLS, TLS, PLUS }; /* what the client chose where TLS and -PLUS are there */

static struct scram_server *server(int how)
{
	return scram_server_new(&(struct scram_server_opts){.nonce = (const unsigned char *)RAW_NONCE,
							    .plus = how == PLUS,
							    .plus_offered = how != NO_TLS,
							    .binding_data = slice_str(how == NO_TLS ? "" : HASH)});
}

static int first(struct scram_server *s, struct slice msg, struct buf *out, struct err *e)
{
	return scram_server_first(s, msg, slice_str(SALT), 4096, out, e);
}

/* pgiam's own client against it. */
static bool login(enum scram_binding binding, int how, const char *client_hash, const char *password,
		  const char *right)
{
	struct scram_client *c = scram_client_new((const unsigned char *)"another nonce abcd", binding,
						  slice_str(client_hash));
	struct scram_server *s = server(how);
	unsigned char salted[SCRAM_KEY_BYTES];
	struct scram_keys keys;
	struct buf m;
	struct err e;
	bool good = false;

	buf_init(&m, 4096);
	digest_pbkdf2_sha256(slice_str(right), slice_str(SALT), 4096, salted);
	scram_keys_make(salted, &keys);
	assert_int_equal(scram_client_first(c, &m), 0);
	struct buf answer;
	buf_init(&answer, 4096);
	assert_int_equal(first(s, buf_slice(&m), &answer, &e), 0);
	assert_int_equal(scram_client_server_first(c, buf_slice(&answer), &e), 0);
	digest_pbkdf2_sha256(slice_str(password), scram_client_salt(c), scram_client_iterations(c), salted);
	buf_clear(&m);
	assert_int_equal(scram_client_final(c, salted, &m), 0);
	if (scram_server_final(s, buf_slice(&m), &e) == 0) {
		buf_clear(&answer);
		good = scram_server_verify(s, &keys, &answer);
		/* mutual: who does not know the password is found out by the client too */
		assert_int_equal(scram_client_verify(c, buf_slice(&answer), &e) == 0, good);
	}
	buf_free(&m);
	buf_free(&answer);
	scram_client_free(c);
	scram_server_free(s);
	return good;
}

static void logins(void **state)
{
	(void)state;
	assert_true(login(SCRAM_BIND_NONE, NO_TLS, "", "pencil", "pencil"));
	assert_true(login(SCRAM_BIND_UNUSED, NO_TLS, "", "pencil", "pencil"));
	assert_true(login(SCRAM_BIND_NONE, TLS, "", "pencil", "pencil"));
	assert_true(login(SCRAM_BIND_END_POINT, PLUS, HASH, "pencil", "pencil"));
	assert_false(login(SCRAM_BIND_NONE, NO_TLS, "", "pencil", "Pencil"));
	assert_false(login(SCRAM_BIND_END_POINT, PLUS, HASH, "pencil", "Pencil"));
	assert_false(login(SCRAM_BIND_END_POINT, PLUS, "0123456789abcdef0123456789ABCDEf", "pencil", "pencil"));
}

/* RFC 7677 section 3, the server's half of it; the nonce's server part is ours here. */
static void challenge(void **state)
{
	struct scram_server *s = server(NO_TLS);
	struct buf out;
	struct err e;

	(void)state;
	buf_init(&out, 1000);
	assert_int_equal(first(s, BYTES("n,,n=user,r=rOprNGfwEbeRWgbNEkqO,x=ignored"), &out, &e), 0);
	assert_string_equal(buf_cstr(&out), "r=rOprNGfwEbeRWgbNEkqO" NONCE ",s=" SALT64 ",i=4096");
	buf_free(&out);
	scram_server_free(s);
}

/* What PostgreSQL 15 says to each. */
static void bad_firsts(void **state)
{
	static const struct {
		int how;
		struct slice msg;
		enum err_code code;
		const char *text, *detail;
	} cases[] = {
#define CASE(how, msg, code, text, detail) {how, {(const unsigned char *)(msg), sizeof(msg) - 1}, code, text, detail}
#define MALFORMED(how, msg, detail)        CASE(how, msg, ERR_CLIENT_PROTOCOL, "malformed SCRAM message", detail)
		MALFORMED(NO_TLS, "", "The message is empty."),
		MALFORMED(NO_TLS, "n,,n=,r=ab\0cd", "Message length does not match input length."),
		MALFORMED(NO_TLS, "x,,n=,r=ab", "Unexpected channel-binding flag \"x\"."),
		MALFORMED(NO_TLS, "\t", "Unexpected channel-binding flag \"0x09\"."),
		MALFORMED(NO_TLS, "n", "Comma expected, but found character \"0x00\"."),
		MALFORMED(NO_TLS, "nn,,n=,r=ab", "Comma expected, but found character \"n\"."),
		MALFORMED(NO_TLS, "n,", "Unexpected attribute \"0x00\" in client-first-message."),
		MALFORMED(NO_TLS, "n,b=joe,n=,r=ab", "Unexpected attribute \"b\" in client-first-message."),
		CASE(NO_TLS, "n,a=joe,n=,r=ab", ERR_CLIENT_UNSUPPORTED,
		     "client uses authorization identity, but it is not supported", ""),
		CASE(NO_TLS, "n,,m=x,n=,r=ab", ERR_CLIENT_UNSUPPORTED,
		     "client requires an unsupported SCRAM extension", ""),
		MALFORMED(NO_TLS, "n,,", "Expected attribute \"n\" but found \"0x00\"."),
		MALFORMED(NO_TLS, "n,,r=ab", "Expected attribute \"n\" but found \"r\"."),
		MALFORMED(NO_TLS, "n,,n", "Expected character \"=\" for attribute \"n\"."),
		MALFORMED(NO_TLS, "n,,n=", "Expected attribute \"r\" but found \"0x00\"."),
		MALFORMED(NO_TLS, "n,,n=,n=,r=ab", "Expected attribute \"r\" but found \"n\"."),
		CASE(NO_TLS, "n,,n=,r=", ERR_CLIENT_PROTOCOL, "non-printable characters in SCRAM nonce", ""),
		CASE(NO_TLS, "n,,n=,r=a b", ERR_CLIENT_PROTOCOL, "non-printable characters in SCRAM nonce", ""),
		CASE(NO_TLS, "n,,n=,r=a\x80", ERR_CLIENT_PROTOCOL, "non-printable characters in SCRAM nonce", ""),
		MALFORMED(NO_TLS, "n,,n=,r=ab,r=cd", "An attribute is in a place that is not its own."),
		MALFORMED(NO_TLS, "n,,n=,r=ab,1=cd", "Attribute expected, but found invalid character \"1\"."),
		MALFORMED(NO_TLS, "n,,n=,r=ab,x", "Expected character \"=\" for attribute \"x\"."),
		MALFORMED(NO_TLS, "p=tls-server-end-point,,n=,r=ab",
			  "The client selected SCRAM-SHA-256 without channel binding, but the SCRAM message includes "
			  "channel binding data."),
		MALFORMED(TLS, "p=tls-server-end-point,,n=,r=ab",
			  "The client selected SCRAM-SHA-256 without channel binding, but the SCRAM message includes "
			  "channel binding data."),
		MALFORMED(PLUS, "n,,n=,r=ab",
			  "The client selected SCRAM-SHA-256-PLUS, but the SCRAM message does not include channel "
			  "binding data."),
		MALFORMED(PLUS, "y,,n=,r=ab",
			  "The client selected SCRAM-SHA-256-PLUS, but the SCRAM message does not include channel "
			  "binding data."),
		MALFORMED(PLUS, "p", "Expected character \"=\" for attribute \"p\"."),
		CASE(PLUS, "p=tls-unique,,n=,r=ab", ERR_CLIENT_PROTOCOL,
		     "unsupported SCRAM channel-binding type \"tls-unique\"", ""),
		/* a downgrade: somebody took -PLUS out of the offer */
		CASE(TLS, "y,,n=,r=ab", ERR_CLIENT_USER, "SCRAM channel binding negotiation error",
		     "The client supports SCRAM channel binding but thinks the server does not.  However, this server "
		     "does support channel binding."),
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct scram_server *s = server(cases[i].how);
		struct buf out;
		struct err e = {0};

		buf_init(&out, 1000);
		assert_int_equal(first(s, cases[i].msg, &out, &e), -1);
		assert_int_equal(e.code, cases[i].code);
		assert_string_equal(e.msg, cases[i].text);
		assert_string_equal(e.detail, cases[i].detail);
		assert_int_equal(out.n, 0);
		buf_free(&out);
		scram_server_free(s);
	}
}

static void long_first(void **state)
{
	struct scram_server *s = server(NO_TLS);
	struct buf m, out;
	struct err e;

	(void)state;
	buf_init(&m, 4096);
	buf_init(&out, 4096);
	buf_add_str(&m, "n,,n=,r=");
	while (m.n < SCRAM_MAX_CLIENT_MESSAGE)
		buf_add_char(&m, 'r');
	assert_int_equal(first(s, buf_slice(&m), &out, &e), 0);
	scram_server_free(s);
	s = server(NO_TLS);
	buf_add_char(&m, 'r');
	assert_int_equal(first(s, buf_slice(&m), &out, &e), -1);
	scram_server_free(s);
	buf_free(&m);
	buf_free(&out);
}

#define ALL "r=ab" NONCE /* the whole nonce */

static int final(int how, char flag, struct slice msg, struct err *e)
{
	struct scram_server *s = server(how);
	struct buf out, hello;
	int rc;

	buf_init(&out, 1000);
	buf_init(&hello, 100);
	buf_printf(&hello, "%s,,n=,r=ab", flag == 'p' ? "p=tls-server-end-point" : flag == 'y' ? "y" : "n");
	assert_int_equal(first(s, buf_slice(&hello), &out, e), 0);
	rc = scram_server_final(s, msg, e);
	buf_free(&out);
	buf_free(&hello);
	scram_server_free(s);
	return rc;
}

/* Pitfall 76: each attribute missing, twice, in another place, empty. */
static void bad_finals(void **state)
{
	static const struct {
		const char *msg;
		enum err_code code;
		const char *text;
	} cases[] = {
		{"", ERR_CLIENT_PROTOCOL, "malformed SCRAM message"},
		{"c", ERR_CLIENT_PROTOCOL, "malformed SCRAM message"},
		{"c=", ERR_CLIENT_PROTOCOL, "unexpected SCRAM channel-binding attribute in client-final-message"},
		{"c=eSws," ALL ",p=" PROOF, ERR_CLIENT_PROTOCOL,
		 "unexpected SCRAM channel-binding attribute in client-final-message"},
		{"c=biws", ERR_CLIENT_PROTOCOL, "malformed SCRAM message"},
		{"c=biws,c=biws," ALL ",p=" PROOF, ERR_CLIENT_PROTOCOL, "malformed SCRAM message"},
		{ALL ",c=biws,p=" PROOF, ERR_CLIENT_PROTOCOL, "malformed SCRAM message"},
		{"c=biws," ALL, ERR_CLIENT_PROTOCOL, "malformed SCRAM message"},
		{"c=biws," ALL ",", ERR_CLIENT_PROTOCOL, "malformed SCRAM message"},
		{"c=biws," ALL ",p", ERR_CLIENT_PROTOCOL, "malformed SCRAM message"},
		{"c=biws," ALL ",p=", ERR_CLIENT_PROTOCOL, "malformed SCRAM message"},
		{"c=biws," ALL ",p=AAAA", ERR_CLIENT_PROTOCOL, "malformed SCRAM message"},
		{"c=biws," ALL ",p=" PROOF "AAAA", ERR_CLIENT_PROTOCOL, "malformed SCRAM message"},
		{"c=biws," ALL ",p=" PROOF ",", ERR_CLIENT_PROTOCOL, "malformed SCRAM message"},
		{"c=biws," ALL ",p=" PROOF ",p=" PROOF, ERR_CLIENT_PROTOCOL, "malformed SCRAM message"},
		{"c=biws," ALL ",r=x,p=" PROOF, ERR_CLIENT_PROTOCOL, "malformed SCRAM message"},
		{"c=biws,p=" PROOF, ERR_CLIENT_PROTOCOL, "malformed SCRAM message"}, /* CVE-2026-19888 */
		{"c=biws,r=,p=" PROOF, ERR_CLIENT_PROTOCOL, "invalid SCRAM response"},
		{"c=biws,r=ab,p=" PROOF, ERR_CLIENT_PROTOCOL, "invalid SCRAM response"},
		{"c=biws," ALL "x,p=" PROOF, ERR_CLIENT_PROTOCOL, "invalid SCRAM response"},
	};
	struct err e;

	(void)state;
	assert_int_equal(final(NO_TLS, 'n', BYTES("c=biws," ALL ",x=1,p=" PROOF), &e), 0);
	assert_int_equal(final(NO_TLS, 'y', BYTES("c=eSws," ALL ",p=" PROOF), &e), 0);
	assert_int_equal(final(NO_TLS, 'y', BYTES("c=biws," ALL ",p=" PROOF), &e), -1);
	assert_int_equal(final(NO_TLS, 'n', BYTES("c=biws," ALL ",p=" PROOF "\0"), &e), -1);
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		assert_int_equal(final(NO_TLS, 'n', slice_str(cases[i].msg), &e), -1);
		assert_int_equal(e.code, cases[i].code);
		assert_string_equal(e.msg, cases[i].text);
	}
	/* with -PLUS the header alone binds nothing */
	assert_int_equal(final(PLUS, 'p', BYTES("c=cD10bHMtc2VydmVyLWVuZC1wb2ludCws," ALL ",p=" PROOF), &e), -1);
	assert_int_equal(e.code, ERR_CLIENT_USER);
	assert_string_equal(e.msg, "SCRAM channel binding check failed");
}

static void cut_first(struct slice cut, bool whole)
{
	struct scram_server *s = server(PLUS);
	struct buf out;
	struct err e;

	(void)whole; /* a nonce cut short is a nonce */
	buf_init(&out, 1000);
	if (first(s, cut, &out, &e) == 0)
		assert_true(cut.n > sizeof("p=tls-server-end-point,,n=,r=") - 1);
	buf_free(&out);
	scram_server_free(s);
}

static void cut_final(struct slice cut, bool whole)
{
	struct err e;

	assert_int_equal(final(NO_TLS, 'n', cut, &e), whole ? 0 : -1);
}

static void cuts(void **state)
{
	(void)state;
	each_cut(BYTES("p=tls-server-end-point,,n=joe,r=abcdef"), cut_first);
	each_cut(BYTES("c=biws," ALL ",x=y,p=" PROOF), cut_final);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(logins),     cmocka_unit_test(challenge),  cmocka_unit_test(bad_firsts),
		cmocka_unit_test(long_first), cmocka_unit_test(bad_finals), cmocka_unit_test(cuts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
