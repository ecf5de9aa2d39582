/* io/loop with the system's clock: timers are never early, and an idle loop does not wake. */
#define _GNU_SOURCE 1 /* RUSAGE_THREAD */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>
#include <event2/event.h>
#include <cmocka.h>
#include "io/loop.h"

struct stopwatch {
	struct loop *l;
	struct timer t;
	uint64_t due, max_late;
	unsigned fired;
};

static void on_stopwatch(void *arg)
{
	struct stopwatch *s = arg;
	uint64_t now = clock_mono_us(loop_clock(s->l));

	assert_true(now >= s->due);
	if (now - s->due > s->max_late)
		s->max_late = now - s->due;
	if (++s->fired == 10)
		loop_stop(s->l);
	else {
		timer_set(&s->t, 30000);
		s->due = loop_now_us(s->l) + 30000;
	}
}

static void real_timers_are_never_early(void **state)
{
	struct loop *l = loop_new(clock_system(), NULL, NULL);
	struct stopwatch s = {.l = l};

	(void)state;
	timer_init(&s.t, l, on_stopwatch, &s);
	s.due = loop_now_us(l) + 30000;
	timer_set(&s.t, 30000);
	loop_run(l);
	assert_int_equal(s.fired, 10);
	assert_true(s.max_late <
		    2000000); /* the machine may be busy; the wheel's own share is tested in test_wheel */
	loop_free(l);
}

static long switches(void)
{
	struct rusage ru;

	getrusage(RUSAGE_THREAD, &ru);
	return ru.ru_nvcsw;
}

static void nothing(void *arg)
{
	(void)arg;
}

static void idle_means_no_wake_ups(void **state)
{
	struct loop *l = loop_new(clock_system(), NULL, NULL);
	struct timer far, near;
	long before;
	uint64_t start = loop_now_us(l);

	(void)state;
	timer_init(&far, l, nothing, NULL);
	timer_init(&near, l, nothing, NULL);
	/* nothing set: one wait, however long. One turn is one event_base_loop(EVLOOP_ONCE), which returns as
	 * soon as anything woke it, so that its length shows that nothing did. */
	before = switches();
	loop_turn(l, 300000);
	assert_true(loop_now_us(l) - start >= 300000);
	assert_true(switches() - before <= 5);
	/* a far deadline makes no difference */
	timer_set(&far, 3600 * CLOCK_US_PER_SEC);
	start = loop_now_us(l);
	before = switches();
	loop_turn(l, 300000);
	assert_true(loop_now_us(l) - start >= 300000);
	assert_true(switches() - before <= 5);
	/* nor does one that was cleared after the wait was armed for it */
	timer_set(&near, 60000);
	loop_turn(l, 1000);
	timer_clear(&near);
	timer_clear(&far);
	start = loop_now_us(l);
	loop_turn(l, 300000);
	assert_true(loop_now_us(l) - start >= 300000);
	loop_free(l);
}

/* The system's clock, counting how often it is looked at: every turn does. */
struct counting {
	struct clock clock; /* first */
	unsigned *looks;
};

static uint64_t counting_mono(const struct clock *c)
{
	++*((const struct counting *)(const void *)c)->looks;
	return clock_mono_us(clock_system());
}

struct cleared {
	struct loop *l;
	struct timer near[5];
};

static void on_letter(evutil_socket_t fd, short what, void *arg)
{
	struct cleared *k = arg;
	char c;

	(void)what;
	assert_int_equal(read(fd, &c, 1), 1);
	for (int i = 0; i < 5; i++)
		timer_clear(&k->near[i]);
	if (c == 's')
		loop_stop(k->l);
}

static void *write_twice(void *arg)
{
	usleep(20000);
	assert_int_equal(write(*(int *)arg, "c", 1), 1);
	usleep(700000);
	assert_int_equal(write(*(int *)arg, "s", 1), 1);
	return NULL;
}

static void a_cleared_timer_does_not_wake(void **state)
{
	unsigned looks = 0;
	struct counting counting = {
		.clock = {counting_mono, NULL},
                  .looks = &looks
        };
	struct cleared k = {.l = loop_new(&counting.clock, NULL, NULL)};
	struct event *e;
	pthread_t thread;
	int fds[2];

	(void)state;
	assert_int_equal(pipe(fds), 0);
	e = event_new(loop_base(k.l), fds[0], EV_READ | EV_PERSIST, on_letter, &k);
	event_add(e, NULL);
	for (int i = 0; i < 5; i++) {
		timer_init(&k.near[i], k.l, nothing, NULL);
		timer_set(&k.near[i], 400000 + 20000 * (uint64_t)i);
	}
	assert_int_equal(pthread_create(&thread, NULL, write_twice, &fds[1]), 0);
	looks = 0;
	loop_run(k.l);
	assert_true(looks <= 4); /* two turns that look twice: before and after waiting */
	pthread_join(thread, NULL);
	event_free(e);
	close(fds[0]);
	close(fds[1]);
	loop_free(k.l);
}

static void stop_from_before_is_not_lost(void **state)
{
	struct loop *l = loop_new(clock_system(), NULL, NULL);

	(void)state;
	loop_stop(l);
	loop_run(l); /* returns */
	loop_free(l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(real_timers_are_never_early),
		cmocka_unit_test(idle_means_no_wake_ups),
		cmocka_unit_test(a_cleared_timer_does_not_wake),
		cmocka_unit_test(stop_from_before_is_not_lost),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
