/* The deadline wheel behind struct timer (io/loop.h): pure, told the time. A hashed wheel of one round;
 * a timer that is further away than that stays in its slot until its round comes. */
#ifndef PGIAM_IO_WHEEL_H
#define PGIAM_IO_WHEEL_H

#include <stddef.h>
#include "io/loop.h"

#define WHEEL_SLOTS 512 /* a power of two; with 20 ms ticks one round is about 10 s */
#define WHEEL_NEVER UINT64_MAX

struct wheel {
	struct list slot[WHEEL_SLOTS];
	uint64_t slot_min[WHEEL_SLOTS]; /* no timer in the slot is due before this tick */
	uint64_t done_tick;             /* every tick up to this one was handled */
	uint64_t next_tick; /* no timer at all is due before this tick; WHEEL_NEVER: none is set */
	size_t count;       /* timers set, due ones whose turn has not come included */
};

void wheel_init(struct wheel *w, uint64_t now_us);

/* t must not be set. The first tick that lies delay_us or more after now_us, and after every tick handled. */
void wheel_add(struct wheel *w, struct timer *t, uint64_t now_us, uint64_t delay_us);

/* t must be set. */
void wheel_del(struct wheel *w, struct timer *t);

/* Calls back every timer due at now_us, in the order of their deadlines. Callbacks may set and clear any
 * timer; what they set waits for a later call. */
void wheel_run(struct wheel *w, uint64_t now_us);

#endif
