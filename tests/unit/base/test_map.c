/* base/map. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>
#include "base/map.h"

#define MANY 5000

static struct slice key_of(char out[32], int i)
{
	/* lengths 1 to 20 and embedded NULs */
	int n = snprintf(out, 32, "%d", i);

	memset(out + n, i & 1 ? '\0' : 'k', (size_t)(i % 17));
	return slice_of(out, (size_t)n + (size_t)(i % 17));
}

static void puts_gets_and_deletes(void **state)
{
	static int values[MANY], other;
	struct map *m = map_new();
	char k[32];

	(void)state;
	assert_int_equal(map_count(m), 0);
	assert_null(map_get(m, slice_str("absent")));
	assert_null(map_del(m, slice_str("absent")));
	for (int i = 0; i < MANY; i++)
		assert_null(map_put(m, key_of(k, i), &values[i]));
	assert_int_equal(map_count(m), MANY);
	for (int i = 0; i < MANY; i++)
		assert_ptr_equal(map_get(m, key_of(k, i)), &values[i]);
	assert_null(map_get(m, slice_str("absent")));
	assert_ptr_equal(map_put(m, key_of(k, 7), &other), &values[7]);
	assert_int_equal(map_count(m), MANY);
	assert_ptr_equal(map_get(m, key_of(k, 7)), &other);
	for (int i = 0; i < MANY; i += 2)
		assert_non_null(map_del(m, key_of(k, i)));
	assert_int_equal(map_count(m), MANY / 2);
	for (int i = 0; i < MANY; i++)
		assert_true((map_get(m, key_of(k, i)) != NULL) == (i % 2 == 1));
	for (int i = 0; i < MANY; i += 2)
		assert_null(map_put(m, key_of(k, i), &values[i]));
	assert_int_equal(map_count(m), MANY);
	for (int i = 0; i < MANY; i++)
		assert_non_null(map_get(m, key_of(k, i)));
	map_free(m);
	map_free(NULL);
}

static void an_empty_key_is_a_key(void **state)
{
	struct map *m = map_new();
	int v;

	(void)state;
	assert_null(map_put(m, slice_str(""), &v));
	assert_ptr_equal(map_get(m, slice_of(NULL, 0)), &v);
	assert_ptr_equal(map_del(m, slice_str("")), &v);
	assert_null(map_get(m, slice_str("")));
	map_free(m);
}

static void walks(void **state)
{
	static char seen[MANY];
	struct map *m = map_new();
	struct slice key;
	void *value;
	size_t pos = 0, n = 0;
	char k[32];

	(void)state;
	assert_false(map_each(m, &pos, &key, &value));
	for (int i = 0; i < MANY; i++)
		map_put(m, key_of(k, i), &seen[i]);
	/* deleting what was just returned, with the very key returned */
	while (map_each(m, &pos, &key, &value)) {
		char *v = value;

		assert_int_equal(*v, 0);
		*v = 1;
		assert_true(slice_eq(key, key_of(k, (int)(v - seen))));
		if (n++ % 3 == 0)
			assert_ptr_equal(map_del(m, key), v);
	}
	assert_int_equal(n, MANY);
	assert_int_equal(map_count(m), MANY - (MANY + 2) / 3);
	pos = 0;
	while (map_each(m, &pos, &key, &value))
		n--;
	assert_int_equal(n, (MANY + 2) / 3);
	map_free(m);
}

static void stays_small_while_keys_come_and_go(void **state)
{
	struct map *m = map_new();
	struct slice key;
	char k[32];
	void *value;
	size_t pos;
	int v;

	(void)state;
	for (int i = 0; i < 100000; i++) {
		map_put(m, key_of(k, i), &v);
		if (i >= 4)
			assert_ptr_equal(map_del(m, key_of(k, i - 4)), &v);
	}
	assert_int_equal(map_count(m), 4);
	/* the walk's positions are the array's: it did not grow with all that went through */
	for (pos = 0; map_each(m, &pos, &key, &value);)
		assert_true(pos <= 64);
	map_free(m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(puts_gets_and_deletes),
		cmocka_unit_test(an_empty_key_is_a_key),
		cmocka_unit_test(walks),
		cmocka_unit_test(stays_small_while_keys_come_and_go),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
