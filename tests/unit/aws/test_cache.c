#include "cache_kit.h"

/* Ten at once: one fetch, ten answers, none inside cache_get or the provider's callback. */
static void single_flight(void **state)
{
	struct fixture *f = *state;
	struct answer a[10] = {0};

	assert_int_equal(f->provider.starts, 1); /* before anybody asked */
	for (int i = 0; i < 10; i++)
		cache_get(f->cache, NULL, take, &a[i]);
	fake_settle(f->loop);
	assert_int_equal(f->provider.starts, 1);
	fake_give(&f->provider, "ONE", T0 + HOUR, true);
	for (int i = 0; i < 10; i++)
		assert_int_equal(a[i].times, 0);
	fake_settle(f->loop);
	for (int i = 0; i < 10; i++) {
		assert_int_equal(a[i].times, 1);
		assert_string_equal(a[i].creds->access_key, "ONE");
		forget(&a[i]);
	}
	cache_get(f->cache, NULL, take, &a[0]);
	assert_int_equal(a[0].times, 0);
	fake_settle(f->loop);
	assert_int_equal(a[0].times, 1);
	assert_int_equal(f->provider.starts, 1);
	forget(&a[0]);
}

/* An hour's credentials are renewed between 40.5 and 45 minutes, while the old ones still answer. */
static void early_refresh(void **state)
{
	struct fixture *f = *state;
	struct answer a = {0};

	fake_give(&f->provider, "ONE", T0 + HOUR, true);
	fake_pass(&f->clock, f->loop, 40 * MIN);
	assert_int_equal(f->provider.starts, 1);
	fake_pass(&f->clock, f->loop, 5 * MIN + SEC);
	assert_int_equal(f->provider.starts, 2);
	assert_string_equal(ask(f, &a), "ONE");
	fake_give(&f->provider, "TWO", T0 + 2 * HOUR, true);
	assert_string_equal(ask(f, &a), "TWO");
	assert_int_equal(f->provider.starts, 2);
	forget(&a);
}

/* Not all at the same moment: ten caches differ. */
static void jitter(void **state)
{
	struct fixture *f = *state;
	unsigned at[10];
	bool differ = false;

	for (int i = 0; i < 10; i++) {
		unsigned n = 0;

		f->clock.wall_us = T0;
		fake_give(&f->provider, "ONE", T0 + HOUR, true);
		while (!f->provider.cb) {
			fake_pass(&f->clock, f->loop, SEC);
			n++;
		}
		assert_in_range(n, 40 * 60 + 30, 45 * 60 + 1);
		at[i] = n;
		differ = differ || at[i] != at[0];
	}
	assert_true(differ);
}

/* While they live, the old ones stand in for what cannot be fetched; retries keep their distance. */
static void failure_keeps_old(void **state)
{
	struct fixture *f = *state;
	struct answer a = {0};
	struct cache_stats stats;
	unsigned retries = 0;

	fake_give(&f->provider, "ONE", T0 + HOUR, true);
	while (f->clock.wall_us < T0 + HOUR - MIN - SEC) {
		fake_pass(&f->clock, f->loop, SEC);
		if (f->provider.cb) {
			fake_fail(&f->provider, PROVIDER_FAILED, "out of order");
			retries++;
		}
		if (f->clock.wall_us % (97 * SEC) < SEC)
			assert_string_equal(ask(f, &a), "ONE");
	}
	/* 15 to 19 minutes: six quick ones, then one every 30 to 60 s */
	assert_in_range(retries, 15, 50);
	assert_true(f->warnings <= retries + 1);
	cache_collect(f->cache, &stats);
	assert_true(stats.valid);
	assert_int_equal(stats.refreshes, 1);
	assert_int_equal(stats.failures[PROVIDER_CAUSE_SETTINGS], retries);

	/* nearly and then really over: the last good ones to their last second, then the failure itself */
	while (f->clock.wall_us < T0 + HOUR - SEC) {
		fake_pass(&f->clock, f->loop, SEC);
		if (f->provider.cb)
			fake_fail(&f->provider, PROVIDER_FAILED, "out of order");
	}
	cache_get(f->cache, NULL, take, &a);
	a.times = 0;
	fake_settle(f->loop);
	if (f->provider.cb)
		fake_fail(&f->provider, PROVIDER_FAILED, "out of order");
	fake_settle(f->loop);
	assert_int_equal(a.times, 1);
	assert_string_equal(a.creds->access_key, "ONE");
	fake_pass(&f->clock, f->loop, 2 * SEC);
	cache_get(f->cache, NULL, take, &a);
	fake_settle(f->loop);
	if (f->provider.cb)
		fake_fail(&f->provider, PROVIDER_FAILED, "out of order");
	fake_settle(f->loop);
	assert_int_equal(a.times, 2);
	assert_null(a.creds);
	assert_string_equal(a.e.msg, "out of order");
	cache_collect(f->cache, &stats);
	assert_false(stats.valid);
	assert_string_equal(stats.why.msg, "out of order");

	/* and back */
	fake_pass(&f->clock, f->loop, 61 * SEC);
	fake_give(&f->provider, "TWO", 0, true);
	assert_string_equal(ask(f, &a), "TWO");
	forget(&a);
}

