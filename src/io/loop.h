/* One thread's event loop: libevent's event_base, a deadline wheel, calls put off to the end
 * of the turn, and memory freed then. Everything that hangs on a loop is used on its thread only;
 * io/mailbox.h is the way in from other threads. */
#ifndef PGIAM_IO_LOOP_H
#define PGIAM_IO_LOOP_H

#include <stdbool.h>
#include <stdint.h>
#include "base/clock.h"
#include "base/err.h"
#include "base/list.h"
#include "base/log.h"

struct event_base;
struct loop;

/* clock and log are borrowed for the loop's life. NULL with e set if the kernel refuses. */
struct loop *loop_new(const struct clock *clock, struct log *log, struct err *e);

/* Everything on the loop must be closed; runs what is still put off, then frees. NULL is fine. */
void loop_free(struct loop *l);

/* Runs until loop_stop. */
void loop_run(struct loop *l);
void loop_stop(struct loop *l);

/* One turn: handles what is ready, waiting at most max_wait_us (0: not at all). For tests and the simulator. */
void loop_turn(struct loop *l, uint64_t max_wait_us);

struct event_base *loop_base(struct loop *l);
struct log *loop_log(struct loop *l);
const struct clock *loop_clock(struct loop *l);

/* Monotonic microseconds, read once a turn: cheap. */
uint64_t loop_now_us(struct loop *l);

/* ---- deadlines ----
 * A timer sits in a coarse wheel (ticks of LOOP_TICK_US): it fires at most two ticks late and
 * never early. The wheel's own event stops when no timer is set: an idle loop does not wake. */
#define LOOP_TICK_US 20000

struct timer {
	struct list node; /* io's own */
	uint64_t at_tick; /* io's own */
	struct loop *loop;
	void (*cb)(void *arg);
	void *arg;
};

void timer_init(struct timer *t, struct loop *l, void (*cb)(void *arg), void *arg);

/* Sets or moves the deadline, delay_us from now. Setting is O(1) and costs no system call. */
void timer_set(struct timer *t, uint64_t delay_us);

/* Idempotent; after it the callback does not come. */
void timer_clear(struct timer *t);
bool timer_is_set(const struct timer *t);

/* ---- put off ----
 * The callback comes once, at the end of this turn (or the start of the next), never inside
 * defer_set. This is how an operation keeps its promise not to call back inside start. */
struct defer {
	struct list node; /* io's own */
	struct loop *loop;
	void (*cb)(void *arg);
	void *arg;
};

void defer_init(struct defer *d, struct loop *l, void (*cb)(void *arg), void *arg);
void defer_set(struct defer *d);   /* idempotent while pending */
void defer_clear(struct defer *d); /* idempotent */

/* Calls free_fn(p) after this turn, when no event of the turn can still name p. */
void loop_free_later(struct loop *l, void (*free_fn)(void *p), void *p);

#endif
