#include "pg_test.h"
#include "pg/params.h"

static void set(struct params *p, const char *name, const char *value)
{
	params_set(p, slice_str(name), slice_str(value));
}

static void set_get_delete(void **state)
{
	struct params p;

	(void)state;
	params_init(&p);
	assert_null(params_get(&p, "a"));
	assert_false(params_del(&p, "a"));
	set(&p, "TimeZone", "UTC");
	set(&p, "a", "");
	set(&p, "ab", "2");
	assert_string_equal(params_get(&p, "timezone"), "UTC");
	assert_string_equal(params_get(&p, "TIMEZONE"), "UTC");
	assert_string_equal(params_get(&p, "A"), "");
	assert_null(params_get(&p, "abc"));
	assert_null(params_get(&p, ""));
	/* in its old place, under its old spelling */
	set(&p, "timeZONE", "CET");
	assert_int_equal(p.n, 3);
	assert_string_equal(p.v[0].name, "TimeZone");
	assert_string_equal(p.v[0].value, "CET");
	/* from itself */
	params_set(&p, slice_str(p.v[0].name), slice_of(p.v[0].value + 1, 2));
	assert_string_equal(p.v[0].value, "ET");
	assert_true(params_del(&p, "A"));
	assert_int_equal(p.n, 2);
	assert_string_equal(p.v[1].name, "ab");
	assert_true(params_del(&p, "ab"));
	assert_true(params_del(&p, "timezone"));
	assert_int_equal(p.n, 0);
	params_free(&p);
	params_free(&p);
}

/* Only ASCII folds: U+00C0 and U+00E0 differ in one bit as 'A' and 'a' do. */
static void folding(void **state)
{
	struct params p;

	(void)state;
	params_init(&p);
	set(&p, "x\xc3\x80", "1");
	set(&p, "x\xc3\xa0", "2");
	set(&p, "[", "3");
	set(&p, "{", "4");
	set(&p, "@", "5");
	set(&p, "`", "6");
	assert_int_equal(p.n, 6);
	params_free(&p);
}

static void grows(void **state)
{
	struct params p, q;
	char name[16];

	(void)state;
	params_init(&p);
	params_init(&q);
	for (int i = 0; i < 1000; i++) {
		snprintf(name, sizeof(name), "n%d", i);
		set(&p, name, name + 1);
	}
	set(&q, "N7", "old");
	params_copy(&q, &p);
	assert_int_equal(p.n, 1000);
	assert_int_equal(q.n, 1000);
	assert_string_equal(q.v[0].name, "N7");
	assert_string_equal(params_get(&q, "n7"), "7");
	assert_string_equal(params_get(&q, "N999"), "999");
	params_free(&p);
	params_free(&q);
}

static void canonical(void **state)
{
	struct params p, q;
	struct buf a, b;

	(void)state;
	params_init(&p);
	params_init(&q);
	buf_init(&a, 1000);
	buf_init(&b, 1000);
	assert_int_equal(params_canonical(&p, &a), 0);
	assert_int_equal(a.n, 0);
	set(&p, "B", "Two");
	set(&p, "a", "1");
	set(&p, "ab", "");
	set(&q, "AB", "");
	set(&q, "A", "1");
	set(&q, "b", "Two");
	assert_int_equal(params_canonical(&p, &a), 0);
	assert_int_equal(params_canonical(&q, &b), 0);
	assert_slice(buf_slice(&a), "a\0"
				    "1\0ab\0\0b\0Two\0");
	assert_true(slice_eq(buf_slice(&a), buf_slice(&b)));
	set(&q, "b", "two");
	buf_clear(&b);
	assert_int_equal(params_canonical(&q, &b), 0);
	assert_false(slice_eq(buf_slice(&a), buf_slice(&b)));
	/* the same name twice, in either order */
	params_add(&q, slice_str("A"), slice_str("0"));
	params_set(&p, slice_str("b"), slice_str("two"));
	params_set(&p, slice_str("a"), slice_str("0"));
	params_add(&p, slice_str("a"), slice_str("1"));
	assert_int_equal(q.n, 4);
	buf_clear(&a);
	buf_clear(&b);
	assert_int_equal(params_canonical(&p, &a), 0);
	assert_int_equal(params_canonical(&q, &b), 0);
	assert_true(slice_eq(buf_slice(&a), buf_slice(&b)));
	assert_true(params_del(&q, "a"));
	assert_string_equal(params_get(&q, "a"), "0");
	buf_free(&b);
	buf_init(&b, 13);
	assert_int_equal(params_canonical(&q, &b), -1);
	buf_free(&a);
	buf_free(&b);
	params_free(&p);
	params_free(&q);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(set_get_delete),
		cmocka_unit_test(folding),
		cmocka_unit_test(grows),
		cmocka_unit_test(canonical),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
