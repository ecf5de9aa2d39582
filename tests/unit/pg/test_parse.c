#include "pg_test.h"
#include "base/wr.h"
#include "pg/message.h"
#include "pg/parse.h"
#include "pg/startup.h"

#define REAL_ERROR                                                                                           \
	"SFATAL\0VFATAL\0C28000\0MPAM authentication failed for user \"app\"\0Dd\0Hh\0P12\0Fauth.c\0L349\0"  \
	"Rauth_failed\0\0"

static void error_fields(void **state)
{
	struct parse_error pe;

	(void)state;
	assert_int_equal(parse_error(BYTES(REAL_ERROR), &pe), 0);
	assert_slice(pe.severity, "FATAL");
	assert_slice(pe.sqlstate, "28000");
	assert_slice(pe.message, "PAM authentication failed for user \"app\"");
	assert_slice(pe.detail, "d");
	assert_slice(pe.hint, "h");
	assert_slice(pe.file, "auth.c");
	assert_slice(pe.line, "349");
	assert_slice(pe.routine, "auth_failed");
	/* V is never translated, whichever comes first */
	assert_int_equal(parse_error(BYTES("VERROR\0SFEHLER\0\0"), &pe), 0);
	assert_slice(pe.severity, "ERROR");
	assert_int_equal(parse_error(BYTES("SFEHLER\0VERROR\0\0"), &pe), 0);
	assert_slice(pe.severity, "ERROR");
	assert_int_equal(parse_error(BYTES("SFEHLER\0\0"), &pe), 0);
	assert_slice(pe.severity, "FEHLER");
	/* every field is optional (CVE-2026-6666) */
	assert_int_equal(parse_error(BYTES("\0"), &pe), 0);
	assert_int_equal(pe.severity.n + pe.sqlstate.n + pe.message.n + pe.detail.n + pe.hint.n + pe.file.n +
				 pe.line.n + pe.routine.n,
			 0);
	assert_int_equal(parse_error(BYTES("Mtwo\0Mthree\0z?\0\0"), &pe), 0);
	assert_slice(pe.message, "three");
}

