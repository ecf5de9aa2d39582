/* io/loop: turns, timers, deferred calls and freeing, mostly under a clock that stands still. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>
#include <event2/event.h>
#include <cmocka.h>
#include "base/buf.h"
#include "base/mem.h"
#include "io/loop.h"

struct fake {
	struct clock clock; /* first */
	uint64_t mono;
};

static uint64_t fake_mono(const struct clock *c)
{
	return ((const struct fake *)(const void *)c)->mono;
}

static int64_t fake_wall(const struct clock *c)
{
	return (int64_t)fake_mono(c);
}

static struct loop *fake_loop(struct fake *f)
{
	struct loop *l;

	*f = (struct fake){
		.clock = {fake_mono, fake_wall},
                  .mono = 1000
        };
	l = loop_new(&f->clock, NULL, NULL);
	assert_non_null(l);
	return l;
}

/* What happened, in order. */
struct trace {
	char text[64];
	size_t n;
};

struct actor {
	struct trace *tr;
	char name;
	struct timer t;
	struct defer d;
	struct actor *defers, *clears;
	struct loop *free_later;
	uint64_t again_us;
};

static void note(struct trace *tr, char c)
{
	assert_true(tr->n < sizeof(tr->text) - 1);
	tr->text[tr->n++] = c;
	tr->text[tr->n] = '\0';
}

static void traced(struct trace *tr, const char *want)
{
	assert_string_equal(tr->text, want);
	tr->n = 0;
	tr->text[0] = '\0';
}

struct grave {
	struct trace *tr;
	struct loop *l;
	char name;
};

static void bury(void *p)
{
	struct grave *g = p;

	note(g->tr, g->name);
	if (g->name == 'F') { /* freeing may put off more freeing */
		struct grave *next = mem_alloc(sizeof(*next));

		*next = (struct grave){g->tr, g->l, 'G'};
		loop_free_later(g->l, bury, next);
	}
	free(g);
}

static void act(void *arg)
{
	struct actor *a = arg;

	note(a->tr, a->name);
	if (a->defers)
		defer_set(&a->defers->d);
	if (a->clears) {
		defer_clear(&a->clears->d);
		timer_clear(&a->clears->t);
	}
	if (a->free_later) {
		struct grave *g = mem_alloc(sizeof(*g));

		*g = (struct grave){a->tr, a->free_later, 'F'};
		loop_free_later(a->free_later, bury, g);
	}
	if (a->again_us)
		timer_set(&a->t, a->again_us);
}

static void actor_init(struct actor *a, struct loop *l, struct trace *tr, char name)
{
	*a = (struct actor){.tr = tr, .name = name};
	timer_init(&a->t, l, act, a);
	defer_init(&a->d, l, act, a);
}

static void timers_follow_the_loops_clock(void **state)
{
	struct fake f;
	struct loop *l = fake_loop(&f);
	struct trace tr = {.n = 0};
	struct actor a, b;

	(void)state;
	actor_init(&a, l, &tr, 'a');
	actor_init(&b, l, &tr, 'b');
	assert_false(timer_is_set(&a.t));
	timer_set(&a.t, 50000);
	timer_set(&b.t, 1000000);
	assert_true(timer_is_set(&a.t));
	loop_turn(l, 0);
	f.mono += 49999;
	loop_turn(l, 0);
	traced(&tr, "");
	f.mono += 1 + 2 * LOOP_TICK_US;
	loop_turn(l, 0);
	traced(&tr, "a");
	assert_false(timer_is_set(&a.t));
	/* moving a deadline */
	timer_set(&b.t, 2000000);
	f.mono += 1500000;
	loop_turn(l, 0);
	traced(&tr, "");
	timer_clear(&b.t);
	timer_clear(&b.t);
	f.mono += 10000000;
	loop_turn(l, 0);
	traced(&tr, "");
	/* a timer that sets itself runs once a turn */
	a.again_us = 1;
	timer_set(&a.t, 1);
	for (int i = 0; i < 5; i++) {
		f.mono += 10 * LOOP_TICK_US;
		loop_turn(l, 0);
	}
	traced(&tr, "aaaaa");
	timer_clear(&a.t);
	loop_free(l);
}

static void on_event(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	act(arg);
}

