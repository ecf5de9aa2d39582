/* Cancel keys: unique, random, the worker in the low bits, found by pid and secret together only. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>
#include "proxy/keyring.h"

#define MANY 20000

static int by_pid(const void *a, const void *b)
{
	uint32_t x = ((const struct cancel_key *)a)->pid, y = ((const struct cancel_key *)b)->pid;

	return x < y ? -1 : x > y;
}

static void keys_are_unique_and_found(void **state)
{
	static struct cancel_key keys[MANY];
	static char owners[MANY];
	struct keyring *k = keyring_new(0, 1);
	uint32_t set_pid = 0, set_secret = 0, all_pid = UINT32_MAX, all_secret = UINT32_MAX;

	(void)state;
	for (size_t i = 0; i < MANY; i++) {
		keys[i] = keyring_add(k, &owners[i]);
		assert_true(keys[i].pid != 0 && keys[i].pid <= INT32_MAX);
		assert_ptr_equal(keyring_find(k, keys[i].pid, keys[i].secret), &owners[i]);
		assert_null(keyring_find(k, keys[i].pid, keys[i].secret ^ 1));
		assert_null(keyring_find(k, keys[i].pid, keys[i].secret ^ 0x80000000u));
		set_pid |= keys[i].pid;
		set_secret |= keys[i].secret;
		all_pid &= keys[i].pid;
		all_secret &= keys[i].secret;
	}
	/* no bit stands still */
	assert_int_equal(set_pid, 0x7fffffffu);
	assert_int_equal(set_secret, UINT32_MAX);
	assert_int_equal(all_pid, 0);
	assert_int_equal(all_secret, 0);
	qsort(keys, MANY, sizeof(*keys), by_pid);
	for (size_t i = 1; i < MANY; i++)
		assert_true(keys[i].pid != keys[i - 1].pid);
	for (size_t i = 0; i < MANY; i += 2) {
		struct cancel_key gone = keys[i];

		keyring_del(k, &keys[i]);
		assert_int_equal(keys[i].pid, 0);
		keyring_del(k, &keys[i]);
		assert_null(keyring_find(k, gone.pid, gone.secret));
		assert_non_null(keyring_find(k, keys[i + 1].pid, keys[i + 1].secret));
	}
	assert_null(keyring_find(k, 0, 0));
	keyring_free(k); /* what is left goes with it */
}

static void the_worker_is_in_the_key(void **state)
{
	static const uint32_t counts[] = {1, 2, 3, 4, 5, 33, 64};

	(void)state;
	for (size_t c = 0; c < sizeof(counts) / sizeof(*counts); c++) {
		for (uint32_t w = 0; w < counts[c]; w++) {
			struct keyring *k = keyring_new(w, counts[c]), *other = keyring_new(0, counts[c]);
			int owner;

			for (int i = 0; i < 100; i++) {
				struct cancel_key key = keyring_add(k, &owner);

				assert_int_equal(keyring_worker(k, key.pid), w);
				assert_int_equal(keyring_worker(other, key.pid), w);
				assert_true(keyring_worker(k, key.pid ^ 1) != w || counts[c] == 1);
			}
			keyring_free(k);
			keyring_free(other);
		}
	}
	keyring_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keys_are_unique_and_found),
		cmocka_unit_test(the_worker_is_in_the_key),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
