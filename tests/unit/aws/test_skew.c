#include "config.h" /* for memmem */
#include "fake.h"
#include <stdio.h>
#include "aws/env.h"
#include "aws/kit.h"
#include "aws/skew.h"

struct fixture {
	struct fake_clock clock;
	struct log *log;
	struct skew skew;
	unsigned lines;
	char last[1024];
};

static void keep(void *arg, const char *line, size_t n)
{
	struct fixture *f = arg;

	f->lines++;
	snprintf(f->last, sizeof(f->last), "%.*s", (int)n, line);
}

static int setup(void **state)
{
	struct fixture *f = mem_zalloc(sizeof(*f));

	f->clock = fake_clock_make();
	f->log = log_new(&f->clock.base, LOG_DEBUG, LOG_KEY_VALUE, keep, f);
	skew_init(&f->skew);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	log_free(f->log);
	free(f);
	return 0;
}

/* AWS's clock is `by` ahead of ours; the answer took `took`. What is signed with then, against ours. */
static int64_t measure(struct fixture *f, int64_t by, int64_t took)
{
	int64_t now = f->clock.wall_us, date = (now - took / 2 + by) / SEC * SEC;

	skew_measure(&f->skew, date, now - took, now, f->log);
	return skew_wall_us(&f->skew, &f->clock.base) - now;
}

static void corrects(void **state)
{
	struct fixture *f = *state;

	assert_true(skew_wall_us(NULL, &f->clock.base) == T0);
	assert_true(measure(f, 0, SEC / 10) == 0);
	assert_true(measure(f, 20 * SEC, SEC / 10) == 0);
	assert_int_equal(f->lines, 0);
	/* off by ten minutes: corrected to within a second, told once */
	assert_in_range(measure(f, 600 * SEC, SEC / 10), 599 * SEC, 601 * SEC);
	assert_int_equal(f->lines, 1);
	assert_non_null(strstr(f->last, " min"));
	assert_non_null(strstr(f->last, "slow"));
	assert_in_range(measure(f, 601 * SEC, SEC), 599 * SEC, 601 * SEC);
	assert_int_equal(f->lines, 1);
	/* the other way */
	assert_in_range(-measure(f, -600 * SEC, SEC / 10), 599 * SEC, 601 * SEC);
	assert_non_null(strstr(f->last, "fast"));
	/* somebody set the clock */
	assert_true(measure(f, SEC, SEC / 10) == 0);
	assert_int_equal(f->lines, 3);
	assert_non_null(strstr(f->last, "right again"));
}

static void bounded(void **state)
{
	struct fixture *f = *state;

	assert_in_range(measure(f, 3590 * SEC, SEC / 10), 3589 * SEC, 3591 * SEC);
	assert_true(measure(f, 3700 * SEC, SEC / 10) == 0);
	assert_non_null(strstr(f->last, "too far"));
	assert_in_range(atomic_load(&f->skew.measured_us), 3699 * SEC, 3701 * SEC);
	assert_true(measure(f, -86400 * 365 * SEC, SEC / 10) == 0);
	/* an answer that took long, or came before it was asked for (the clock was set meanwhile), says
	 * nothing */
	f->lines = 0;
	assert_true(measure(f, 600 * SEC, 11 * SEC) == 0);
	assert_true(measure(f, 600 * SEC, -SEC) == 0);
	assert_int_equal(f->lines, 0);
}

/* What to do about it is told where it can be known to be the cause, and nowhere else. */
static void hints(void **state)
{
	struct fixture *f = *state;
	struct err e;

	err_set(&e, ERR_CREDENTIALS, "expired");
	err_hint(&e, "as it was");
	skew_hint(NULL, &e);
	measure(f, 1200 * SEC, SEC / 10);
	assert_non_null(strstr(f->last, "20 min"));
	skew_hint(&f->skew, &e);
	assert_string_equal(e.hint, "as it was");
	measure(f, 7200 * SEC, SEC / 10);
	skew_hint(&f->skew, &e);
	assert_string_equal(e.hint, "Set this machine's clock: it is 2 h 00 min behind AWS's, which is too far to correct.");
	measure(f, -7200 * SEC, SEC / 10);
	skew_hint(&f->skew, &e);
	assert_non_null(strstr(e.hint, "2 h 00 min ahead of AWS's"));
}

/* What all work with: a CA bundle that is not there is told at once. */
static void kit_ca(void **state)
{
	struct fixture *f = *state;
	const char *good[] = {"AWS_REGION=eu-west-1", "https_proxy=http://proxy.test:3128", NULL};
	const char *bad[] = {"AWS_CA_BUNDLE=/nowhere/ca.pem", NULL};
	struct loop *l = loop_new(&f->clock.base, NULL, NULL);
	struct err e;
	struct kit *kit = kit_new(l, good, NULL, NULL, &e);

	assert_non_null(kit);
	assert_ptr_equal(kit->deps.loop, l);
	assert_string_equal(env_get(kit->deps.env, "AWS_REGION"), "eu-west-1");
	assert_non_null(kit->deps.http);
	kit_free(kit);
	assert_null(kit_new(l, bad, NULL, NULL, &e));
	assert_int_equal(e.code, ERR_CONFIG);
	assert_non_null(strstr(e.msg, "AWS_CA_BUNDLE: cannot read /nowhere/ca.pem: No such file"));
	kit_free(NULL);
	loop_free(l);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {T(corrects), T(bounded), T(hints), T(kit_ca)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
