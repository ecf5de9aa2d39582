#include "pg_test.h"
#include "base/wr.h"
#include "pg/msg.h"
#include "pg/parse.h"
#include "pg/startup.h"

/* A packet around body: length word, version, body. Free with buf_free. */
static struct buf packet(uint32_t version, struct slice body)
{
	struct buf b;
	size_t mark;

	buf_init(&b, 20000);
	mark = wr_len_begin(&b);
	wr_be32(&b, version);
	buf_add_slice(&b, body);
	wr_len_end(&b, mark);
	return b;
}

/* Parses a packet flush against a forbidden page. The key is borrowed from what is unmapped then: not to be
 * used. */
static int parse(uint32_t version, struct slice body, struct startup *s, struct err *e)
{
	struct buf b = packet(version, body);
	void *copy = guard_copy(b.p, b.n);
	int rc = startup_parse(slice_of(copy, b.n), s, e);

	guard_free(copy, b.n);
	buf_free(&b);
	return rc;
}

static void lengths(void **state)
{
	static const struct {
		const char *bytes;
		enum frame_status status;
		size_t total;
	} cases[] = {
		{"\x00\x00\x00\x00", FRAME_BAD, 0    },
		{"\x00\x00\x00\x07", FRAME_BAD, 0    },
		{"\x00\x00\x00\x08", FRAME_OK,  8    },
		{"\x00\x00\x27\x14", FRAME_OK,  10004}, /* PostgreSQL: 10000 after the length word */
		{"\x00\x00\x27\x15", FRAME_BAD, 0    },
		{"\x7f\xff\xff\xff", FRAME_BAD, 0    },
		{"\x80\x00\x00\x08", FRAME_BAD, 0    },
		{"\xff\xff\xff\xff", FRAME_BAD, 0    },
		{"\x16\x03\x01\x02", FRAME_BAD, 0    }, /* TLS without asking */
		{"GET ",             FRAME_BAD, 0    },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		for (size_t n = 0; n <= 4; n++) {
			void *copy = guard_copy(cases[i].bytes, n);
			size_t total = 0;

			assert_int_equal(startup_length(slice_of(copy, n), &total),
					 n < 4 ? FRAME_PARTIAL : cases[i].status);
			assert_int_equal(total, n < 4 ? 0 : cases[i].total);
			guard_free(copy, n);
		}
	}
}

static void ordinary(void **state)
{
	struct startup s;
	struct err e;

	(void)state;
	assert_int_equal(parse(STARTUP_3_0,
			       BYTES("user\0alice\0database\0shop\0application_name\0psql\0"
				     "options\0-c geqo=off\0replication\0database\0"
				     "_pq_.a\0x\0client_encoding\0\0\0"),
			       &s, &e),
			 0);
	assert_int_equal(s.kind, STARTUP_MESSAGE);
	assert_int_equal(s.version, STARTUP_3_0);
	assert_string_equal(s.user, "alice");
	assert_string_equal(s.database, "shop");
	assert_string_equal(s.replication, "database");
	assert_int_equal(s.params.n, 3);
	assert_string_equal(s.params.v[0].name, "application_name");
	assert_string_equal(s.params.v[1].value, "-c geqo=off");
	assert_string_equal(s.params.v[2].value, "");
	assert_int_equal(s.pq.n, 1);
	assert_string_equal(params_get(&s.pq, "_pq_.a"), "x");
	startup_free(&s);
	startup_free(&s);
}

static void defaults_and_repetitions(void **state)
{
	struct startup s;
	struct err e;

	(void)state;
	assert_int_equal(parse(STARTUP_3_0, BYTES("user\0alice\0\0"), &s, &e), 0);
	assert_string_equal(s.database, "alice");
	assert_null(s.replication);
	startup_free(&s);

	assert_int_equal(parse(STARTUP_3_0,
			       BYTES("database\0\0user\0a\0user\0b\0datestyle\0x\0DateStyle\0ISO\0\0"), &s,
			       &e),
			 0);
	assert_string_equal(s.user, "b");
	assert_string_equal(s.database, "b");
	assert_int_equal(s.params.n, 1);
	assert_string_equal(s.params.v[0].value, "ISO");
	startup_free(&s);

	/* names are known in lower case only; texts need not be UTF-8; nothing is cut */
	assert_int_equal(
		parse(STARTUP_3_0,
		      BYTES("user\0\xe9\xff"
			    "0123456789012345678901234567890123456789012345678901234567890123456789\0"
			    "User\0bob\0_PQ_.x\0y\0\0"),
		      &s, &e),
		0);
	assert_int_equal(strlen(s.user), 72);
	assert_string_equal(params_get(&s.params, "user"), "bob");
	assert_string_equal(params_get(&s.params, "_pq_.x"), "y");
	assert_int_equal(s.pq.n, 0);
	startup_free(&s);
}

