/* Protocol 3.0 to 3.2 on both sides: what clients are told and which cancel keys they get; what servers may answer, and what
 * makes no sense (pitfalls 6 to 8). */
#include "sim.h"
#include "base/mem.h"

#define STEP_3_1 STARTUP_VERSION(3, 1)
#define GREASE   STARTUP_VERSION(3, 9999)

/* ---- clients ---- */

static const struct {
	uint32_t asked;
	const char *const pq[6];
	struct slice told; /* NegotiateProtocolVersion; nothing if empty */
	size_t key_bytes;
} clients[] = {
	{STARTUP_3_0, {NULL}, {NULL, 0}, 4},
	{STEP_3_1, {NULL}, {NULL, 0}, 4},
	{STARTUP_3_2, {NULL}, {NULL, 0}, 32},
	{STARTUP_VERSION(3, 3), {NULL}, {(const unsigned char *)"\0\3\0\2\0\0\0\0", 8}, 32},
	{GREASE, {"_pq_.test_protocol_negotiation", "", NULL},
	 {(const unsigned char *)"\0\3\0\2\0\0\0\1_pq_.test_protocol_negotiation", 39}, 32},
	{STARTUP_3_0, {"_pq_.x", "1", "_pq_.y", "2", NULL}, {(const unsigned char *)"\0\3\0\0\0\0\0\2_pq_.x\0_pq_.y", 22}, 4},
	{STEP_3_1, {"_pq_.x", "1", NULL}, {(const unsigned char *)"\0\3\0\1\0\0\0\1_pq_.x", 15}, 4},
	{STARTUP_3_2, {"_pq_.x", "", NULL}, {(const unsigned char *)"\0\3\0\2\0\0\0\1_pq_.x", 15}, 32},
};

static void what_clients_are_told(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(clients) / sizeof(*clients); i++) {
		struct sim *s = sim_new();
		struct sim_client *c;

		sim_start(s);
		c = sim_login_version(s, clients[i].asked, clients[i].pq);
		sim_expect(c, clients[i].told.n > 0 ? "vRSKZ" : "RSKZ");
		assert_true(slice_eq(buf_slice(&c->kept), clients[i].told));
		assert_int_equal(c->key_bytes, clients[i].key_bytes);
		sim_works(c);
		sim_free(s);
	}
}

/* Once, also when the client has to wait, and when the login to the server is tried again. */
static void once(void **state)
{
	struct sim *s = sim_new();
	struct sim_client *c;

	(void)state;
	s->target.pool_size = 1;
	s->pg.silent_at = FAKEPG_STARTUP;
	sim_start(s);
	c = sim_login_version(s, GREASE, NULL);
	sim_pass(s, 2 * SEC);
	s->pg.silent_at = FAKEPG_NEVER;
	fakepg_close(fakepg_conn(&s->pg, 0));
	sim_pass(s, 20 * SEC);
	assert_true(c->said_n >= 2 && c->said[0] == 'v');
	assert_null(strchr(c->said + 1, 'v'));
	sim_free(s);
}

/* PostgreSQL looks at the version first, and at the user and everything else behind it. */
static void before_a_refusal(void **state)
{
	static const char packet[] = "\0\0\0\x15\0\3\x27\x0f_pq_.x\0" "1\0\0\0";
	struct sim *s = sim_new();
	struct sim_client *c;

	(void)state;
	sim_start(s);
	c = sim_connect(s);
	sim_send(c, packet, 18);
	sim_send(c, "\0\0\0", 3); /* too long: nothing is known */
	sim_settle(s);
	sim_expect(c, "E");
	c = sim_connect(s);
	sim_send(c, "\0\0\0\x12", 4);
	sim_send(c, packet + 4, 14);
	sim_settle(s);
	sim_expect(c, "vE");
	assert_string_equal(c->sqlstate, "28000");
	sim_free(s);
}

static void a_client_of_another_age(void **state)
{
	static const char error[] = "EFATAL:  unsupported frontend protocol 2.0: server supports 3.0 to 3.2\n";
	struct sim *s = sim_new();
	struct sim_client *c;

	(void)state;
	sim_start(s);
	c = sim_connect(s);
	c->expect_raw = true;
	sim_send(c, "\0\0\0\x09\0\2\0\0", 9);
	sim_settle(s);
	assert_true(slice_eq(buf_slice(&c->kept), slice_of(error, sizeof(error))));
	assert_true(sim_closed(c));
	sim_free(s);
}

