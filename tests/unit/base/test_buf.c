/* base/buf and base/wr. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>
#include "base/buf.h"
#include "base/mem.h"
#include "base/wr.h"

static void grows_up_to_its_maximum(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, 1000);
	assert_null(b.p);
	assert_int_equal(buf_slice(&b).n, 0);
	for (int i = 0; i < 1000; i++)
		assert_int_equal(buf_add_char(&b, (char)('a' + i % 26)), 0);
	assert_int_equal(b.n, 1000);
	assert_false(b.full);
	assert_int_equal(buf_add_char(&b, 'x'), -1);
	assert_true(b.full);
	assert_int_equal(b.n, 1000);
	for (int i = 0; i < 1000; i++)
		assert_int_equal(b.p[i], 'a' + i % 26);
	assert_int_equal(strlen(buf_cstr(&b)), 1000); /* the NUL fits beyond the maximum */
	buf_clear(&b);
	assert_false(b.full);
	assert_int_equal(b.n, 0);
	assert_int_equal(buf_add_str(&b, "again"), 0);
	buf_free(&b);
	buf_free(&b);
	assert_int_equal(buf_add_str(&b, "and again"), 0);
	assert_string_equal(buf_cstr(&b), "and again");
	buf_free(&b);
}

static void full_is_sticky(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, 4);
	assert_int_equal(buf_add_str(&b, "abc"), 0);
	assert_int_equal(buf_add_str(&b, "de"), -1);
	/* would fit, but then what is held were no prefix */
	assert_int_equal(buf_add_str(&b, "f"), -1);
	assert_int_equal(buf_add(&b, NULL, 0), -1);
	assert_null(buf_space(&b, 1));
	assert_int_equal(buf_printf(&b, "g"), -1);
	assert_string_equal(buf_cstr(&b), "abc");
	buf_free(&b);
	buf_init(&b, 0);
	assert_string_equal(buf_cstr(&b), "");
	assert_int_equal(buf_add_slice(&b, slice_str("")), 0);
	assert_int_equal(buf_add_char(&b, 'a'), -1);
	buf_free(&b);
}

static void lengths_do_not_overflow(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, SIZE_MAX);
	assert_int_equal(buf_add_str(&b, "abc"), 0);
	assert_null(buf_space(&b, SIZE_MAX - 1));
	assert_true(b.full);
	buf_free(&b);
}

static void gives_space(void **state)
{
	struct buf b;
	unsigned char *p;

	(void)state;
	buf_init(&b, 500);
	assert_non_null(buf_space(&b, 0));
	assert_int_equal(buf_add_str(&b, "ab"), 0);
	p = buf_space(&b, 400);
	assert_non_null(p);
	memset(p, 'c', 400);
	assert_int_equal(b.n, 2);
	b.n += 400;
	assert_memory_equal(b.p, "abcc", 4);
	assert_null(buf_space(&b, 99));
	buf_free(&b);
}

static void prints(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, 10);
	assert_int_equal(buf_printf(&b, "%d-%s", 12, "ab"), 0);
	assert_string_equal(buf_cstr(&b), "12-ab");
	assert_int_equal(buf_printf(&b, "%s", "cdefg"), 0); /* exactly full */
	assert_string_equal(buf_cstr(&b), "12-abcdefg");
	assert_int_equal(buf_printf(&b, "%s", ""), 0);
	assert_int_equal(buf_printf(&b, "h"), -1);
	assert_string_equal(buf_cstr(&b), "12-abcdefg");
	buf_free(&b);
	buf_init(&b, 10000);
	for (int i = 0; i < 1000; i++)
		assert_int_equal(buf_printf(&b, "%04d", i), 0);
	assert_int_equal(b.n, 4000);
	assert_memory_equal(b.p + 3996, "0999", 4);
	buf_free(&b);
}

static void drops_from_the_front(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, 100);
	buf_drop_front(&b, 0);
	buf_add_str(&b, "hello");
	buf_drop_front(&b, 2);
	assert_string_equal(buf_cstr(&b), "llo");
	buf_drop_front(&b, 3);
	assert_int_equal(b.n, 0);
	buf_free(&b);
}

static void wipes_secrets(void **state)
{
	struct buf b;

	(void)state;
	buf_init_secret(&b, 10000);
	for (int i = 0; i < 1000; i++)
		buf_add_str(&b, "hunter2");
	assert_int_equal(b.n, 7000);
	assert_memory_equal(b.p + 6993, "hunter2", 7);
	buf_drop_front(&b, 6993);
	assert_string_equal(buf_cstr(&b), "hunter2");
	for (size_t i = 8; i < 7000; i++)
		assert_int_equal(b.p[i], 0);
	buf_clear(&b);
	for (size_t i = 0; i < 8; i++)
		assert_int_equal(b.p[i], 0);
	buf_free(&b);
	assert_true(b.secret);
	assert_int_equal(b.max, 10000);
	buf_clear(&b);
}

static void writes_the_wire(void **state)
{
	static const unsigned char want[] = {1, 2, 3, 0, 0, 0, 15, 4, 5, 6, 7, 'a', 0, 'b', 'c', 0, 0, 9};
	struct buf b;
	size_t mark;

	(void)state;
	buf_init(&b, 100);
	wr_u8(&b, 1);
	wr_u8(&b, 2);
	wr_u8(&b, 3);
	mark = wr_len_begin(&b);
	wr_be32(&b, 0x04050607);
	wr_cstr(&b, "a");
	wr_cslice(&b, slice_str("bc"));
	wr_cslice(&b, slice_str(""));
	wr_u8(&b, 9);
	wr_len_end(&b, mark);
	assert_int_equal(b.n, sizeof(want));
	assert_memory_equal(b.p, want, sizeof(want));
	buf_free(&b);
}

static void a_full_message_is_not_patched(void **state)
{
	struct buf b;

	(void)state;
	for (size_t max = 0; max < 9; max++) {
		size_t mark;

		buf_init(&b, max);
		wr_u8(&b, 'Q');
		mark = wr_len_begin(&b);
		wr_cstr(&b, "abc");
		wr_len_end(&b, mark);
		assert_true(b.full);
		buf_free(&b);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(grows_up_to_its_maximum),
		cmocka_unit_test(full_is_sticky),
		cmocka_unit_test(lengths_do_not_overflow),
		cmocka_unit_test(gives_space),
		cmocka_unit_test(prints),
		cmocka_unit_test(drops_from_the_front),
		cmocka_unit_test(wipes_secrets),
		cmocka_unit_test(writes_the_wire),
		cmocka_unit_test(a_full_message_is_not_patched),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
