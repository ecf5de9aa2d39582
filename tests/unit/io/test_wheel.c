/* io/wheel, pure: against a model that knows every deadline. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>
#include "base/mem.h"
#include "io/wheel.h"

#define TICK ((uint64_t)LOOP_TICK_US)

struct model {
	struct wheel w;
	uint64_t now_us;
	unsigned fired;
	uint64_t last_tick; /* deadlines come in order */
};

struct thing {
	struct timer t;
	struct model *m;
	uint64_t due_us;    /* never before */
	uint64_t latest_us; /* the time of the run that must fire it */
	unsigned fired;
	struct thing *clears, *sets;
};

static void on_timer(void *arg)
{
	struct thing *th = arg;
	struct model *m = th->m;

	assert_true(m->now_us >= th->due_us);
	assert_true(th->t.at_tick >= m->last_tick);
	m->last_tick = th->t.at_tick;
	th->fired++;
	m->fired++;
	if (th->clears && timer_is_set(&th->clears->t))
		wheel_del(&m->w, &th->clears->t);
	if (th->sets && !timer_is_set(&th->sets->t))
		wheel_add(&m->w, &th->sets->t, m->now_us, 0);
}

static void model_init(struct model *m, uint64_t now_us)
{
	m->now_us = now_us;
	m->fired = 0;
	m->last_tick = 0;
	wheel_init(&m->w, now_us);
}

static void thing_init(struct thing *th, struct model *m)
{
	*th = (struct thing){.m = m};
	timer_init(&th->t, NULL, on_timer, th);
}

static void set(struct thing *th, uint64_t delay_us)
{
	th->due_us = th->m->now_us + delay_us;
	wheel_add(&th->m->w, &th->t, th->m->now_us, delay_us);
}

static unsigned run_at(struct model *m, uint64_t now_us)
{
	m->now_us = now_us;
	m->fired = 0;
	m->last_tick = 0;
	wheel_run(&m->w, now_us);
	return m->fired;
}

static void never_early_and_one_tick_late_at_most(void **state)
{
	static const uint64_t delays[] = {
		0,          1,          TICK - 1,   TICK,        TICK + 1,          7 * TICK,
		511 * TICK, 512 * TICK, 513 * TICK, 1024 * TICK, 100000 * TICK + 5, 3600000000,
	};

	(void)state;
	for (uint64_t start = 0; start < 3 * TICK; start += TICK / 4 + 1)
		for (size_t i = 0; i < sizeof(delays) / sizeof(delays[0]); i++) {
			struct model m;
			struct thing th;
			uint64_t due = start + delays[i];

			model_init(&m, start);
			thing_init(&th, &m);
			set(&th, delays[i]);
			assert_int_equal(m.w.count, 1);
			assert_true(m.w.next_tick * TICK >= due);
			assert_true(m.w.next_tick * TICK <= due + TICK);
			if (due > 0)
				assert_int_equal(run_at(&m, due - 1), 0);
			assert_int_equal(run_at(&m, due + TICK), 1);
			assert_int_equal(m.w.count, 0);
			assert_true(m.w.next_tick == WHEEL_NEVER);
		}
}

static void for_ever_does_not_overflow(void **state)
{
	struct model m;
	struct thing th;

	(void)state;
	model_init(&m, 1000000);
	thing_init(&th, &m);
	wheel_add(&m.w, &th.t, m.now_us, UINT64_MAX);
	assert_int_equal(run_at(&m, UINT64_MAX / 4), 0);
	assert_int_equal(m.w.count, 1);
	wheel_del(&m.w, &th.t);
	assert_true(m.w.next_tick == WHEEL_NEVER);
}