static void sqlstates(void **state)
{
	static const struct {
		struct slice body;
		bool good;
	} cases[] = {
		{{(const unsigned char *)"C57P01\0", 8},  true },
		{{(const unsigned char *)"CZZ9AA\0", 8},  true },
		{{(const unsigned char *)"C\0", 3},       false},
		{{(const unsigned char *)"C5700\0", 7},   false},
		{{(const unsigned char *)"C570000\0", 9}, false},
		{{(const unsigned char *)"C57p01\0", 8},  false},
		{{(const unsigned char *)"C57P0 \0", 8},  false},
		{{(const unsigned char *)"C57P0\n\0", 8}, false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct parse_error pe;

		assert_int_equal(parse_error(cases[i].body, &pe), 0);
		assert_int_equal(pe.sqlstate.n, cases[i].good ? 5 : 0);
	}
}

static void check_error_cut(struct slice cut, bool whole)
{
	struct parse_error pe, prefix;

	assert_int_equal(parse_error(cut, &pe), whole ? 0 : -1);
	parse_error_prefix(cut, &prefix);
	/* a field is there exactly when its NUL is */
	assert_int_equal(prefix.severity.n, cut.n >= 7 ? 5 : 0);
	assert_int_equal(prefix.sqlstate.n, cut.n >= 21 ? 5 : 0);
	assert_int_equal(prefix.message.n, cut.n >= 63 ? 40 : 0);
	assert_int_equal(prefix.routine.n, cut.n >= sizeof(REAL_ERROR) - 2 ? 11 : 0);
}

static void errors_cut(void **state)
{
	struct parse_error pe;

	(void)state;
	each_cut(BYTES(REAL_ERROR), check_error_cut);
	assert_int_equal(parse_error(BYTES("C57P01\0\0x"), &pe), -1);
	parse_error_prefix(BYTES("C57P01\0\0x"), &pe);
	assert_slice(pe.sqlstate, "57P01");
}

static void errors_of_old(void **state)
{
	struct parse_error pe;

	(void)state;
	assert_false(parse_error_old(BYTES(""), &pe));
	assert_false(parse_error_old(BYTES("N"), &pe));
	assert_true(parse_error_old(BYTES("E"), &pe));
	assert_int_equal(pe.message.n, 0);
	assert_true(
		parse_error_old(BYTES("Ecould not fork new process for connection: No more\n\0junk"), &pe));
	assert_slice(pe.message, "could not fork new process for connection: No more");
	assert_int_equal(pe.sqlstate.n, 0);
	assert_true(parse_error_old(BYTES("Esorry\n\n"), &pe));
	assert_slice(pe.message, "sorry");
}

static void into_an_err(void **state)
{
	struct parse_error pe;
	struct err e;
	char big[3000];

	(void)state;
	assert_int_equal(parse_error(BYTES(REAL_ERROR), &pe), 0);
	parse_error_to_err(&pe, ERR_AUTH_IAM, &e);
	assert_int_equal(e.code, ERR_AUTH_IAM);
	assert_string_equal(e.sqlstate, "28000");
	assert_string_equal(e.msg, "PAM authentication failed for user \"app\"");
	assert_string_equal(e.detail, "d");
	assert_string_equal(e.hint, "h");
	assert_true(e.from_server);

	assert_int_equal(parse_error(BYTES("\0"), &pe), 0);
	parse_error_to_err(&pe, ERR_LOGIN_REFUSED, &e);
	assert_string_equal(e.sqlstate, "08004");
	assert_string_equal(e.msg, "the server sent an error without a message");
	assert_string_equal(e.detail, "");
	assert_true(e.from_server);

	assert_int_equal(parse_error(BYTES("M%s%n\x1b\xff\0\0"), &pe), 0);
	parse_error_to_err(&pe, ERR_LOGIN_REFUSED, &e);
	assert_string_equal(e.msg, "%s%n??");

	memset(big, 'x', sizeof(big));
	pe.message = pe.detail = pe.hint = slice_of(big, sizeof(big));
	parse_error_to_err(&pe, ERR_LOGIN_REFUSED, &e);
	assert_int_equal(strlen(e.msg), sizeof(e.msg) - 1);
	assert_int_equal(strlen(e.detail), sizeof(e.detail) - 1);
	assert_int_equal(strlen(e.hint), sizeof(e.hint) - 1);
}

static void check_status_cut(struct slice cut, bool whole)
{
	struct slice name, value;

	assert_int_equal(parse_parameter_status(cut, &name, &value), whole ? 0 : -1);
	if (whole) {
		assert_slice(name, "server_version");
		assert_slice(value, "16.4");
	}
}

static void parameter_status(void **state)
{
	struct slice name, value;

	(void)state;
	each_cut(BYTES("server_version\0"
		       "16.4\0"),
		 check_status_cut);
	assert_int_equal(parse_parameter_status(BYTES("a\0\0"), &name, &value), 0);
	assert_int_equal(value.n, 0);
	assert_int_equal(parse_parameter_status(BYTES("\0x\0"), &name, &value), -1);
	assert_int_equal(parse_parameter_status(BYTES("a\0b\0c"), &name, &value), -1);
}

static void backend_keys(void **state)
{
	unsigned char body[300] = {0x80, 0, 0, 1};
	uint32_t pid;
	struct slice key;

	(void)state;
	for (size_t n = 0; n < sizeof(body); n++) {
		void *copy = guard_copy(body, n);
		int rc = parse_backend_key(slice_of(copy, n), &pid, &key);

		assert_int_equal(rc, n >= 8 && n <= 4 + 256 ? 0 : -1);
		if (rc == 0) {
			assert_int_equal(pid, 0x80000001);
			assert_int_equal(key.n, n - 4);
			assert_ptr_equal(key.p, (unsigned char *)copy + 4);
		}
		guard_free(copy, n);
	}
}

static void ready(void **state)
{
	(void)state;
	for (unsigned c = 0; c < 256; c++) {
		unsigned char b = (unsigned char)c;

		assert_int_equal(parse_ready(slice_of(&b, 1)), c && strchr("ITE", (int)c) ? (int)c : 0);
	}
	assert_int_equal(parse_ready(BYTES("")), 0);
	assert_int_equal(parse_ready(BYTES("II")), 0);
}

static void check_negotiate_cut(struct slice cut, bool whole)
{
	uint32_t version;

	struct err e;

	assert_int_equal(parse_negotiate(cut, STARTUP_3_2, STARTUP_3_0, &version, &e), whole ? 0 : -1);
	if (whole)
		assert_int_equal(version, STARTUP_3_0);
	else
		assert_int_equal(e.code, ERR_SERVER_PROTOCOL);
}

static void negotiate(void **state)
{
	const struct {
		uint32_t asked, minimum;
		struct slice body;
		const char *error; /* NULL: good */
	} cases[] = {
		{STARTUP_3_2, STARTUP_3_0, BYTES("\0\x03\0\0\0\0\0\0"), NULL},
		{STARTUP_VERSION(3, 9999), STARTUP_3_0, BYTES("\0\x03\0\x02\0\0\0\0"), NULL},
		{STARTUP_VERSION(3, 9999), STARTUP_3_2, BYTES("\0\x03\0\x02\0\0\0\0"), NULL},
		{STARTUP_3_2, STARTUP_3_2, BYTES("\0\x03\0\0\0\0\0\0"), "min_protocol_version is 3.2"},
		{STARTUP_3_2, STARTUP_3_0, BYTES("\0\x03\0\0\0\0\0\0\0"), "too long"},
		{STARTUP_3_2, STARTUP_3_0, BYTES("\0\x02\0\0\0\0\0\0"), "older than 3.0"},
		{STARTUP_3_2, STARTUP_3_0, BYTES("\0\0\0\x02\0\0\0\0"), "older than 3.0"},
		{STARTUP_3_2, STARTUP_3_0, BYTES("\0\x03\0\x01\0\0\0\0"), "never existed"},
		{STARTUP_3_2, STARTUP_3_0, BYTES("\0\x03\0\x02\0\0\0\0"), "no change"},
		{STARTUP_3_2, STARTUP_3_0, BYTES("\0\x03\0\x03\0\0\0\0"), "newer version"},
		{STARTUP_3_2, STARTUP_3_0, BYTES("\0\x03\0\0\0\0\0\x01_pq_.a\0"), "not asked for"},
		{STARTUP_3_2, STARTUP_3_0, BYTES("\0\x03\0\x02\0\0\0\x01_pq_.a\0"), "not asked for"},
		{STARTUP_3_2, STARTUP_3_0, BYTES("\0\x03\0\0\0\0\0\x01timezone\0"), "no option"},
		/* a count from the wire does not decide how long we work */
		{STARTUP_3_2, STARTUP_3_0, BYTES("\0\x03\0\0\x7f\xff\xff\xffx\0"), "no option"},
		{STARTUP_3_2, STARTUP_3_0, BYTES("\0\x03\0\0\xff\xff\xff\xff_pq_.a\0"), "negative number"},
	};

	(void)state;
	each_cut(BYTES("\0\x03\0\0\0\0\0\0"), check_negotiate_cut);
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct err e = {0};
		uint32_t version;
		int rc = parse_negotiate(cases[i].body, cases[i].asked, cases[i].minimum, &version, &e);

		assert_int_equal(rc, cases[i].error ? -1 : 0);
		assert_true(!cases[i].error || strstr(e.msg, cases[i].error));
	}
}