#define BAD_LENGTH "invalid length of startup packet"
#define BAD_LAYOUT "invalid startup packet layout: expected terminator as last byte"
#define NO_USER    "no PostgreSQL user name specified in startup packet"

/* PostgreSQL 15's own words. */
static void refusals(void **state)
{
	static const struct {
		uint32_t version;
		const char *body;
		size_t n;
		enum err_code code;
		const char *sqlstate, *msg;
	} cases[] = {
#define CASE(version, body, code, sqlstate, msg) {version, body, sizeof(body) - 1, code, sqlstate, msg}
		CASE(STARTUP_3_0, "", ERR_CLIENT_PROTOCOL, "08P01", BAD_LAYOUT),
		CASE(STARTUP_3_0, "user\0a\0", ERR_CLIENT_PROTOCOL, "08P01", BAD_LAYOUT),
		CASE(STARTUP_3_0, "user\0a\0\0\0", ERR_CLIENT_PROTOCOL, "08P01", BAD_LAYOUT),
		CASE(STARTUP_3_0, "user\0a\0\0user\0b\0\0", ERR_CLIENT_PROTOCOL, "08P01", BAD_LAYOUT),
		CASE(STARTUP_3_0, "user\0a\0x\0", ERR_CLIENT_PROTOCOL, "08P01", BAD_LAYOUT),
		CASE(STARTUP_3_0, "user\0a\0x\0\0", ERR_CLIENT_PROTOCOL, "08P01", BAD_LAYOUT),
		CASE(STARTUP_3_0, "user\0a", ERR_CLIENT_PROTOCOL, "08P01", BAD_LAYOUT),
		CASE(STARTUP_3_0, "user", ERR_CLIENT_PROTOCOL, "08P01", BAD_LAYOUT),
		CASE(STARTUP_3_0, "\0", ERR_CLIENT_USER, "28000", NO_USER),
		CASE(STARTUP_3_0, "user\0\0\0", ERR_CLIENT_USER, "28000", NO_USER),
		CASE(STARTUP_3_0, "database\0a\0\0", ERR_CLIENT_USER, "28000", NO_USER),
		CASE(STARTUP_VERSION(2, 0), "user\0a\0\0", ERR_CLIENT_UNSUPPORTED, "0A000",
		     "unsupported frontend protocol 2.0: server supports 3.0 to 3.2"),
		CASE(STARTUP_VERSION(4, 7), "", ERR_CLIENT_UNSUPPORTED, "0A000",
		     "unsupported frontend protocol 4.7: server supports 3.0 to 3.2"),
		CASE(STARTUP_VERSION(1234, 5681), "", ERR_CLIENT_UNSUPPORTED, "0A000",
		     "unsupported frontend protocol 1234.5681: server supports 3.0 to 3.2"),
		CASE(0xffffffff, "", ERR_CLIENT_UNSUPPORTED, "0A000",
		     "unsupported frontend protocol 65535.65535: server supports 3.0 to 3.2"),
		CASE(STARTUP_CODE_CANCEL, "", ERR_CLIENT_PROTOCOL, "08P01", BAD_LENGTH),
		CASE(STARTUP_CODE_CANCEL, "\0\0\0", ERR_CLIENT_PROTOCOL, "08P01", BAD_LENGTH),
		CASE(STARTUP_CODE_CANCEL, "\0\0\0\x01", ERR_CLIENT_PROTOCOL, "08P01", BAD_LENGTH),
		CASE(STARTUP_CODE_CANCEL, "\0\0\0\x01key", ERR_CLIENT_PROTOCOL, "08P01", BAD_LENGTH),
#undef CASE
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct startup s;
		struct err e = {0};

		assert_int_equal(parse(cases[i].version, slice_of(cases[i].body, cases[i].n), &s, &e), -1);
		assert_int_equal(e.code, cases[i].code);
		assert_string_equal(e.sqlstate, cases[i].sqlstate);
		assert_string_equal(e.msg, cases[i].msg);
		startup_free(&s);
	}
}