static void a_turn_has_an_order(void **state)
{
	struct fake f;
	struct loop *l = fake_loop(&f);
	struct trace tr = {.n = 0};
	struct actor ev, t, d;
	struct event *e;
	int fds[2];

	(void)state;
	assert_int_equal(pipe(fds), 0);
	actor_init(&ev, l, &tr, 'e');
	actor_init(&t, l, &tr, 't');
	actor_init(&d, l, &tr, 'd');
	e = event_new(loop_base(l), fds[0], EV_READ, on_event, &ev);
	event_add(e, NULL);
	assert_int_equal(write(fds[1], "x", 1), 1);
	ev.defers = &d;
	ev.free_later = l;
	timer_set(&t.t, 1);
	f.mono += 100000;
	loop_turn(l, 0);
	traced(&tr, "etdFG"); /* events, timers, deferred calls, memory */
	event_free(e);
	close(fds[0]);
	close(fds[1]);
	loop_free(l);
}

static void deferred_calls_come_once_and_later(void **state)
{
	struct fake f;
	struct loop *l = fake_loop(&f);
	struct trace tr = {.n = 0};
	struct actor a, b, c;

	(void)state;
	actor_init(&a, l, &tr, 'a');
	actor_init(&b, l, &tr, 'b');
	actor_init(&c, l, &tr, 'c');
	defer_set(&a.d);
	defer_set(&a.d);
	traced(&tr, "");        /* never inside defer_set */
	loop_turn(l, 10000000); /* must not wait either */
	traced(&tr, "a");
	loop_turn(l, 0);
	traced(&tr, "");
	/* set during deferred calls: the next turn, without waiting for anything */
	a.defers = &b;
	b.defers = &a;
	defer_set(&a.d);
	loop_turn(l, 10000000);
	traced(&tr, "a");
	loop_turn(l, 10000000);
	traced(&tr, "b");
	a.defers = b.defers = NULL;
	loop_turn(l, 10000000);
	traced(&tr, "a");
	/* cleared by one that runs before it in the same turn */
	a.clears = &b;
	defer_set(&a.d);
	defer_set(&b.d);
	defer_set(&c.d);
	loop_turn(l, 0);
	traced(&tr, "ac");
	defer_set(&a.d);
	defer_clear(&a.d);
	defer_clear(&a.d);
	loop_turn(l, 0);
	traced(&tr, "");
	loop_free(l);
}

static void a_timer_may_clear_its_neighbour(void **state)
{
	struct fake f;
	struct loop *l = fake_loop(&f);
	struct trace tr = {.n = 0};
	struct actor a, b;

	(void)state;
	actor_init(&a, l, &tr, 'a');
	actor_init(&b, l, &tr, 'b');
	a.clears = &b;
	timer_set(&a.t, 1000);
	timer_set(&b.t, 1000);
	f.mono += 100000;
	loop_turn(l, 0);
	traced(&tr, "a");
	loop_free(l);
}

static void free_runs_what_is_put_off(void **state)
{
	struct fake f;
	struct loop *l = fake_loop(&f);
	struct trace tr = {.n = 0};
	struct actor a, b;

	(void)state;
	actor_init(&a, l, &tr, 'a');
	actor_init(&b, l, &tr, 'b');
	a.defers = &b;
	b.free_later = l;
	defer_set(&a.d);
	loop_free(l);
	traced(&tr, "abFG");
	loop_free(NULL);
}

static void memory_alone_keeps_a_turn_from_waiting(void **state)
{
	struct loop *l = loop_new(clock_system(), NULL, NULL);
	uint64_t start = loop_now_us(l);

	(void)state;
	for (int i = 0; i < 100; i++)
		loop_free_later(l, free, mem_alloc(10));
	loop_turn(l, 10000000);
	assert_true(loop_now_us(l) - start < 5000000);
	loop_free(l);
}

static void now_is_read_once_a_turn(void **state)
{
	struct fake f;
	struct loop *l = fake_loop(&f);

	(void)state;
	assert_int_equal(loop_now_us(l), 1000);
	f.mono = 2000;
	assert_int_equal(loop_now_us(l), 2000); /* outside of turns: always fresh */
	assert_ptr_equal(loop_clock(l), &f.clock);
	assert_null(loop_log(l));
	loop_free(l);
}

struct looker {
	struct fake *f;
	struct loop *l;
};

