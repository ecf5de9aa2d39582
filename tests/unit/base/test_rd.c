/* base/rd, against a page nobody may touch. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include "base/rd.h"
#include "../guard.h"

static const unsigned char message[] = {0xff, 0x01, 0x02, 0x80, 0x90, 0xa0, 0xb0,
					'h',  'i',  0,    0,    'x',  'y',  'z'};

struct fields {
	uint8_t a;
	uint16_t b;
	uint32_t c;
	struct slice s, empty, bytes, rest;
};

static struct fields parse(struct rd *r)
{
	struct fields f;

	f.a = rd_u8(r);
	f.b = rd_be16(r);
	f.c = rd_be32(r);
	f.s = rd_cstr(r);
	f.empty = rd_cstr(r);
	f.bytes = rd_bytes(r, 2);
	f.rest = rd_rest(r);
	return f;
}

static void reads_like_a_schema(void **state)
{
	unsigned char *p = guard_copy(message, sizeof(message));
	struct rd r = rd_init(slice_of(p, sizeof(message)));
	struct fields f = parse(&r);

	(void)state;
	assert_true(rd_ok(&r));
	assert_true(rd_end(&r));
	assert_int_equal(f.a, 0xff);
	assert_int_equal(f.b, 0x0102);
	assert_int_equal(f.c, 0x8090a0b0);
	assert_true(slice_eq_str(f.s, "hi"));
	assert_int_equal(f.empty.n, 0);
	assert_true(slice_eq_str(f.bytes, "xy"));
	assert_true(slice_eq_str(f.rest, "z"));
	guard_free(p, sizeof(message));
}

static void every_truncation_fails_and_stays_so(void **state)
{
	(void)state;
	for (size_t n = 0; n < sizeof(message) - 1; n++) { /* without the last byte only the rest is empty */
		unsigned char *p = guard_copy(message, n);
		struct rd r = rd_init(slice_of(p, n));
		struct fields f = parse(&r);

		assert_false(rd_ok(&r));
		assert_false(rd_end(&r));
		assert_int_equal(f.rest.n, 0);
		assert_int_equal(rd_u8(&r), 0);
		assert_int_equal(rd_be16(&r), 0);
		assert_int_equal(rd_be32(&r), 0);
		assert_int_equal(rd_cstr(&r).n, 0);
		assert_int_equal(rd_bytes(&r, 1).n, 0);
		assert_false(rd_ok(&r));
		guard_free(p, n);
	}
}

static void huge_lengths_are_compared_not_added(void **state)
{
	unsigned char *p = guard_copy("abc", 3);
	struct rd r = rd_init(slice_of(p, 3));

	(void)state;
	rd_u8(&r);
	assert_int_equal(rd_bytes(&r, SIZE_MAX).n, 0);
	assert_false(rd_ok(&r));
	guard_free(p, 3);
}

static void a_string_needs_its_nul(void **state)
{
	unsigned char *p = guard_copy("abc", 3);
	struct rd r = rd_init(slice_of(p, 3));

	(void)state;
	assert_int_equal(rd_cstr(&r).n, 0);
	assert_false(rd_ok(&r));
	guard_free(p, 3);
}

static void nothing_is_fine(void **state)
{
	struct rd r = rd_init(slice_of(NULL, 0));

	(void)state;
	assert_true(rd_end(&r));
	assert_int_equal(rd_bytes(&r, 0).n, 0);
	assert_int_equal(rd_rest(&r).n, 0);
	assert_true(rd_end(&r));
	rd_cstr(&r);
	assert_false(rd_ok(&r));
}

static void a_caller_may_fail_it(void **state)
{
	struct rd r = rd_init(slice_str("abc"));

	(void)state;
	rd_fail(&r);
	assert_false(rd_ok(&r));
	assert_int_equal(rd_u8(&r), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_like_a_schema),
		cmocka_unit_test(every_truncation_fails_and_stays_so),
		cmocka_unit_test(huge_lengths_are_compared_not_added),
		cmocka_unit_test(a_string_needs_its_nul),
		cmocka_unit_test(nothing_is_fine),
		cmocka_unit_test(a_caller_may_fail_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
