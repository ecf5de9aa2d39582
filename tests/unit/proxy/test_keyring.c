/* Cancel keys: unique, random, the worker in the low bits, found by pid and secret together only. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "proxy/keyring.h"

#define MANY 20000

static int by_pid(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

/* Found by the whole secret, and by nothing that is one bit, one byte less or one byte more away from it. */
static void check_found(struct keyring *k, uint32_t pid, const void *owner, size_t bytes)
{
	struct slice secret = keyring_secret(k, pid);
	unsigned char near[KEYRING_SECRET_MAX + 1] = {0};

	assert_int_equal(secret.n, bytes);
	memcpy(near, secret.p, bytes);
	assert_ptr_equal(keyring_find(k, pid, slice_of(near, bytes)), owner);
	assert_null(keyring_find(k, pid, slice_of(near, bytes - 1)));
	assert_null(keyring_find(k, pid, slice_of(near, bytes + 1)));
	assert_null(keyring_find(k, pid, slice_of(near, 0)));
	for (size_t bit = 0; bit < 8 * bytes; bit += 5) {
		near[bit / 8] ^= (unsigned char)(1u << bit % 8);
		assert_null(keyring_find(k, pid, slice_of(near, bytes)));
		near[bit / 8] ^= (unsigned char)(1u << bit % 8);
	}
}

static void keys_are_unique_and_found(void **state)
{
	static uint32_t pids[MANY], sorted[MANY];
	static char owners[MANY];
	struct keyring *k = keyring_new(0, 1);
	unsigned char set[KEYRING_SECRET_MAX] = {0}, all[KEYRING_SECRET_MAX];
	uint32_t set_pid = 0, all_pid = UINT32_MAX;

	(void)state;
	memset(all, 0xff, sizeof(all));
	for (size_t i = 0; i < MANY; i++) {
		size_t bytes = i % 2 ? KEYRING_SECRET_MAX : 4;
		struct slice secret;

		pids[i] = sorted[i] = keyring_add(k, &owners[i], bytes);
		assert_true(pids[i] != 0 && pids[i] <= INT32_MAX);
		check_found(k, pids[i], &owners[i], bytes);
		set_pid |= pids[i];
		all_pid &= pids[i];
		secret = keyring_secret(k, pids[i]);
		for (size_t b = 0; b < secret.n; b++) {
			set[b] |= secret.p[b];
			all[b] &= secret.p[b];
		}
	}
	/* no bit stands still */
	assert_int_equal(set_pid, 0x7fffffffu);
	assert_int_equal(all_pid, 0);
	for (size_t b = 0; b < sizeof(set); b++) {
		assert_int_equal(set[b], 0xff);
		assert_int_equal(all[b], 0);
	}
	qsort(sorted, MANY, sizeof(*sorted), by_pid);
	for (size_t i = 1; i < MANY; i++)
		assert_true(sorted[i] != sorted[i - 1]);
	for (size_t i = 0; i < MANY; i += 2) {
		unsigned char secret[4];
		uint32_t gone = pids[i];

		memcpy(secret, keyring_secret(k, gone).p, sizeof(secret));
		keyring_del(k, &pids[i]);
		assert_int_equal(pids[i], 0);
		keyring_del(k, &pids[i]);
		assert_null(keyring_find(k, gone, slice_of(secret, sizeof(secret))));
		assert_int_equal(keyring_secret(k, gone).n, 0);
		check_found(k, pids[i + 1], &owners[i + 1], KEYRING_SECRET_MAX);
	}
	assert_null(keyring_find(k, 0, slice_of("\0\0\0\0", 4)));
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
				uint32_t pid = keyring_add(k, &owner, 4);

				assert_int_equal(keyring_worker(k, pid), w);
				assert_int_equal(keyring_worker(other, pid), w);
				assert_true(keyring_worker(k, pid ^ 1) != w || counts[c] == 1);
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
