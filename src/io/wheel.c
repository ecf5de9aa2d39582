/* Setting and clearing touch one list and one number. What is costly, finding the next occupied slot, is done
 * at most once a tick and only while something is set; an exact minimum is not kept, since a cleared timer
 * then costs a wake-up too many at worst. */
#include "io/wheel.h"

#include <assert.h>

void wheel_init(struct wheel *w, uint64_t now_us)
{
	for (size_t i = 0; i < WHEEL_SLOTS; i++) {
		list_init(&w->slot[i]);
		w->slot_min[i] = WHEEL_NEVER;
	}
	w->done_tick = now_us / LOOP_TICK_US;
	w->next_tick = WHEEL_NEVER;
	w->count = 0;
}

void wheel_add(struct wheel *w, struct timer *t, uint64_t now_us, uint64_t delay_us)
{
	uint64_t tick, i;

	assert(!list_linked(&t->node));
	if (delay_us > UINT64_MAX / 2)
		delay_us = UINT64_MAX / 2; /* for ever; the sum must not overflow */
	tick = (now_us + delay_us + LOOP_TICK_US - 1) / LOOP_TICK_US;
	if (tick <= w->done_tick)
		tick = w->done_tick + 1;
	i = tick % WHEEL_SLOTS;
	t->at_tick = tick;
	list_add_tail(&w->slot[i], &t->node);
	if (tick < w->slot_min[i])
		w->slot_min[i] = tick;
	if (tick < w->next_tick)
		w->next_tick = tick;
	w->count++;
}

void wheel_del(struct wheel *w, struct timer *t)
{
	size_t i = t->at_tick % WHEEL_SLOTS;

	list_del(&t->node);
	if (list_empty(&w->slot[i]))
		w->slot_min[i] = WHEEL_NEVER;
	if (--w->count == 0)
		w->next_tick = WHEEL_NEVER;
}

static void add_in_order(struct list *due, struct timer *t)
{
	struct list *pos = due;

	/* only after a jump of a whole round do slots not come in the order of their ticks */
	while (pos->prev != due && container_of(pos->prev, struct timer, node)->at_tick > t->at_tick)
		pos = pos->prev;
	list_insert_before(pos, &t->node);
}

/* Moves what is due by `now` from the slot to `due` and learns the slot's minimum. */
static void take_due(struct wheel *w, size_t i, uint64_t now, struct list *due)
{
	uint64_t min = WHEEL_NEVER;

	if (w->slot_min[i] > now)
		return;
	list_each(it, tmp, &w->slot[i])
	{
		struct timer *t = container_of(it, struct timer, node);

		if (t->at_tick > now) {
			if (t->at_tick < min)
				min = t->at_tick;
			continue;
		}
		list_del(it);
		add_in_order(due, t);
	}
	w->slot_min[i] = min;
}

void wheel_run(struct wheel *w, uint64_t now_us)
{
	uint64_t now = now_us / LOOP_TICK_US, from = w->done_tick + 1;
	struct list due, *first;

	if (now <= w->done_tick)
		return;
	w->done_tick = now;
	if (now < w->next_tick)
		return;
	list_init(&due);
	if (now - from >= WHEEL_SLOTS)
		from = now - WHEEL_SLOTS + 1;
	for (uint64_t tick = from; tick <= now; tick++)
		take_due(w, tick % WHEEL_SLOTS, now, &due);
	w->next_tick = WHEEL_NEVER;
	for (size_t i = 0; i < WHEEL_SLOTS; i++)
		if (w->slot_min[i] < w->next_tick)
			w->next_tick = w->slot_min[i];
	while ((first = list_first(&due))) {
		struct timer *t = container_of(first, struct timer, node);

		list_del(first);
		if (--w->count == 0)
			w->next_tick = WHEEL_NEVER;
		t->cb(t->arg);
	}
}