static void a_far_timer_skips_to_its_slot(void **state)
{
	struct model m;
	struct thing far, near;

	(void)state;
	model_init(&m, 0);
	thing_init(&far, &m);
	thing_init(&near, &m);
	set(&far, 3600 * CLOCK_US_PER_SEC);
	assert_int_equal(m.w.next_tick, 3600 * CLOCK_US_PER_SEC / TICK);
	/* the same slot, another round */
	set(&near, 3600 * CLOCK_US_PER_SEC - 300 * WHEEL_SLOTS * TICK);
	assert_int_equal(m.w.next_tick, near.t.at_tick);
	assert_int_equal(near.t.at_tick % WHEEL_SLOTS, far.t.at_tick % WHEEL_SLOTS);
	assert_int_equal(run_at(&m, near.due_us), 1);
	assert_int_equal(near.fired, 1);
	assert_int_equal(m.w.next_tick, far.t.at_tick);
	/* cleared: at worst one look too many */
	set(&near, 5 * TICK);
	wheel_del(&m.w, &near.t);
	assert_int_equal(run_at(&m, m.now_us + 5 * TICK), 0);
	assert_int_equal(m.w.next_tick, far.t.at_tick);
	assert_int_equal(run_at(&m, far.due_us), 1);
	assert_true(m.w.next_tick == WHEEL_NEVER);
}

static void callbacks_may_clear_and_set(void **state)
{
	struct model m;
	struct thing a, b, c;

	(void)state;
	model_init(&m, 0);
	thing_init(&a, &m);
	thing_init(&b, &m);
	thing_init(&c, &m);
	a.clears = &b; /* due in the same run */
	a.sets = &c;
	c.sets = &c; /* sets itself again: must not run for ever */
	set(&a, TICK);
	set(&b, TICK);
	assert_int_equal(run_at(&m, 3 * TICK), 1);
	assert_int_equal(a.fired, 1);
	assert_int_equal(b.fired, 0);
	assert_int_equal(c.fired, 0);
	assert_int_equal(m.w.count, 1);
	assert_int_equal(run_at(&m, 3 * TICK + TICK - 1), 0);
	assert_int_equal(run_at(&m, 4 * TICK), 1);
	assert_int_equal(run_at(&m, 5 * TICK), 1);
	assert_int_equal(c.fired, 2);
	assert_int_equal(m.w.count, 1);
	wheel_del(&m.w, &c.t);
}

static uint32_t next_random(uint32_t *x)
{
	*x = *x * 1664525 + 1013904223;
	return *x >> 4;
}

/* Jumps of all sizes, far beyond a round too: each timer fires in the first run at or after its tick, in
 * order. */
static void random_sequences(void **state)
{
	enum { THINGS = 300 };
	struct thing *th = mem_array(THINGS, sizeof(*th));
	struct model *m = mem_alloc(sizeof(*m));
	uint32_t x = 42;

	(void)state;
	model_init(m, 123456789);
	for (int i = 0; i < THINGS; i++)
		thing_init(&th[i], m);
	for (int round = 0; round < 4000; round++) {
		uint64_t jump, tick;
		size_t count = 0;

		for (int k = 0; k < 10; k++) {
			struct thing *t = &th[next_random(&x) % THINGS];

			if (timer_is_set(&t->t))
				wheel_del(&m->w, &t->t);
			if (next_random(&x) % 4) {
				t->fired = 0;
				set(t, next_random(&x) % (next_random(&x) % 3 ? 2000000 : 60000000));
			}
		}
		jump = next_random(&x) % 20 ? next_random(&x) % 100000 : next_random(&x) % 40000000;
		run_at(m, m->now_us + jump);
		tick = m->now_us / TICK;
		for (int i = 0; i < THINGS; i++) {
			if (!timer_is_set(&th[i].t))
				continue;
			count++;
			assert_true(th[i].t.at_tick > tick);
			assert_true(m->w.next_tick <= th[i].t.at_tick);
			assert_int_equal(th[i].fired, 0);
		}
		assert_int_equal(m->w.count, count);
	}
	free(m);
	free(th);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(never_early_and_one_tick_late_at_most),
		cmocka_unit_test(for_ever_does_not_overflow),
		cmocka_unit_test(a_far_timer_skips_to_its_slot),
		cmocka_unit_test(callbacks_may_clear_and_set),
		cmocka_unit_test(random_sequences),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
