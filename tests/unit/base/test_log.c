/* base/log: both forms, hostile values, cutting, and the repetition limiter under a clock of its own. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cjson/cJSON.h>
#include <cmocka.h>
#include "base/buf.h"
#include "base/enc.h"
#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"

struct fixture {
	struct clock clock; /* first */
	uint64_t mono;
	int64_t wall;
	struct buf out;
	unsigned lines;
};

static uint64_t fake_mono(const struct clock *c)
{
	return ((const struct fixture *)(const void *)c)->mono;
}

static int64_t fake_wall(const struct clock *c)
{
	return ((const struct fixture *)(const void *)c)->wall;
}

static void sink(void *arg, const char *line, size_t n)
{
	struct fixture *f = arg;

	assert_true(n > 0 && line[n - 1] == '\n');
	assert_null(memchr(line, '\n', n - 1)); /* one event a line */
	assert_int_equal(buf_add(&f->out, line, n), 0);
	f->lines++;
}

static void init(struct fixture *f)
{
	*f = (struct fixture){
		.clock = {fake_mono, fake_wall},
		.mono = 5000000,
		.wall = 1795304400123456, /* 2026-11-21T23:40:00.123456Z */
	};
	buf_init(&f->out, 1 << 20);
}

static void is(struct fixture *f, const char *want)
{
	assert_string_equal(buf_cstr(&f->out), want);
	buf_clear(&f->out);
	f->lines = 0;
}

static void key_value(void **state)
{
	struct fixture f;
	struct log *l;

	(void)state;
	init(&f);
	l = log_new(&f.clock, LOG_INFO, LOG_KEY_VALUE, sink, &f);
	log_info(l, "client connected", LS("database", "app"), LU("clients", 3));
	is(&f, "2026-11-21T23:40:00.123Z level=info msg=\"client connected\" database=app clients=3\n");
	log_warning(l, "x", LS("a", NULL), LS("b", ""), LS("c", "d e"), LS("d", "k=v"), LS("e", "q\"\\"),
		    LB("f", slice_of("\x00\n\xff", 3)), LI("g", -5), LU("h", UINT64_MAX), LI("i", INT64_MIN));
	is(&f, "2026-11-21T23:40:00.123Z level=warning msg=x b=\"\" c=\"d e\" d=\"k=v\" e=\"q\\\"\\\\\" "
	       "f=\"\\x00\\n\\xff\" g=-5 h=18446744073709551615 i=-9223372036854775808\n");
	log_error(l, "no pairs");
	is(&f, "2026-11-21T23:40:00.123Z level=error msg=\"no pairs\"\n");
	f.wall = 951782400999999; /* a leap day */
	log_error(l, "y");
	is(&f, "2000-02-29T00:00:00.999Z level=error msg=y\n");
	f.wall = -1;
	log_error(l, "z");
	is(&f, "1969-12-31T23:59:59.999Z level=error msg=z\n");
	f.wall = INT64_MIN; /* a broken clock breaks nothing */
	log_error(l, "w");
	assert_non_null(strstr(buf_cstr(&f.out), "Z level=error msg=w\n"));
	log_free(l);
	buf_free(&f.out);
	log_free(NULL);
}

static void json(void **state)
{
	struct fixture f;
	struct log *l;

	(void)state;
	init(&f);
	l = log_new(&f.clock, LOG_INFO, LOG_JSON, sink, &f);
	log_info(l, "client connected", LS("database", "app \"x\""), LS("none", NULL), LU("clients", 3),
		 LI("delta", -1), LB("peer", slice_of("\xff\n", 2)));
	is(&f, "{\"ts\":\"2026-11-21T23:40:00.123Z\",\"level\":\"info\",\"msg\":\"client connected\","
	       "\"database\":\"app \\\"x\\\"\",\"clients\":3,\"delta\":-1,\"peer\":\"\\ufffd\\n\"}\n");
	log_free(l);
	buf_free(&f.out);
}

