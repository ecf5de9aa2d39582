/* The login rate: bucket, burst, halving and growing, under a time that is passed in. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>
#include "proxy/governor.h"

#define SEC 1000000ULL

/* Starts and at once ends as many logins as it may; how many. */
static unsigned take_all(struct governor *g, uint64_t now)
{
	unsigned n = 0;

	while (n < 10000 && governor_take(g, now)) {
		governor_done(g, GOVERNOR_REFUSED);
		n++;
	}
	return n;
}

static void without_a_rate_only_parallel_limits(void **state)
{
	struct governor g;

	(void)state;
	governor_init(&g, 0, 0, 3, 0);
	for (int i = 0; i < 3; i++)
		assert_true(governor_take(&g, 0));
	assert_false(governor_take(&g, 5 * SEC));
	assert_int_equal(governor_wait_us(&g, 5 * SEC), 0);
	governor_done(&g, GOVERNOR_STRAIN);
	assert_true(governor_take(&g, 5 * SEC));
	assert_true(g.rate == 0);
	governor_init(&g, 0, 0, 0, 0); /* nobody means "never" */
	assert_true(governor_take(&g, 0));
	assert_false(governor_take(&g, 0));
}

static void one_second_at_once_then_the_rate(void **state)
{
	struct governor g;
	unsigned n = 0;

	(void)state;
	governor_init(&g, 10, 100, 1000, 7 * SEC);
	assert_int_equal(take_all(&g, 7 * SEC), 10);
	assert_int_equal(take_all(&g, 7 * SEC), 0);
	for (uint64_t t = 7 * SEC; t < 17 * SEC; t += 1000)
		n += take_all(&g, t);
	assert_in_range(n, 98, 100);
	/* a long silence saves no more than one second's worth */
	assert_int_equal(take_all(&g, 1000 * SEC), 10);
}

static void the_wait_is_exact(void **state)
{
	struct governor g;
	uint64_t now = 100 * SEC;

	(void)state;
	governor_init(&g, 4, 100, 1000, now);
	assert_int_equal(governor_wait_us(&g, now), 0);
	take_all(&g, now);
	for (int i = 0; i < 20; i++) {
		uint64_t wait = governor_wait_us(&g, now);

		assert_in_range(wait, 1, SEC / 4);
		assert_false(governor_take(&g, now + wait - 2));
		now += wait;
		assert_int_equal(governor_wait_us(&g, now), 0);
		assert_true(governor_take(&g, now));
		governor_done(&g, GOVERNOR_REFUSED);
	}
}

/* Of a low limit each worker has its part. */
static void the_most_may_be_less_than_the_least(void **state)
{
	const enum governor_outcome all[] = {GOVERNOR_OK, GOVERNOR_REFUSED, GOVERNOR_STRAIN};
	struct governor g;

	(void)state;
	governor_init(&g, 0.125, 0.125, 1000, 0);
	for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++) {
		governor_done(&g, all[i]);
		assert_true(g.rate == 0.125);
	}
}

static void strain_halves_down_to_the_least(void **state)
{
	struct governor g;
	double before;

	(void)state;
	governor_init(&g, 40, 100, 1000, 0);
	for (int i = 0; i < 20; i++) {
		before = g.rate;
		governor_done(&g, GOVERNOR_STRAIN);
		assert_true(g.rate == (before / 2 > GOVERNOR_RATE_MIN ? before / 2 : GOVERNOR_RATE_MIN));
	}
	/* what was saved up does not outlive the strain */
	assert_int_equal(take_all(&g, 0), 0);
	/* and at the least rate a login still comes every two seconds */
	assert_int_equal(take_all(&g, 1 * SEC), 0);
	assert_int_equal(take_all(&g, 3 * SEC), 1);
	assert_int_equal(take_all(&g, 3 * SEC), 0);
}

static void success_grows_to_the_most(void **state)
{
	struct governor g;
	uint64_t now = 0;
	double at_one_second = 0;

	(void)state;
	governor_init(&g, 10, 50, 1000, now);
	take_all(&g, now);
	/* logging in as fast as it lets us: about one more a second every second */
	for (; now <= 100 * SEC; now += 1000) {
		if (governor_take(&g, now))
			governor_done(&g, GOVERNOR_OK);
		if (now == SEC)
			at_one_second = g.rate;
		assert_true(g.rate <= 50);
	}
	assert_true(at_one_second > 10.8 && at_one_second < 11.2);
	assert_true(g.rate == 50);
	/* a refusal that says nothing about load changes nothing */
	governor_done(&g, GOVERNOR_REFUSED);
	assert_true(g.rate == 50);
}

static void the_start_is_within_the_most(void **state)
{
	struct governor g;

	(void)state;
	governor_init(&g, 10, 2, 1000, 0);
	assert_true(g.rate == 2);
	assert_int_equal(take_all(&g, 0), 2);
}

static void parallel_counts_what_runs(void **state)
{
	struct governor g;

	(void)state;
	governor_init(&g, 10, 100, 2, 0);
	assert_true(governor_take(&g, 0));
	assert_true(governor_take(&g, 0));
	assert_false(governor_take(&g, 0));
	/* being at the limit took no token */
	governor_done(&g, GOVERNOR_REFUSED);
	governor_done(&g, GOVERNOR_REFUSED);
	governor_done(&g, GOVERNOR_REFUSED); /* one too many is no underflow */
	assert_int_equal(g.running, 0);
	assert_int_equal(take_all(&g, 0), 8);
}

static void time_going_backwards_gives_nothing(void **state)
{
	struct governor g;

	(void)state;
	governor_init(&g, 10, 100, 1000, 100 * SEC);
	take_all(&g, 100 * SEC);
	assert_int_equal(take_all(&g, 1 * SEC), 0);
	assert_in_range(governor_wait_us(&g, 1 * SEC), 1, SEC / 10 + 1);
	/* the same hundred seconds are not counted a second time */
	assert_in_range(take_all(&g, 100 * SEC), 0, 1);
	assert_in_range(take_all(&g, 101 * SEC), 9, 10);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(without_a_rate_only_parallel_limits),
		cmocka_unit_test(one_second_at_once_then_the_rate),
		cmocka_unit_test(the_wait_is_exact),
		cmocka_unit_test(the_most_may_be_less_than_the_least),
		cmocka_unit_test(strain_halves_down_to_the_least),
		cmocka_unit_test(success_grows_to_the_most),
		cmocka_unit_test(the_start_is_within_the_most),
		cmocka_unit_test(parallel_counts_what_runs),
		cmocka_unit_test(time_going_backwards_gives_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
