/* proxy/flow: what goes through one direction. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include "proxy/flow.h"

#define BODY_MAX 2

/* Two rows of 6 bytes, then what the case is about. */
static const unsigned char rows[] = "D\0\0\0\005xD\0\0\0\005y";

struct alike {
	const char *what;
	const char *rest;
	size_t rest_n;
	bool drop;
	uint32_t remain;
	size_t parsed; /* of the bytes behind the first row */
};

#define REST(s) s, sizeof(s) - 1

static const struct alike cases[] = {
	{"all of them",            REST(""),                       false, 0, 6 },
	{"another type",           REST("C\0\0\0\004D\0\0\0\004"), false, 0, 6 },
	{"another type, then one", REST("D\0\0\0\004C\0\0\0\004"), false, 0, 11},
	{"a head cut short",       REST("D\0\0\0"),                false, 0, 6 },
	{"a body cut short",       REST("D\0\0\0\006z"),           false, 0, 6 },
	{"too long",               REST("D\0\0\0\007zzz"),         false, 0, 6 },
	{"an impossible length",   REST("D\0\0\0\003zzz"),         false, 0, 6 },
	{"a huge length",          REST("D\377\377\377\377z"),     false, 0, 6 },
	{"dropped",                REST(""),                       true,  0, 0 },
	{"inside a message",       REST(""),                       false, 1, 0 },
};

static void takes_what_is_alike_and_whole(void **state)
{
	struct iobuf_pool *bufs = iobuf_pool_new(1);

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct alike *c = &cases[i];
		struct flow f = {.b = iobuf_get(bufs), .remain = c->remain, .drop = c->drop};

		memcpy(f.b->data, rows, sizeof(rows) - 1);
		memcpy(f.b->data + sizeof(rows) - 1, c->rest, c->rest_n);
		f.b->filled = sizeof(rows) - 1 + c->rest_n;
		f.b->parsed = 6;
		flow_take_alike(&f, 'D', BODY_MAX);
		if (f.b->parsed != 6 + c->parsed)
			fail_msg("%s: %zu bytes taken, not %zu", c->what, f.b->parsed - 6, c->parsed);
		assert_int_equal(f.remain, c->remain);
		assert_int_equal(f.b->sent, 0);
		flow_release(bufs, &f);
		assert_null(f.b);
	}
	assert_int_equal(iobuf_in_use(bufs), 0);
	iobuf_pool_free(bufs);
}

static void takes_up_to_the_end_of_the_buffer(void **state)
{
	struct iobuf_pool *bufs = iobuf_pool_new(1);
	struct flow f = {.b = iobuf_get(bufs)};

	(void)state;
	f.b->filled = IOBUF_BYTES;
	for (size_t at = 0; at < IOBUF_BYTES; at += 5)
		memcpy(f.b->data + at, "D\0\0\0\004", IOBUF_BYTES - at < 5 ? IOBUF_BYTES - at : 5);
	flow_take_alike(&f, 'D', BODY_MAX);
	assert_int_equal(f.b->parsed, IOBUF_BYTES / 5 * 5);
	flow_release(bufs, &f);
	iobuf_pool_free(bufs);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(takes_what_is_alike_and_whole),
		cmocka_unit_test(takes_up_to_the_end_of_the_buffer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