/* Each length of a CancelRequest's key; only the right key does anything. */
static void cancels_of_every_length(void **state)
{
	static const uint32_t versions[] = {STARTUP_3_0, STARTUP_3_2};
	unsigned char key[STARTUP_CANCEL_KEY_MAX + 8] = {0};

	(void)state;
	for (size_t v = 0; v < 2; v++) {
		struct sim *s = sim_new();
		struct sim_client *c, *k;
		struct buf b;

		sim_start(s);
		c = sim_login_version(s, versions[v], NULL);
		sim_query(c, "HANG");
		sim_settle(s);
		memcpy(key, c->key, c->key_bytes);
		buf_init(&b, 1000);
		for (size_t n = 0; n < sizeof(key); n++) {
			if (n == c->key_bytes)
				continue;
			buf_clear(&b);
			startup_write_cancel(&b, c->pid, slice_of(key, n));
			k = sim_connect(s);
			sim_send(k, b.p, b.n);
			sim_expect(k, "");
			assert_true(sim_closed(k));
		}
		for (size_t bit = 0; bit < 8 * c->key_bytes; bit += 7) {
			struct sim_client wrong = *c;

			wrong.key[bit / 8] ^= (unsigned char)(1u << bit % 8);
			k = sim_cancel(s, &wrong);
			sim_expect(k, "");
			if (s->n + 2 >= SIM_CLIENTS)
				break;
		}
		assert_int_equal(s->pg.cancels, 0);
		sim_cancel(s, c);
		sim_settle(s);
		assert_int_equal(s->pg.cancels, 1);
		buf_free(&b);
		sim_free(s);
	}
}

/* ---- servers ---- */

#define B(text) {(const unsigned char *)(text), sizeof(text) - 1}

static const struct {
	uint32_t min, max;
	struct slice said; /* NegotiateProtocolVersion; nothing if empty */
	unsigned key_bytes;
	const char *error; /* NULL: welcome */
} servers[] = {
	{STARTUP_3_0, STARTUP_3_0, {NULL, 0}, 4, NULL},
	{STARTUP_3_0, STARTUP_3_2, {NULL, 0}, 32, NULL},
	{STARTUP_3_0, STARTUP_3_2, {NULL, 0}, 4, NULL},
	{STARTUP_3_0, STARTUP_3_2, {NULL, 0}, 256, NULL},
	{STARTUP_3_0, STARTUP_3_2, {NULL, 0}, 0, NULL},
	{STARTUP_3_0, STARTUP_3_2, {NULL, 0}, 257, "BackendKeyData"},
	{STARTUP_3_0, STARTUP_3_2, {NULL, 0}, 3, "BackendKeyData"},
	{STARTUP_3_0, STARTUP_3_2, B("\0\3\0\0\0\0\0\0"), 4, NULL},
	{STARTUP_3_0, STARTUP_3_0, {NULL, 0}, 32, "4 bytes"},
	{STARTUP_3_0, STARTUP_3_2, B("\0\3\0\0\0\0\0\0"), 32, "4 bytes"},
	{STARTUP_3_2, STARTUP_3_2, B("\0\3\0\0\0\0\0\0"), 4, "min_protocol_version is 3.2"},
	{STARTUP_3_2, STARTUP_3_2, {NULL, 0}, 32, NULL},
	{STARTUP_3_0, STARTUP_3_0, B("\0\3\0\2\0\0\0\0"), 4, "newer version"},
	{STARTUP_3_0, STARTUP_3_2, B("\0\3\0\3\0\0\0\0"), 4, "newer version"},
	{STARTUP_3_0, STARTUP_3_2, B("\0\3\x27\x0f\0\0\0\0"), 4, "newer version"},
	{STARTUP_3_0, STARTUP_3_2, B("\0\4\0\0\0\0\0\0"), 4, "newer version"},
	{STARTUP_3_0, STARTUP_3_2, B("\377\377\377\377\0\0\0\0"), 4, "newer version"},
	{STARTUP_3_0, STARTUP_3_2, B("\0\2\0\0\0\0\0\0"), 4, "older than 3.0"},
	{STARTUP_3_0, STARTUP_3_2, B("\0\0\0\0\0\0\0\0"), 4, "older than 3.0"},
	{STARTUP_3_0, STARTUP_3_2, B("\0\3\0\1\0\0\0\0"), 4, "never existed"},
	{STARTUP_3_0, STARTUP_3_2, B("\0\3\0\2\0\0\0\0"), 32, "no change"},
	{STARTUP_3_0, STARTUP_3_0, B("\0\3\0\0\0\0\0\0"), 4, "no change"},
	{STARTUP_3_0, STARTUP_3_2, B("\0\3\0\0\377\377\377\377"), 4, "negative number"},
	{STARTUP_3_0, STARTUP_3_2, B("\0\3\0\0\177\377\377\377"), 4, "no option"},
	{STARTUP_3_0, STARTUP_3_2, B("\0\3\0\2\0\0\0\1_pq_.x\0"), 32, "not asked for"},
	{STARTUP_3_0, STARTUP_3_2, B("\0\3\0\0\0\0\0\1_pq_.x\0"), 4, "not asked for"},
	{STARTUP_3_0, STARTUP_3_0, B("\0\3\0\0\0\0\0\1_pq_.x\0"), 4, "not asked for"},
	{STARTUP_3_0, STARTUP_3_2, B("\0\3\0\0\0\0\0\1timezone\0"), 4, "no option"},
	{STARTUP_3_0, STARTUP_3_2, B("\0\3\0\0\0\0\0\1_pq_.x"), 4, "no option"},
	{STARTUP_3_0, STARTUP_3_2, B("\0\3\0\0\0\0\0\1"), 4, "no option"},
	{STARTUP_3_0, STARTUP_3_2, B("\0\3\0\0\0\0\0\0\0"), 4, "too long"},
	{STARTUP_3_0, STARTUP_3_2, B("\0\3\0\0\0\0\0"), 4, "too short"},
	{STARTUP_3_0, STARTUP_3_2, B("\0\3\0\0"), 4, "too short"},
};