/* After a success the distance of retries is small again. */
static void backoff_starts_anew(void **state)
{
	struct fixture *f = *state;

	for (int i = 0; i < 8; i++) {
		fake_fail(&f->provider, PROVIDER_FAILED, "out of order");
		fake_pass(&f->clock, f->loop, 61 * SEC);
	}
	fake_give(&f->provider, "ONE", f->clock.wall_us + 40 * SEC, true);
	fake_pass(&f->clock, f->loop, 21 * SEC); /* half their life */
	fake_fail(&f->provider, PROVIDER_FAILED, "out of order");
	fake_pass(&f->clock, f->loop, SEC + 100000);
	assert_non_null(f->provider.cb);
}

/* A machine that slept: the monotonic clock stood still, the credentials are over all the same. */
static void wall_clock_decides(void **state)
{
	struct fixture *f = *state;
	struct answer a = {0};

	fake_give(&f->provider, "ONE", T0 + HOUR, true);
	assert_string_equal(ask(f, &a), "ONE");
	f->clock.wall_us += 50 * MIN; /* due: asked for meanwhile */
	f->clock.mono_us += 2 * SEC;
	assert_string_equal(ask(f, &a), "ONE");
	assert_int_equal(f->provider.starts, 2);
	fake_give(&f->provider, "TWO", T0 + 2 * HOUR, true);
	f->clock.wall_us += 24 * HOUR;
	f->clock.mono_us += 2 * SEC;
	cache_get(f->cache, NULL, take, &a);
	a.times = 0;
	fake_settle(f->loop);
	assert_int_equal(a.times, 0);
	assert_int_equal(f->provider.starts, 3);
	fake_give(&f->provider, "THREE", f->clock.wall_us + HOUR, true);
	fake_settle(f->loop);
	assert_string_equal(a.creds->access_key, "THREE");
	forget(&a);
}

static void expired_from_provider(void **state)
{
	struct fixture *f = *state;
	struct answer a = {0};
	struct cache_stats stats;

	cache_collect(f->cache, &stats);
	assert_false(stats.valid);
	assert_non_null(strstr(stats.why.msg, "yet")); /* and nothing worse */
	assert_non_null(strstr(stats.why.hint, "has not answered yet"));
	fake_give(&f->provider, "AKIAIOSFODNN7EXAMPLE", T0 - 5 * MIN, true);
	assert_null(ask(f, &a));
	assert_non_null(strstr(a.e.hint, "no newer ones"));
	fake_pass(&f->clock, f->loop, 2 * SEC);
	fake_give(&f->provider, "AKIAIOSFODNN7EXAMPLE", T0 - 5 * MIN, false);
	assert_null(ask(f, &a));
	assert_int_equal(a.e.code, ERR_CREDENTIALS);
	assert_non_null(strstr(a.e.detail, "AKIA****MPLE"));
	assert_non_null(strstr(a.e.detail, "5 min ago"));
	assert_non_null(strstr(a.e.hint, "cannot renew"));
	cache_collect(f->cache, &stats);
	assert_null(stats.creds);
	assert_int_equal(stats.failures[PROVIDER_CAUSE_EXPIRED], 2);
	forget(&a);
}

