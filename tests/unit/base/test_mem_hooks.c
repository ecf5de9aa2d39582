/* The allocator that libraries get: it knows lengths, and wipes. */
#include "config.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "base/mem_hooks.h"
#include "wiped.h"

static void wiped(void **state)
{
	char *p = mem_hooks_strdup("a secret that is long enough");

	(void)state;
	watch_for(p, strlen(p));
	mem_hooks_free(p);
	assert_int_equal(watch.wiped, 1);
	assert_int_equal(watch.dirty, 0);
	p = mem_hooks_strdup("another one");
	watch_for(p, strlen(p));
	p = mem_hooks_realloc(p, 1000);
	assert_int_equal(watch.wiped, 1);
	watch_for(p, 1000);
	p = mem_hooks_realloc(p, 3);
	assert_int_equal(watch.wiped, 1);
	mem_hooks_free(p);
}

static void lengths(void **state)
{
	static const size_t sizes[] = {0, 1, 15, 16, 17, 4096, 100000};
	unsigned char *p = NULL;

	(void)state;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		p = mem_hooks_realloc(p, sizes[i]);
		assert_int_equal((uintptr_t)p % _Alignof(max_align_t), 0);
		if (i > 0)
			for (size_t k = 0; k < sizes[i - 1]; k++)
				assert_int_equal(p[k], 'a');
		memset(p, 'a', sizes[i]);
	}
	p = mem_hooks_realloc(p, 3);
	assert_memory_equal(p, "aaa", 3);
	mem_hooks_free(p);
	mem_hooks_free(NULL);
	p = mem_hooks_calloc(3, 5);
	for (int i = 0; i < 15; i++)
		assert_int_equal(p[i], 0);
	mem_hooks_free(p);
	p = (unsigned char *)mem_hooks_strdup("text");
	assert_string_equal((char *)p, "text");
	mem_hooks_free(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(wiped), cmocka_unit_test(lengths)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