static void levels(void **state)
{
	struct fixture f;
	struct log *l;

	(void)state;
	init(&f);
	l = log_new(&f.clock, LOG_WARNING, LOG_KEY_VALUE, sink, &f);
	assert_true(log_enabled(l, LOG_ERROR));
	assert_true(log_enabled(l, LOG_WARNING));
	assert_false(log_enabled(l, LOG_INFO));
	log_info(l, "not");
	log_debug(l, "not");
	assert_int_equal(f.lines, 0);
	log_set_level(l, LOG_DEBUG);
	log_info(l, "one");
	log_debug(l, "two", LU("n", 2));
	assert_int_equal(f.lines, 2);
	assert_non_null(strstr(buf_cstr(&f.out), "level=debug msg=two n=2\n"));
	log_free(l);
	buf_free(&f.out);
	/* no log at all */
	assert_false(log_enabled(NULL, LOG_ERROR));
	log_error(NULL, "nothing happens");
	log_debug(NULL, "nothing happens");
	assert_false(log_settle(NULL));
}

static void errors(void **state)
{
	struct fixture f;
	struct log *l;
	struct err e;

	(void)state;
	init(&f);
	l = log_new(&f.clock, LOG_INFO, LOG_KEY_VALUE, sink, &f);
	err_set(&e, ERR_REGION, "no region");
	log_error(l, "login failed", LERR(&e));
	is(&f, "2026-11-21T23:40:00.123Z level=error msg=\"login failed\" error=\"no region\" sqlstate=28000 "
	       "cause=region hint=\"Set region= for this database, or AWS_REGION.\"\n");
	err_set(&e, ERR_IO, "x");
	err_detail(&e, "Detail.");
	log_error(l, "login failed", LERR(&e));
	is(&f, "2026-11-21T23:40:00.123Z level=error msg=\"login failed\" error=x sqlstate=58030 cause=io "
	       "detail=Detail.\n");
	log_free(l);
	buf_free(&f.out);
}

/* Whatever bytes come: a valid line of a bounded length, and JSON that parses. */
static void hostile_values(void **state)
{
	static const enum log_format formats[] = {LOG_KEY_VALUE, LOG_JSON};
	char *big = mem_alloc(100000);
	struct slice values[40];
	uint32_t x = 7;

	(void)state;
	for (size_t i = 0; i < 100000; i++) {
		x = x * 1664525 + 1013904223;
		big[i] = (char)(x >> 24);
	}
	memset(big + 50000, 0, 2000);
	for (size_t i = 0; i < 40; i++)
		values[i] = slice_of(big + i * 1500, i * 1000);
	for (size_t v = 0; v < 40; v++)
		for (size_t k = 0; k < 2; k++) {
			struct log_kv kv[42] = {{.key = NULL}};
			struct fixture f;
			struct log *l;

			init(&f);
			for (size_t i = 0; i <= v; i++)
				kv[i] = (struct log_kv)LB("peer", values[i]);
			kv[v + 1] = (struct log_kv){.key = NULL};
			l = log_new(&f.clock, LOG_INFO, formats[k], sink, &f);
			log_emit(l, LOG_INFO, "hostile", kv);
			assert_int_equal(f.lines, 1);
			assert_true(f.out.n <= 16384);
			f.out.n--; /* without the newline */
			assert_true(enc_is_utf8(buf_slice(&f.out)));
			if (formats[k] == LOG_JSON) {
				cJSON *doc = cJSON_ParseWithOpts(buf_cstr(&f.out), NULL, 1);

				assert_true(doc != NULL || strstr(buf_cstr(&f.out), "\\u0000"));
				cJSON_Delete(doc);
			}
			if (v == 39) {
				const char *end = formats[k] == LOG_JSON ? ",\"cut\":true}" : " cut=true";

				assert_string_equal(buf_cstr(&f.out) + f.out.n - strlen(end), end);
			}
			log_free(l);
			buf_free(&f.out);
		}
	free(big);
}

