/* libevent waits and tells what is ready; everything that has an order is ours: events, then timers, then
 * calls put off, then memory. So a turn is one call of event_base_loop, and libevent has a single timer of
 * ours, which only bounds the wait. Deadlines are compared with our own clock, which tests replace. */
#include "io/loop_private.h"

#include <assert.h>
#include <stdlib.h>
#include <event2/event.h>
#include "base/mem.h"

/* libevent compares with a coarse clock; waiting that much longer saves waking twice for one tick. */
#define LOOP_WAKE_SLACK_US 4000

/* How often bursts in the log are looked after (log_settle). */
#define LOOP_LOG_SETTLE_US CLOCK_US_PER_SEC

static void on_wake(evutil_socket_t fd, short what, void *arg)
{
	struct loop *l = arg;

	/* that the wait ended is all there is to it */
	(void)fd;
	(void)what;
	l->wake_us = UINT64_MAX;
}

static void on_log_timer(void *arg)
{
	(void)arg; /* the end of the turn settles */
}

/* Not EPOLL_USE_CHANGELIST: it takes a descriptor out of epoll a turn after it was closed, when another thread
 * may have been given its number. */
static struct event_base *make_base(void)
{
	struct event_config *cfg = event_config_new();
	struct event_base *base = NULL;

	if (cfg && event_config_set_flag(cfg, EVENT_BASE_FLAG_NOLOCK | EVENT_BASE_FLAG_IGNORE_ENV) == 0)
		base = event_base_new_with_config(cfg);
	if (cfg)
		event_config_free(cfg);
	return base;
}

struct loop *loop_new(const struct clock *clock, struct log *log, struct err *e)
{
	struct loop *l = mem_zalloc(sizeof(*l));

	l->base = make_base();
	l->wake = l->base ? evtimer_new(l->base, on_wake, l) : NULL;
	if (!l->wake) {
		if (l->base)
			event_base_free(l->base);
		free(l);
		err_set(e, ERR_IO, "cannot make an event loop");
		return NULL;
	}
	l->wake_us = UINT64_MAX;
	l->clock = clock;
	l->log = log;
	list_init(&l->deferred);
	wheel_init(&l->wheel, clock_mono_us(clock));
	timer_init(&l->log_timer, l, on_log_timer, NULL);
	return l;
}

/* The calls put off up to now; what they put off themselves waits for the next turn. */
static void run_deferred(struct loop *l)
{
	struct list batch, *first;

	list_init(&batch);
	while ((first = list_first(&l->deferred))) {
		list_del(first);
		list_add_tail(&batch, first);
	}
	while ((first = list_first(&batch))) {
		struct defer *d = container_of(first, struct defer, node);

		list_del(first);
		d->cb(d->arg);
	}
}

static void run_later(struct loop *l)
{
	/* freeing may put off more freeing */
	for (size_t i = 0; i < l->later_n; i++) {
		struct later it = l->later[i];

		it.free_fn(it.p);
	}
	l->later_n = 0;
}

/* Bounds the coming wait: libevent's timer is touched, and the clock read, only if its time changes. */
static void arm(struct loop *l, uint64_t max_wait_us)
{
	uint64_t at = UINT64_MAX, now = 0;

	if (l->wheel.next_tick != WHEEL_NEVER)
		at = l->wheel.next_tick * LOOP_TICK_US + LOOP_WAKE_SLACK_US;
	if (max_wait_us < UINT64_MAX || (at != l->wake_us && at != UINT64_MAX))
		now = clock_mono_us(l->clock);
	if (max_wait_us < UINT64_MAX - now && now + max_wait_us < at)
		at = now + max_wait_us;
	if (at == l->wake_us)
		return;
	if (at == UINT64_MAX) {
		evtimer_del(l->wake);
	} else {
		uint64_t wait_us = at > now ? at - now : 0;
		struct timeval tv = {(time_t)(wait_us / CLOCK_US_PER_SEC),
				     (suseconds_t)(wait_us % CLOCK_US_PER_SEC)};

		evtimer_add(l->wake, &tv);
	}
	l->wake_us = at;
}

void loop_turn(struct loop *l, uint64_t max_wait_us)
{
	int flags = EVLOOP_ONCE | EVLOOP_NO_EXIT_ON_EMPTY;

	assert(!l->in_turn);
	if (max_wait_us == 0 || !list_empty(&l->deferred) || l->later_n)
		flags |= EVLOOP_NONBLOCK; /* without ONCE libevent would stay while anything is ready */
	else
		arm(l, max_wait_us);
	l->in_turn = true;
	l->now_known = false;
	event_base_loop(l->base, flags);
	wheel_run(&l->wheel, loop_now_us(l));
	run_deferred(l);
	if (log_settle(l->log) && !timer_is_set(&l->log_timer))
		timer_set(&l->log_timer, LOOP_LOG_SETTLE_US);
	run_later(l);
	l->in_turn = false;
}

void loop_run(struct loop *l)
{
	while (!l->stop)
		loop_turn(l, UINT64_MAX);
	l->stop = false;
}

void loop_stop(struct loop *l)
{
	l->stop = true;
}

void loop_free(struct loop *l)
{
	if (!l)
		return;
	assert(!l->in_turn);
	while (!list_empty(&l->deferred) || l->later_n) {
		run_deferred(l);
		run_later(l);
	}
	timer_clear(&l->log_timer);
	assert(l->wheel.count == 0);
	free(l->later);
	event_free(l->wake);
	event_base_free(l->base);
	free(l);
}

struct event_base *loop_base(struct loop *l)
{
	return l->base;
}

struct log *loop_log(struct loop *l)
{
	return l->log;
}

const struct clock *loop_clock(struct loop *l)
{
	return l->clock;
}

uint64_t loop_now_us(struct loop *l)
{
	if (!l->in_turn)
		return clock_mono_us(l->clock); /* nobody would notice it grow old */
	if (!l->now_known) {
		l->now_us = clock_mono_us(l->clock);
		l->now_known = true;
	}
	return l->now_us;
}

void loop_free_later(struct loop *l, void (*free_fn)(void *p), void *p)
{
	if (l->later_n == l->later_size) {
		l->later_size = l->later_size ? 2 * l->later_size : 16;
		l->later = mem_resize(l->later, l->later_size * sizeof(*l->later));
	}
	l->later[l->later_n++] = (struct later){free_fn, p};
}