static void what_servers_may_answer(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(servers) / sizeof(*servers); i++) {
		struct sim *s = sim_new();
		struct sim_client *c;

		s->target.min_protocol = servers[i].min;
		s->target.max_protocol = servers[i].max;
		s->pg.negotiate = servers[i].said;
		s->pg.key_bytes = servers[i].key_bytes;
		sim_start(s);
		c = sim_login(s, "joe", NULL);
		if (servers[i].error) {
			sim_expect_fatal(c, "08P01", servers[i].error);
		} else {
			sim_expect(c, "RSKZ");
			assert_int_equal(fakepg_conn(&s->pg, 0)->startup.version, servers[i].max);
			assert_int_equal(c->key_bytes, 4); /* the client asked for 3.0, whatever the server speaks */
			sim_works(c);
		}
		sim_free(s);
	}
}

/* Twice, or behind the authentication request: not even what would make sense alone. */
static void out_of_order(void **state)
{
#define V  "v\0\0\0\14\0\3\0\0\0\0\0\0"
#define OK "R\0\0\0\10\0\0\0\0"
	static const struct slice bytes[] = {B(V V), B(OK V), B(OK "Z\0\0\0\5I" V)};

	(void)state;
	for (size_t i = 0; i < sizeof(bytes) / sizeof(*bytes); i++) {
		struct sim *s = sim_new();

		s->target.max_protocol = STARTUP_3_2;
		s->pg.raw = bytes[i];
		sim_start(s);
		sim_expect_fatal(sim_login(s, "joe", NULL), "08P01", "out of order");
		sim_free(s);
	}
}

/* A client of either version in front of a server of either: the cancel arrives with the server's whole key. */
static void cancels_across_versions(void **state)
{
	static const uint32_t versions[] = {STARTUP_3_0, STARTUP_3_2};
	static const unsigned key_bytes[] = {4, 32, 200, 256};

	(void)state;
	for (size_t v = 0; v < 2; v++) {
		for (size_t k = 0; k < 4; k++) {
			struct sim *s = sim_new();
			struct sim_client *c;

			s->target.max_protocol = STARTUP_3_2;
			s->pg.key_bytes = key_bytes[k];
			sim_start(s);
			c = sim_login_version(s, versions[v], NULL);
			sim_query(c, "HANG");
			sim_settle(s);
			sim_cancel(s, c);
			sim_settle(s);
			assert_int_equal(s->pg.cancels, 1);
			assert_int_equal(s->pg.cancel_key.n, key_bytes[k]);
			for (size_t i = 0; i < s->pg.cancel_key.n; i++)
				assert_int_equal(s->pg.cancel_key.p[i], 'k');
			sim_free(s);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_clients_are_told),
		cmocka_unit_test(once),
		cmocka_unit_test(before_a_refusal),
		cmocka_unit_test(a_client_of_another_age),
		cmocka_unit_test(cancels_of_every_length),
		cmocka_unit_test(what_servers_may_answer),
		cmocka_unit_test(out_of_order),
		cmocka_unit_test(cancels_across_versions),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
