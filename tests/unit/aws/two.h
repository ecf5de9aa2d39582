/* A worker's loop and the control thread's with their mailboxes, turning by turns in one thread, on one clock that stands
 * still until told. */
#ifndef TESTS_UNIT_AWS_TWO_H
#define TESTS_UNIT_AWS_TWO_H

#include "fake.h"
#include "io/mailbox.h"

struct two {
	struct fake_clock clock;
	struct loop *control, *worker;
	struct mailbox *control_mail, *worker_mail;
};

/* The clock is there already. Borrows log, the control thread's; NULL: none. */
static inline void two_start(struct two *t, struct log *log)
{
	t->control = loop_new(&t->clock.base, log, NULL);
	t->worker = loop_new(&t->clock.base, NULL, NULL);
	t->control_mail = mailbox_new(t->control, NULL, NULL);
	t->worker_mail = mailbox_new(t->worker, NULL, NULL);
}

/* A question goes from the worker to the control thread, and its answer back. */
static inline void two_settle(struct two *t)
{
	for (int i = 0; i < 3; i++) {
		fake_settle(t->worker);
		fake_settle(t->control);
	}
	fake_settle(t->worker);
}

static inline void two_pass(struct two *t, int64_t us)
{
	t->clock.mono_us += (uint64_t)us;
	t->clock.wall_us += us;
	two_settle(t);
}

static inline void two_end(struct two *t)
{
	mailbox_close(t->worker_mail);
	mailbox_close(t->control_mail);
	mailbox_unref(t->worker_mail);
	mailbox_unref(t->control_mail);
	loop_free(t->worker);
	loop_free(t->control);
}

#endif