static void repetition_is_bounded(void **state)
{
	static const char msg[] = "accept failed";
	struct fixture f;
	struct log *l;

	(void)state;
	init(&f);
	l = log_new(&f.clock, LOG_INFO, LOG_KEY_VALUE, sink, &f);
	for (int i = 0; i < 1000; i++)
		log_warning(l, msg, LI("i", i));
	assert_int_equal(f.lines, 10);
	assert_int_equal(log_suppressed(l), 990);
	/* neither other events nor other levels suffer */
	log_warning(l, "something else");
	log_info(l, msg);
	assert_int_equal(f.lines, 12);
	buf_clear(&f.out);
	assert_true(log_settle(l)); /* the burst is still on */
	is(&f, "");
	f.mono += 999999;
	log_warning(l, msg);
	is(&f, "");
	f.mono += 1;
	/* the next event tells first how many were left out */
	log_warning(l, msg, LI("i", 1000));
	is(&f, "2026-11-21T23:40:00.123Z level=warning msg=\"accept failed\" repeated=991\n"
	       "2026-11-21T23:40:00.123Z level=warning msg=\"accept failed\" i=1000\n");
	assert_false(log_settle(l));
	log_free(l);
	is(&f, "");
	buf_free(&f.out);
}

static void a_steady_trickle_is_not_limited(void **state)
{
	struct fixture f;
	struct log *l;

	(void)state;
	init(&f);
	l = log_new(&f.clock, LOG_INFO, LOG_KEY_VALUE, sink, &f);
	for (int i = 0; i < 100; i++) {
		log_info(l, "tick");
		f.mono += 100000;
	}
	assert_int_equal(f.lines, 100);
	assert_int_equal(log_suppressed(l), 0);
	/* a burst after it is, from its first second on */
	f.mono += 1000000;
	for (int i = 0; i < 20; i++)
		log_info(l, "tick");
	assert_int_equal(f.lines, 110);
	assert_int_equal(log_suppressed(l), 10);
	log_free(l);
	assert_int_equal(f.lines, 111);
	buf_free(&f.out);
}

static void the_end_of_a_burst_is_told(void **state)
{
	struct fixture f;
	struct log *l;

	(void)state;
	init(&f);
	l = log_new(&f.clock, LOG_INFO, LOG_KEY_VALUE, sink, &f);
	for (int i = 0; i < 12; i++)
		log_warning(l, "a");
	buf_clear(&f.out);
	f.mono += 1000000;
	assert_false(log_settle(l));
	is(&f, "2026-11-21T23:40:00.123Z level=warning msg=a repeated=2\n");
	for (int i = 0; i < 12; i++)
		log_warning(l, "b");
	buf_clear(&f.out);
	f.mono += 1000000;
	log_info(l, "other"); /* any event tells it */
	is(&f, "2026-11-21T23:40:00.123Z level=warning msg=b repeated=2\n"
	       "2026-11-21T23:40:00.123Z level=info msg=other\n");
	for (int i = 0; i < 12; i++)
		log_warning(l, "c");
	buf_clear(&f.out);
	log_free(l); /* and so does the end of the log */
	is(&f, "2026-11-21T23:40:00.123Z level=warning msg=c repeated=2\n");
	buf_free(&f.out);
}

/* More kinds of events than the table has slots: the oldest gives way, and tells what it left out. */
static void many_kinds(void **state)
{
	static char kinds[200][8];
	struct fixture f;
	struct log *l;
	unsigned repeated = 0;

	(void)state;
	init(&f);
	l = log_new(&f.clock, LOG_INFO, LOG_KEY_VALUE, sink, &f);
	for (int k = 0; k < 200; k++) {
		snprintf(kinds[k], sizeof(kinds[k]), "k%d", k);
		f.mono++;
		for (int i = 0; i < 11; i++)
			log_info(l, kinds[k]);
	}
	log_free(l);
	for (const char *p = buf_cstr(&f.out); (p = strstr(p, "repeated=1\n")); p++)
		repeated++;
	assert_int_equal(repeated, 200);
	assert_int_equal(f.lines, 200 * 11);
	buf_free(&f.out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(key_value),
		cmocka_unit_test(json),
		cmocka_unit_test(levels),
		cmocka_unit_test(errors),
		cmocka_unit_test(hostile_values),
		cmocka_unit_test(repetition_is_bounded),
		cmocka_unit_test(a_steady_trickle_is_not_limited),
		cmocka_unit_test(the_end_of_a_burst_is_told),
		cmocka_unit_test(many_kinds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