/* Credentials nobody can renew are not asked for again before they end. */
static void not_renewable(void **state)
{
	struct fixture *f = *state;
	struct answer a = {0};

	fake_give(&f->provider, "ONE", T0 + HOUR, false);
	for (int i = 0; i < 59; i++) {
		fake_pass(&f->clock, f->loop, MIN);
		assert_string_equal(ask(f, &a), "ONE");
	}
	fake_pass(&f->clock, f->loop, MIN - SEC);
	assert_string_equal(ask(f, &a), "ONE");
	cache_get(f->cache, a.creds, take, &a);
	fake_settle(f->loop);
	assert_int_equal(f->provider.starts, 1);
	fake_pass(&f->clock, f->loop, 2 * SEC);
	assert_string_equal(ask(f, &a), "");
	fake_give(&f->provider, "ONE", T0 + HOUR, false);
	assert_null(ask(f, &a));
	assert_non_null(strstr(a.e.msg, "expired"));
	forget(&a);
}

static void refused(void **state)
{
	struct fixture *f = *state;
	struct answer a = {0}, b = {0};

	fake_give(&f->provider, "ONE", T0 + HOUR, true);
	assert_string_equal(ask(f, &a), "ONE");
	/* fetched a moment ago: no use */
	cache_get(f->cache, a.creds, take, &b);
	fake_settle(f->loop);
	assert_int_equal(b.times, 1);
	assert_ptr_equal(b.creds, a.creds);
	assert_int_equal(f->provider.starts, 1);
	/* later: one fetch for all who were refused, the others go on with what there is */
	fake_pass(&f->clock, f->loop, 11 * SEC);
	cache_get(f->cache, a.creds, take, &b);
	cache_get(f->cache, a.creds, take, &b);
	fake_settle(f->loop);
	assert_int_equal(b.times, 1);
	assert_int_equal(f->provider.starts, 2);
	{
		struct answer c = {0};

		assert_string_equal(ask(f, &c), "ONE");
		forget(&c);
	}
	fake_give(&f->provider, "TWO", T0 + HOUR, true);
	fake_settle(f->loop);
	assert_int_equal(b.times, 3);
	assert_string_equal(b.creds->access_key, "TWO");
	/* there are others already */
	cache_get(f->cache, a.creds, take, &b);
	fake_settle(f->loop);
	assert_int_equal(b.times, 4);
	assert_int_equal(f->provider.starts, 2);
	forget(&a);
	forget(&b);
}

/* A provider that has nothing but nearly expired ones is asked once a second at most. */
static void short_lived(void **state)
{
	struct fixture *f = *state;
	struct answer a = {0};

	fake_give(&f->provider, "ONE", T0 + 30 * SEC, true);
	for (int i = 0; i < 20; i++)
		assert_string_equal(ask(f, &a), "ONE");
	assert_int_equal(f->provider.starts, 1);
	fake_pass(&f->clock, f->loop, 2 * SEC);
	assert_string_equal(ask(f, &a), ""); /* waits: they end soon */
	assert_int_equal(f->provider.starts, 2);
	fake_give(&f->provider, "TWO", T0 + 40 * SEC, true);
	assert_string_equal(ask(f, &a), "TWO");
	forget(&a);
}

/* This machine's clock is ten minutes fast: credentials with five minutes left by it are good for fifteen. */
static void skewed_clock(void **state)
{
	struct fixture *f = *state;
	struct answer a = {0};

	atomic_store(&f->skew.correction_us, -10 * MIN);
	fake_give(&f->provider, "ONE", T0 - 5 * MIN, true);
	assert_string_equal(ask(f, &a), "ONE");
	forget(&a);
}