static void requests(void **state)
{
	struct startup s;
	struct err e;
	struct buf b;

	(void)state;
	assert_int_equal(parse(STARTUP_CODE_SSL, BYTES(""), &s, &e), 0);
	assert_int_equal(s.kind, STARTUP_SSL);
	startup_free(&s);
	/* PostgreSQL, too, does not look behind the code */
	assert_int_equal(parse(STARTUP_CODE_SSL, BYTES("user"), &s, &e), 0);
	assert_int_equal(s.kind, STARTUP_SSL);
	startup_free(&s);
	assert_int_equal(parse(STARTUP_CODE_GSSENC, BYTES(""), &s, &e), 0);
	assert_int_equal(s.kind, STARTUP_GSSENC);
	startup_free(&s);

	buf_init(&b, 100);
	startup_write_ssl_request(&b);
	assert_slice(buf_slice(&b), "\0\0\0\x08\x04\xd2\x16\x2f");
	assert_int_equal(startup_parse(buf_slice(&b), &s, &e), 0);
	assert_int_equal(s.kind, STARTUP_SSL);
	startup_free(&s);
	buf_free(&b);
}

static void cancels(void **state)
{
	unsigned char key[300];
	struct startup s;
	struct err e;
	struct buf b;

	(void)state;
	for (size_t i = 0; i < sizeof(key); i++)
		key[i] = (unsigned char)i;
	buf_init(&b, 1000);
	startup_write_cancel(&b, 0x01020304, BYTES("\x05\x06\x07\x08"));
	assert_slice(buf_slice(&b), "\0\0\0\x10\x04\xd2\x16\x2e\x01\x02\x03\x04\x05\x06\x07\x08");
	for (size_t n = 0; n < sizeof(key); n++) {
		bool good = n >= 4 && n <= STARTUP_CANCEL_KEY_MAX;

		buf_clear(&b);
		startup_write_cancel(&b, 0xfffffffe, slice_of(key, n));
		assert_int_equal(startup_parse(buf_slice(&b), &s, &e), good ? 0 : -1);
		if (good) {
			assert_int_equal(s.kind, STARTUP_CANCEL);
			assert_int_equal(s.cancel_pid, 0xfffffffe);
			assert_true(slice_eq(s.cancel_key, slice_of(key, n)));
		}
		startup_free(&s);
	}
	buf_free(&b);
}

#define LONG_BODY "user\0alice\0database\0shop\0_pq_.a\0x\0application_name\0\xff\0\0"

/* Does it end in the first byte of a name? PostgreSQL takes that byte for the terminator. */
static bool ends_in_a_name(struct slice packet)
{
	unsigned nuls = 0;

	for (size_t i = 8; i < packet.n; i++)
		nuls += packet.p[i] == 0;
	return packet.n > 8 && packet.p[packet.n - 1] != 0 && nuls % 2 == 0 && (packet.n == 9 || packet.p[packet.n - 2] == 0);
}

static void check_cut(struct slice cut, bool whole)
{
	bool named = ends_in_a_name(cut);
	struct startup s;
	struct err e;
	unsigned char *relabelled;

	/* the length word says more than is there */
	assert_int_equal(startup_parse(cut, &s, &e), whole ? 0 : -1);
	if (!whole)
		assert_string_equal(e.msg, BAD_LENGTH);
	startup_free(&s);
	/* it says the truth, and the text ends early */
	if (cut.n < 8)
		return;
	relabelled = guard_copy(cut.p, cut.n);
	relabelled[3] = (unsigned char)cut.n;
	assert_int_equal(startup_parse(slice_of(relabelled, cut.n), &s, &e), whole || (named && cut.n > 9) ? 0 : -1);
	if (!whole && (!named || cut.n == 9))
		assert_string_equal(e.msg, named ? NO_USER : BAD_LAYOUT);
	startup_free(&s);
	guard_free(relabelled, cut.n);
}

static void every_cut(void **state)
{
	struct buf b = packet(STARTUP_3_0, BYTES(LONG_BODY));

	(void)state;
	assert_true(b.n < 256);
	each_cut(buf_slice(&b), check_cut);
	/* and a byte too many */
	buf_add_char(&b, '\0');
	check_cut(buf_slice(&b), false);
	buf_free(&b);
}

