/* The cache while its provider has no credentials: what is told, what is tried, and when. */
#include "cache_kit.h"

/* The first fetch fails: who waits is told, who comes next as well and at once, and it mends itself. */
static void fails_fast(void **state)
{
	struct fixture *f = *state;
	struct answer a = {0};

	cache_get(f->cache, NULL, take, &a);
	fake_settle(f->loop);
	assert_int_equal(a.times, 0);
	fake_fail(&f->provider, PROVIDER_NOT_CONFIGURED, "no AWS credentials found");
	fake_settle(f->loop);
	assert_int_equal(a.times, 1);
	assert_string_equal(a.e.msg, "no AWS credentials found");
	assert_null(ask(f, &a));
	assert_int_equal(f->provider.starts, 1);
	fake_pass(&f->clock, f->loop, SEC + 100000);
	assert_int_equal(f->provider.starts, 2);
	assert_string_equal(ask(f, &a), "");
	fake_give(&f->provider, "ONE", 0, true);
	assert_string_equal(ask(f, &a), "ONE");
	forget(&a);
}

/* A long outage: nobody asks, and the attempts get rare. Who then wants some has the source asked at once, and who asks a
 * moment later still within the second; in a crowd it is asked once a second. */
static void wanted(void **state)
{
	struct fixture *f = *state;
	struct answer a = {0};
	unsigned starts;

	for (int i = 0; i < 1800; i++) {
		if (f->provider.cb)
			fake_fail(&f->provider, PROVIDER_FAILED, "away");
		fake_pass(&f->clock, f->loop, SEC);
	}
	assert_in_range(f->provider.starts, 30, 70);
	while (!f->provider.cb)
		fake_pass(&f->clock, f->loop, SEC);
	fake_fail(&f->provider, PROVIDER_FAILED, "away");
	starts = f->provider.starts;
	fake_pass(&f->clock, f->loop, 2 * SEC);
	assert_int_equal(f->provider.starts, starts);
	assert_string_equal(ask(f, &a), ""); /* waits for what has begun */
	assert_int_equal(f->provider.starts, ++starts);
	fake_fail(&f->provider, PROVIDER_FAILED, "away");
	fake_settle(f->loop);
	assert_null(ask(f, &a)); /* told so, as it was tried a moment ago; ... */
	assert_string_equal(a.e.msg, "away");
	assert_int_equal(f->provider.starts, starts);
	fake_pass(&f->clock, f->loop, SEC); /* ... and it is tried again soon */
	assert_int_equal(f->provider.starts, ++starts);
	for (int i = 0; i < 100; i++) {
		if (f->provider.cb)
			fake_fail(&f->provider, PROVIDER_FAILED, "away");
		cache_get(f->cache, NULL, take, &a);
		fake_pass(&f->clock, f->loop, SEC / 10);
	}
	if (f->provider.cb)
		fake_fail(&f->provider, PROVIDER_FAILED, "away");
	fake_settle(f->loop);
	assert_in_range(f->provider.starts - starts, 8, 11);
	assert_null(ask(f, &a));
	fake_pass(&f->clock, f->loop, SEC);
	assert_non_null(f->provider.cb);
	fake_give(&f->provider, "ONE", 0, true);
	assert_string_equal(ask(f, &a), "ONE");
	forget(&a);
}

/* In the last minute of their life nobody is to find them ended because the source was given a rest. */
static void wanted_near_the_end(void **state)
{
	struct fixture *f = *state;
	struct answer a = {0};
	int64_t end = f->clock.wall_us + 20 * MIN;
	unsigned starts;

	fake_give(&f->provider, "ONE", end, true);
	while (f->clock.wall_us < end - 55 * SEC || f->provider.cb) {
		if (f->provider.cb)
			fake_fail(&f->provider, PROVIDER_FAILED, "away");
		fake_pass(&f->clock, f->loop, SEC);
	}
	starts = f->provider.starts;
	assert_string_equal(ask(f, &a), ""); /* waits for what has begun */
	assert_int_equal(f->provider.starts, starts + 1);
	fake_give(&f->provider, "TWO", end + HOUR, true);
	assert_string_equal(ask(f, &a), "TWO");
	forget(&a);
}

/* Who waits for an attempt that takes long is told of the last one's failure; without one before, it waits. */
static void patience(void **state)
{
	struct fixture *f = *state;
	struct answer a = {0};

	cache_get(f->cache, NULL, take, &a);
	fake_pass(&f->clock, f->loop, 60 * SEC);
	assert_int_equal(a.times, 0);
	fake_fail(&f->provider, PROVIDER_FAILED, "away");
	fake_settle(f->loop);
	assert_int_equal(a.times, 1);
	fake_pass(&f->clock, f->loop, 2 * SEC);
	assert_non_null(f->provider.cb); /* hangs */
	cache_get(f->cache, NULL, take, &a);
	fake_pass(&f->clock, f->loop, 4 * SEC);
	assert_int_equal(a.times, 1);
	fake_pass(&f->clock, f->loop, 2 * SEC);
	assert_int_equal(a.times, 2);
	assert_string_equal(a.e.msg, "away");
	assert_non_null(f->provider.cb);
	fake_give(&f->provider, "ONE", 0, true);
	assert_string_equal(ask(f, &a), "ONE");
	forget(&a);
}