static void cancelled(void **state)
{
	struct fixture *f = *state;
	struct answer a = {0}, b = {0};
	struct cache_op *op = cache_get(f->cache, NULL, take, &a);

	cache_get(f->cache, NULL, take, &b);
	cache_cancel(op);
	fake_give(&f->provider, "ONE", 0, true);
	op = cache_get(f->cache, NULL, take, &a);
	cache_cancel(op); /* answered already, not yet told */
	fake_settle(f->loop);
	assert_int_equal(a.times, 0);
	assert_int_equal(b.times, 1);
	forget(&b);
}

/* A waiter that from its callback cancels its neighbour and asks again. */
struct meddler {
	struct fixture *f;
	struct cache_op *victim;
	struct answer again;
	unsigned times;
};

static void meddle(void *arg, struct credentials *c, const struct err *e)
{
	struct meddler *m = arg;

	(void)c;
	(void)e;
	m->times++;
	cache_cancel(m->victim);
	cache_get(m->f->cache, NULL, take, &m->again);
}

static void meddling_waiter(void **state)
{
	struct fixture *f = *state;
	struct meddler m = {.f = f};
	struct answer never = {0};

	cache_get(f->cache, NULL, meddle, &m);
	m.victim = cache_get(f->cache, NULL, take, &never);
	fake_give(&f->provider, "ONE", 0, true);
	fake_settle(f->loop);
	assert_int_equal(m.times, 1);
	assert_int_equal(never.times, 0);
	assert_int_equal(m.again.times, 1);
	forget(&m.again);
}

static void freed_while_fetching(void **state)
{
	struct fixture *f = *state;

	cache_free(f->cache);
	f->cache = NULL;
	assert_int_equal(f->provider.cancels, 1);
}

/* Keys in a file never end: somebody writes others there, and who asks next has those. */
static void changed_files(void **state)
{
	struct fixture *f = *state;
	struct answer a = {0};

	fake_give(&f->provider, "ONE", 0, true);
	fake_pass(&f->clock, f->loop, 2 * SEC);
	assert_string_equal(ask(f, &a), "ONE");
	assert_int_equal(f->provider.looks, 1);
	f->provider.changed = true;
	assert_string_equal(ask(f, &a), "ONE"); /* looked at a moment ago */
	assert_int_equal(f->provider.looks, 1);
	fake_pass(&f->clock, f->loop, 2 * SEC);
	cache_get(f->cache, NULL, take, &a);
	a.times = 0;
	fake_settle(f->loop);
	assert_int_equal(f->provider.starts, 2);
	assert_int_equal(a.times, 0); /* waits for what they say now */
	fake_give(&f->provider, "TWO", 0, true);
	fake_settle(f->loop);
	assert_int_equal(a.times, 1);
	assert_string_equal(a.creds->access_key, "TWO");
	/* half written: the last good ones go on, and there is an attempt soon without anybody's change */
	f->provider.changed = true;
	fake_pass(&f->clock, f->loop, 2 * SEC);
	cache_get(f->cache, NULL, take, &a);
	fake_settle(f->loop);
	fake_fail(&f->provider, PROVIDER_FAILED, "half a file");
	fake_settle(f->loop);
	assert_string_equal(a.creds->access_key, "TWO");
	fake_pass(&f->clock, f->loop, 2 * SEC);
	assert_int_equal(f->provider.starts, 4);
	fake_give(&f->provider, "THREE", 0, true);
	assert_string_equal(ask(f, &a), "THREE");
	forget(&a);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(single_flight),
		T(early_refresh),
		T(jitter),
		T(failure_keeps_old),
		T(backoff_starts_anew),
		T(wall_clock_decides),
		T(expired_from_provider),
		T(not_renewable),
		T(refused),
		T(changed_files),
		T(short_lived),
		T(skewed_clock),
		T(cancelled),
		T(meddling_waiter),
		T(freed_while_fetching),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