static void written_and_read(void **state)
{
	struct params params, pq;
	struct startup s;
	struct err e;
	struct buf b;

	(void)state;
	params_init(&params);
	params_init(&pq);
	buf_init(&b, 1000);
	startup_write_message(&b, STARTUP_3_0, "u", "d", NULL, NULL);
	assert_slice(buf_slice(&b), "\0\0\0\x1b\0\x03\0\0user\0u\0database\0d\0\0");
	buf_clear(&b);
	params_set(&params, slice_str("application_name"), slice_str("x"));
	params_set(&params, slice_str("user"), slice_str("rdsadmin"));
	params_set(&params, slice_str("database"), slice_str("other"));
	params_set(&params, slice_str(""), slice_str("ends the packet"));
	params_set(&params, slice_str("replication"), slice_str("on"));
	params_set(&params, slice_str("TimeZone"), slice_str(""));
	params_set(&pq, slice_str("_pq_.b"), slice_str("c"));
	startup_write_message(&b, STARTUP_3_2, "alice", "shop", &params, &pq);
	assert_false(b.full);
	assert_int_equal(startup_parse(buf_slice(&b), &s, &e), 0);
	assert_int_equal(s.version, STARTUP_3_2);
	assert_string_equal(s.user, "alice");
	assert_string_equal(s.database, "shop");
	assert_string_equal(s.replication, "on");
	assert_int_equal(s.params.n, 2);
	assert_string_equal(s.params.v[0].name, "application_name");
	assert_string_equal(s.params.v[1].name, "TimeZone");
	assert_int_equal(s.pq.n, 1);
	startup_free(&s);
	buf_free(&b);
	params_free(&params);
	params_free(&pq);
}

static void negotiated(void **state)
{
	struct startup s;
	struct err e;
	struct buf b;

	(void)state;
	buf_init(&b, 20000);
	assert_int_equal(parse(STARTUP_3_0, BYTES("user\0a\0\0"), &s, &e), 0);
	assert_false(startup_write_negotiate(&b, &s));
	assert_int_equal(b.n, 0);
	startup_free(&s);

	/* 3.1 never was; PostgreSQL 18 says nothing to it either */
	for (uint32_t minor = 1; minor <= 2; minor++) {
		assert_int_equal(parse(STARTUP_VERSION(3, minor), BYTES("user\0a\0\0"), &s, &e), 0);
		assert_false(startup_write_negotiate(&b, &s));
		startup_free(&s);
	}
	assert_int_equal(b.n, 0);

	assert_int_equal(parse(STARTUP_VERSION(3, 3), BYTES("user\0a\0\0"), &s, &e), 0);
	assert_true(startup_write_negotiate(&b, &s));
	assert_slice(buf_slice(&b), "v\0\0\0\x0c\0\x03\0\x02\0\0\0\0");
	startup_free(&s);
	buf_clear(&b);

	assert_int_equal(parse(STARTUP_3_0, BYTES("user\0a\0_pq_.x\0on\0\0"), &s, &e), 0);
	assert_true(startup_write_negotiate(&b, &s));
	assert_slice(buf_slice(&b), "v\0\0\0\x13\0\x03\0\0\0\0\0\x01_pq_.x\0");
	startup_free(&s);
	buf_clear(&b);

	/* as libpq 19 greases */
	assert_int_equal(parse(STARTUP_VERSION(3, 9999),
			       BYTES("user\0a\0_pq_.test_protocol_negotiation\0\0_pq_.\0z\0\0"), &s, &e),
			 0);
	assert_true(startup_write_negotiate(&b, &s));
	assert_slice(buf_slice(&b), "v\0\0\0\x31\0\x03\0\x02\0\0\0\x02_pq_.test_protocol_negotiation\0_pq_.\0");
	startup_free(&s);
	buf_clear(&b);

	/* and it is told before it is asked who it is */
	assert_int_equal(parse(STARTUP_VERSION(3, 9999), BYTES("_pq_.x\0\0\0"), &s, &e), -1);
	assert_int_equal(e.code, ERR_CLIENT_USER);
	assert_true(startup_write_negotiate(&b, &s));
	assert_slice(buf_slice(&b), "v\0\0\0\x13\0\x03\0\x02\0\0\0\x01_pq_.x\0");
	startup_free(&s);
	buf_clear(&b);

	/* PostgreSQL names each of them, also twice and in each spelling */
	assert_int_equal(parse(STARTUP_3_0, BYTES("user\0a\0_pq_.x\0\0_pq_.X\0\0_pq_.x\0\0\0"), &s, &e), 0);
	assert_true(startup_write_negotiate(&b, &s));
	assert_slice(buf_slice(&b), "v\0\0\0\x21\0\x03\0\0\0\0\0\x03_pq_.x\0_pq_.X\0_pq_.x\0");
	startup_free(&s);
	buf_free(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lengths),
		cmocka_unit_test(ordinary),
		cmocka_unit_test(defaults_and_repetitions),
		cmocka_unit_test(refusals),
		cmocka_unit_test(requests),
		cmocka_unit_test(cancels),
		cmocka_unit_test(every_cut),
		cmocka_unit_test(written_and_read),
		cmocka_unit_test(negotiated),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
