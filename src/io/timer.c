/* The public face of the wheel. */
#include "io/loop_private.h"

void timer_init(struct timer *t, struct loop *l, void (*cb)(void *arg), void *arg)
{
	list_init(&t->node);
	t->at_tick = 0;
	t->loop = l;
	t->cb = cb;
	t->arg = arg;
}

void timer_set(struct timer *t, uint64_t delay_us)
{
	timer_clear(t);
	wheel_add(&t->loop->wheel, t, loop_now_us(t->loop), delay_us);
}

void timer_clear(struct timer *t)
{
	if (list_linked(&t->node))
		wheel_del(&t->loop->wheel, t);
}

bool timer_is_set(const struct timer *t)
{
	return list_linked(&t->node);
}