static void look(void *arg)
{
	struct looker *k = arg;
	uint64_t now = loop_now_us(k->l);

	assert_int_equal(now, k->f->mono);
	k->f->mono += 500000; /* something slow */
	assert_int_equal(loop_now_us(k->l), now);
}

static void now_is_not_stale_in_the_next_turn(void **state)
{
	struct fake f;
	struct loop *l = fake_loop(&f);
	struct looker k = {&f, l};
	struct defer d;

	(void)state;
	defer_init(&d, l, look, &k);
	for (int i = 0; i < 3; i++) {
		defer_set(&d);
		loop_turn(l, 0);
	}
	assert_int_equal(f.mono, 1000 + 3 * 500000);
	loop_free(l);
}

/* A connection goes and another comes with its number, in one turn: libevent's change list must not mix them
 * up. */
static void a_descriptor_number_used_again(void **state)
{
	struct loop *l = loop_new(clock_system(), NULL, NULL);
	struct trace tr = {.n = 0};
	struct actor ev;
	struct event *e;
	int fds[2], other[2];

	(void)state;
	actor_init(&ev, l, &tr, 'e');
	assert_int_equal(pipe(fds), 0);
	assert_int_equal(pipe(other), 0);
	e = event_new(loop_base(l), fds[0], EV_READ | EV_PERSIST, on_event, &ev);
	event_add(e, NULL);
	loop_turn(l, 0);
	event_free(e);
	close(fds[0]);
	assert_int_equal(dup2(other[0], fds[0]), fds[0]);
	close(other[0]);
	e = event_new(loop_base(l), fds[0], EV_READ | EV_PERSIST, on_event, &ev);
	event_add(e, NULL);
	loop_turn(l, 0);
	traced(&tr, "");
	assert_int_equal(write(other[1], "x", 1), 1);
	loop_turn(l, 1000000);
	traced(&tr, "e");
	event_free(e);
	close(fds[0]);
	close(fds[1]);
	close(other[1]);
	loop_turn(l, 0);
	loop_free(l);
}

static void a_timer_ends_a_wait(void **state)
{
	struct loop *l = loop_new(clock_system(), NULL, NULL);
	struct trace tr = {.n = 0};
	struct actor a;
	uint64_t start = loop_now_us(l);

	(void)state;
	actor_init(&a, l, &tr, 'a');
	timer_set(&a.t, 50000);
	while (timer_is_set(&a.t))
		loop_turn(l, 10000000);
	assert_true(loop_now_us(l) - start >= 50000);
	assert_true(loop_now_us(l) - start < 5000000);
	traced(&tr, "a");
	loop_free(l);
}

static void sink(void *arg, const char *line, size_t n)
{
	buf_add(arg, line, n);
}

static void the_loop_tells_the_end_of_a_burst(void **state)
{
	struct fake f = {
		.clock = {fake_mono, fake_wall},
                  .mono = 1000
        };
	struct buf out;
	struct log *log;
	struct loop *l;

	(void)state;
	buf_init(&out, 1 << 16);
	log = log_new(&f.clock, LOG_INFO, LOG_KEY_VALUE, sink, &out);
	l = loop_new(&f.clock, log, NULL);
	assert_ptr_equal(loop_log(l), log);
	for (int i = 0; i < 20; i++)
		log_info(log, "burst");
	loop_turn(l, 0);
	assert_null(strstr(buf_cstr(&out), "repeated"));
	f.mono += 1100000; /* nothing is logged any more, but the loop has a timer for it */
	loop_turn(l, 0);
	assert_non_null(strstr(buf_cstr(&out), "msg=burst repeated=10\n"));
	loop_free(l);
	log_free(log);
	buf_free(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(timers_follow_the_loops_clock),
		cmocka_unit_test(a_turn_has_an_order),
		cmocka_unit_test(deferred_calls_come_once_and_later),
		cmocka_unit_test(a_timer_may_clear_its_neighbour),
		cmocka_unit_test(free_runs_what_is_put_off),
		cmocka_unit_test(memory_alone_keeps_a_turn_from_waiting),
		cmocka_unit_test(now_is_read_once_a_turn),
		cmocka_unit_test(now_is_not_stale_in_the_next_turn),
		cmocka_unit_test(a_descriptor_number_used_again),
		cmocka_unit_test(a_timer_ends_a_wait),
		cmocka_unit_test(the_loop_tells_the_end_of_a_burst),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
