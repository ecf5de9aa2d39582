#include "pg_test.h"
#include "pg/message.h"
#include "pg/parse.h"
#include "pg/utf8.h"

static void login_messages(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, 1000);
	message_auth_ok(&b);
	message_parameter_status(&b, "TimeZone", "UTC");
	message_backend_key(&b, 0x01020304, BYTES("\xff\xfe\xfd\xfc"));
	message_ready(&b, 'I');
	assert_slice(buf_slice(&b), "R\0\0\0\x08\0\0\0\0"
				    "S\0\0\0\x11TimeZone\0UTC\0"
				    "K\0\0\0\x0c\x01\x02\x03\x04\xff\xfe\xfd\xfc"
				    "Z\0\0\0\x05I");
	buf_free(&b);
}

static void frontend_messages(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, 1000);
	message_query(&b, "DISCARD ALL");
	message_password(&b, BYTES("host/?Action=connect"));
	message_sasl_initial(&b, "SCRAM-SHA-256", BYTES("n,,n=,r=x"));
	message_sasl_response(&b, BYTES("c=biws"));
	assert_slice(buf_slice(&b), "Q\0\0\0\x10"
				    "DISCARD ALL\0"
				    "p\0\0\0\x19host/?Action=connect\0"
				    "p\0\0\0\x1fSCRAM-SHA-256\0\0\0\0\x09n,,n=,r=x"
				    "p\0\0\0\x0a"
				    "c=biws");
	buf_free(&b);
}

static void reports(void **state)
{
	struct message_error m = {"WARNING", "01000", "bad \xff byte, \x1b[31m", NULL, ""};
	struct buf b;

	(void)state;
	buf_init(&b, 1000);
	message_notice(&b, &m);
	assert_slice(buf_slice(&b), "N\0\0\0\x31SWARNING\0VWARNING\0C01000\0Mbad ? byte, ?[31m\0\0");
	buf_clear(&b);
	m = (struct message_error){"FATAL", "28000", "\"q\"\n\t\xc3\xa9", "d", "h"};
	message_error(&b, &m);
	assert_slice(buf_slice(&b), "E\0\0\0\x29SFATAL\0VFATAL\0C28000\0M\"q\"\n\t\xc3\xa9\0"
				    "Dd\0Hh\0\0");
	buf_free(&b);
}

static void fields_of(const struct buf *b, struct parse_error *pe)
{
	assert_int_equal(b->p[0], 'E');
	assert_int_equal(parse_error(slice_of(b->p + 5, b->n - 5), pe), 0);
}

static void errors_for_clients(void **state)
{
	struct parse_error pe;
	struct err e;
	struct buf b;

	(void)state;
	buf_init(&b, 5000);
	err_set(&e, ERR_TLS_VERIFY, "certificate of \"db\" has expired");
	err_detail(&e, "It ended yesterday.");
	message_fatal_err(&b, &e, true);
	fields_of(&b, &pe);
	assert_slice(pe.severity, "FATAL");
	assert_slice(pe.sqlstate, "08001");
	assert_slice(pe.message, "certificate of \"db\" has expired");
	assert_slice(pe.detail, "It ended yesterday.");
	assert_true(slice_eq_str(pe.hint, err_hint_text(&e)));
	buf_clear(&b);
	message_fatal_err(&b, &e, false);
	fields_of(&b, &pe);
	assert_slice(pe.message, "certificate of \"db\" has expired");
	assert_int_equal(pe.detail.n, 0);
	assert_int_equal(pe.hint.n, 0);

	/* a server's text only for those who may see it */
	err_set(&e, ERR_LOGIN_REFUSED, "database \"secret\" does not exist");
	memcpy(e.sqlstate, "3D000", 6);
	e.from_server = true;
	buf_clear(&b);
	message_fatal_err(&b, &e, true);
	fields_of(&b, &pe);
	assert_slice(pe.sqlstate, "3D000");
	assert_slice(pe.message, "database \"secret\" does not exist");
	buf_clear(&b);
	message_fatal_err(&b, &e, false);
	fields_of(&b, &pe);
	assert_slice(pe.sqlstate, "08004");
	assert_slice(pe.message, "could not log in to the database server");

	/* nor do they learn what credentials are had with */
	for (size_t i = 0; i < 3; i++) {
		err_set(&e, (enum err_code[]){ERR_CREDENTIALS, ERR_CREDENTIALS_AWAY, ERR_REGION}[i],
			"the secret arn:aws:secretsmanager:us-east-1:123456789012:secret:x cannot be read");
		buf_clear(&b);
		message_fatal_err(&b, &e, true);
		fields_of(&b, &pe);
		assert_true(slice_starts(pe.message, "the secret arn:"));
		buf_clear(&b);
		message_fatal_err(&b, &e, false);
		fields_of(&b, &pe);
		assert_true(slice_eq_str(pe.sqlstate, err_info(e.code)->sqlstate));
		assert_slice(pe.message, "could not log in to the database server");
	}
	buf_free(&b);
}

/* A buffer too small for a message says so, whichever message and wherever it ends. */
static void full(void **state)
{
	struct message_error m = {"FATAL", "28000", "message", "detail", "hint"};

	(void)state;
	for (size_t max = 0; max < 150; max++) {
		struct buf b;

		buf_init(&b, max);
		message_error(&b, &m);
		message_sasl_initial(&b, "SCRAM-SHA-256", BYTES("n,,"));
		message_backend_key(&b, 1, BYTES("1234"));
		assert_int_equal(b.full, max < 89);
		assert_true(b.n <= max);
		buf_free(&b);
	}
}

static void literals(void **state)
{
	static const struct {
		const char *value, *literal;
	} cases[] = {
		{"",			     "''"			    },
		{"plain",                        "'plain'"                       },
		{"it's",			 "'it''s'"                       },
		{"'; DROP TABLE x; --",          "'''; DROP TABLE x; --'"        },
		{"\\",			   " E'\\\\'"                      },
		{"a\\'b",                        " E'a\\\\''b'"                  },
		{"caf\xc3\xa9 \xf0\x9f\x98\x80", " E'caf\\U000000E9 \\U0001F600'"},
		{"\xbf\\\xbf'",                  " E'?\\\\?'''"                  }, /* GBK's way out of a literal */
		{"\xc3",			 " E'?'"                         },
		{"tab\t",                        "'tab\t'"                       },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct buf b;

		buf_init(&b, 100);
		message_literal(&b, cases[i].value);
		assert_string_equal(buf_cstr(&b), cases[i].literal);
		buf_free(&b);
	}
}

static void cleaning(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, 100);
	utf8_clean(
		&b,
		BYTES("a\n\t\r\0\x7f\xc2\x80\xc2\xa0\xed\xa0\x80\xf4\x90\x80\x80\xf0\x9f\x98\x80z\xe2\x82"));
	assert_string_equal(buf_cstr(&b), "a\n\t????\xc2\xa0???????\xf0\x9f\x98\x80z??");
	buf_free(&b);
	/* no half character where it is full */
	buf_init(&b, 3);
	utf8_clean(&b, BYTES("ab\xe2\x82\xac"
			     "c"));
	assert_string_equal(buf_cstr(&b), "ab");
	assert_true(b.full);
	buf_free(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(login_messages), cmocka_unit_test(frontend_messages),
		cmocka_unit_test(reports),        cmocka_unit_test(errors_for_clients),
		cmocka_unit_test(full),           cmocka_unit_test(literals),
		cmocka_unit_test(cleaning),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