/* What passes has a code of its own: who is told knows whether it is worth waiting for. */
static void passing_and_lasting(void **state)
{
	static const enum err_code codes[] = {
		[PROVIDER_CAUSE_SETTINGS] = ERR_CREDENTIALS,         [PROVIDER_CAUSE_ABSENT] = ERR_CREDENTIALS,
		[PROVIDER_CAUSE_SESSION] = ERR_CREDENTIALS,
		[PROVIDER_CAUSE_UNREACHABLE] = ERR_CREDENTIALS_AWAY, [PROVIDER_CAUSE_SERVER] = ERR_CREDENTIALS_AWAY,
		[PROVIDER_CAUSE_THROTTLED] = ERR_CREDENTIALS_AWAY,   [PROVIDER_CAUSE_REFUSED] = ERR_CREDENTIALS,
		[PROVIDER_CAUSE_ANSWER] = ERR_CREDENTIALS,           [PROVIDER_CAUSE_EXPIRED] = ERR_CREDENTIALS,
	};
	struct fixture *f = *state;
	struct answer a = {0};
	struct err e;

	_Static_assert(sizeof(codes) / sizeof(codes[0]) == PROVIDER_CAUSE_COUNT, "a cause that is not tested");
	for (int i = 0; i < PROVIDER_CAUSE_COUNT; i++) {
		struct provider_answer no = {.result = PROVIDER_FAILED, .e = &e, .cause = (enum provider_cause)i};

		err_set(&e, ERR_CREDENTIALS, "no");
		cache_get(f->cache, NULL, take, &a);
		fake_settle(f->loop);
		fake_answer(&f->provider, &no);
		fake_settle(f->loop);
		assert_int_equal(a.times, i + 1);
		assert_int_equal(a.e.code, codes[i]);
		assert_string_equal(a.e.sqlstate, err_info(codes[i])->sqlstate);
		fake_pass(&f->clock, f->loop, 2 * SEC);
	}
	/* a provider that nobody configured */
	cache_get(f->cache, NULL, take, &a);
	fake_settle(f->loop);
	fake_fail(&f->provider, PROVIDER_NOT_CONFIGURED, "none");
	fake_settle(f->loop);
	assert_string_equal(a.e.msg, "none");
	assert_int_equal(a.e.code, ERR_CREDENTIALS);
	forget(&a);
}

/* Credentials end while their source is away: that moment is worth an attempt, whatever the back-off. Who asks then waits
 * for it, and is not told of a failure from before. */
static void end_ends_backoff(void **state)
{
	struct fixture *f = *state;
	struct answer a = {0};

	fake_give(&f->provider, "ONE", T0 + HOUR, true);
	fake_pass(&f->clock, f->loop, HOUR - 10 * MIN);
	while (f->clock.wall_us < T0 + HOUR - 20 * SEC) {
		if (f->provider.cb)
			fake_fail(&f->provider, PROVIDER_FAILED, "away");
		fake_pass(&f->clock, f->loop, SEC);
	}
	while (!f->provider.cb && f->clock.wall_us < T0 + HOUR)
		fake_pass(&f->clock, f->loop, SEC / 10);
	if (f->clock.wall_us < T0 + HOUR)
		fake_fail(&f->provider, PROVIDER_FAILED, "away"); /* the next would be up to a minute later */
	fake_pass(&f->clock, f->loop, T0 + HOUR - f->clock.wall_us + SEC / 10);
	assert_non_null(f->provider.cb); /* by itself: nobody wants some yet */
	assert_string_equal(ask(f, &a), "");
	fake_give(&f->provider, "TWO", T0 + 2 * HOUR, true);
	assert_string_equal(ask(f, &a), "TWO");
	forget(&a);
}

/* A source that asks to be left alone is, within reason. */
static void retry_after(void **state)
{
	struct fixture *f = *state;
	struct err e;
	struct provider_answer a = {.result = PROVIDER_FAILED, .e = &e, .retry_after_us = 120 * SEC};

	err_set(&e, ERR_CREDENTIALS, "busy");
	fake_answer(&f->provider, &a);
	for (int i = 0; i < 12; i++) {
		struct answer b = {0};

		assert_null(ask(f, &b)); /* also by those who want some */
		fake_pass(&f->clock, f->loop, 10 * SEC);
	}
	assert_int_equal(f->provider.starts, 1);
	fake_pass(&f->clock, f->loop, 2 * SEC);
	assert_int_equal(f->provider.starts, 2);
	a.retry_after_us = 3600 * SEC;
	fake_answer(&f->provider, &a);
	fake_pass(&f->clock, f->loop, 302 * SEC);
	assert_int_equal(f->provider.starts, 3);
	fake_give(&f->provider, "ONE", 0, true);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(fails_fast), T(end_ends_backoff), T(wanted), T(wanted_near_the_end), T(patience),
		T(passing_and_lasting), T(retry_after),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