static void auth_requests(void **state)
{
	static const struct {
		uint32_t request;
		size_t data; /* what it must be followed by; 99: anything */
		const char *name;
	} cases[] = {
		{AUTH_OK,            0,  "trust"      },
		{AUTH_KERBEROS_V5,   0,  "Kerberos V5"},
		{AUTH_CLEARTEXT,     0,  "password"   },
		{4,                  99, "unknown"    },
		{AUTH_MD5,           4,  "md5"        },
		{AUTH_GSS,           0,  "GSSAPI"     },
		{AUTH_GSS_CONTINUE,  99, "GSSAPI"     },
		{AUTH_SSPI,          0,  "SSPI"       },
		{AUTH_SASL,          99, "SASL"       },
		{AUTH_SASL_CONTINUE, 99, "SASL"       },
		{AUTH_SASL_FINAL,    99, "SASL"       },
		{0xffffffff,         99, "unknown"    },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct buf b;

		buf_init(&b, 100);
		wr_be32(&b, cases[i].request);
		buf_add(&b, "salt!", 5);
		for (size_t n = 0; n <= b.n; n++) {
			void *copy = guard_copy(b.p, n);
			bool good = n >= 4 && (cases[i].data == 99 || n - 4 == cases[i].data);
			uint32_t request;
			struct slice data;

			assert_int_equal(parse_auth(slice_of(copy, n), &request, &data), good ? 0 : -1);
			if (good) {
				assert_int_equal(request, cases[i].request);
				assert_int_equal(data.n, n - 4);
			}
			guard_free(copy, n);
		}
		assert_string_equal(parse_auth_name(cases[i].request), cases[i].name);
		buf_free(&b);
	}
}

