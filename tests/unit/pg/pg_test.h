/* What the tests of pg share. */
#ifndef PGIAM_TESTS_UNIT_PG_TEST_H
#define PGIAM_TESTS_UNIT_PG_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "../guard.h"
#include "base/buf.h"

/* A literal with NULs in it. */
#define BYTES(s) slice_of((s), sizeof(s) - 1)

#define assert_slice(s, text)                                                                                \
	do {                                                                                                 \
		struct slice got_ = (s);                                                                     \
		assert_int_equal(got_.n, sizeof(text) - 1);                                                  \
		assert_memory_equal(got_.p, (text), sizeof(text) - 1);                                       \
	} while (0)

/* Calls check with in cut after every length from 0 to all of it, flush against a forbidden page. */
static inline void each_cut(struct slice in, void (*check)(struct slice cut, bool whole))
{
	for (size_t n = 0; n <= in.n; n++) {
		void *copy = guard_copy(in.p, n);

		check(slice_of(copy, n), n == in.n);
		guard_free(copy, n);
	}
}

#endif