static void check_offers_cut(struct slice cut, bool whole)
{
	assert_int_equal(parse_sasl_offers(cut, "SCRAM-SHA-256"), whole ? 1 : -1);
}

static void sasl_offers(void **state)
{
	static const struct slice both = {(const unsigned char *)"SCRAM-SHA-256-PLUS\0SCRAM-SHA-256\0", 34};

	(void)state;
	each_cut(both, check_offers_cut);
	assert_int_equal(parse_sasl_offers(both, "SCRAM-SHA-256-PLUS"), 1);
	assert_int_equal(parse_sasl_offers(both, "SCRAM-SHA"), 0);
	assert_int_equal(parse_sasl_offers(both, "OAUTHBEARER"), 0);
	assert_int_equal(parse_sasl_offers(both, ""), 0);
	assert_int_equal(parse_sasl_offers(BYTES("\0"), "SCRAM-SHA-256"), 0);
	assert_int_equal(parse_sasl_offers(BYTES("SCRAM-SHA-256\0\0x"), "SCRAM-SHA-256"), -1);
	assert_int_equal(parse_sasl_offers(BYTES("SCRAM-SHA-256\0"), "SCRAM-SHA-256"), -1);
}

static void check_names(struct slice list, size_t max, const char *want)
{
	struct buf b;

	buf_init(&b, max);
	parse_sasl_names(list, &b);
	assert_string_equal(buf_cstr(&b), want);
	buf_free(&b);
}

static void check_names_cut(struct slice cut, bool whole)
{
	check_names(cut, 100, whole || cut.n >= 24 ? "OAUTHBEARER, SCRAM-SHA-1" : cut.n >= 12 ? "OAUTHBEARER" : "");
}

static void sasl_names(void **state)
{
	static const struct slice two = {(const unsigned char *)"OAUTHBEARER\0SCRAM-SHA-1\0", 25};

	(void)state;
	each_cut(two, check_names_cut);
	check_names(two, 23, "OAUTHBEARER");
	check_names(BYTES("\0"), 100, "");
	check_names(BYTES("a\xffZ_9\n%s\0\0"), 100, "??Z_9???");
	check_names(BYTES("ABCDEFGHIJKLMNOPQRSTUVWXYZ\0B\0\0"), 100, "ABCDEFGHIJKLMNOPQRST, B");
}

/* What our builders write, our parsers read. */
static void round_trips(void **state)
{
	struct slice a, b, key = BYTES("0123456789abcdef0123456789abcdef");
	uint32_t pid;
	struct buf m;

	(void)state;
	buf_init(&m, 1000);
	message_parameter_status(&m, "search_path", "\"$user\", public");
	assert_int_equal(parse_parameter_status(slice_of(m.p + 5, m.n - 5), &a, &b), 0);
	assert_slice(b, "\"$user\", public");
	buf_clear(&m);
	message_backend_key(&m, 4711, key);
	assert_int_equal(parse_backend_key(slice_of(m.p + 5, m.n - 5), &pid, &a), 0);
	assert_int_equal(pid, 4711);
	assert_true(slice_eq(a, key));
	buf_clear(&m);
	message_ready(&m, 'T');
	assert_int_equal(parse_ready(slice_of(m.p + 5, m.n - 5)), 'T');
	buf_clear(&m);
	message_auth_ok(&m);
	assert_int_equal(parse_auth(slice_of(m.p + 5, m.n - 5), &pid, &a), 0);
	assert_int_equal(pid, AUTH_OK);
	buf_free(&m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(error_fields), cmocka_unit_test(sqlstates),
		cmocka_unit_test(errors_cut),   cmocka_unit_test(errors_of_old),
		cmocka_unit_test(into_an_err),  cmocka_unit_test(parameter_status),
		cmocka_unit_test(backend_keys), cmocka_unit_test(ready),
		cmocka_unit_test(negotiate),    cmocka_unit_test(auth_requests),
		cmocka_unit_test(sasl_offers),
		cmocka_unit_test(sasl_names),  cmocka_unit_test(round_trips),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
