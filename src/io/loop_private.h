/* What a loop is made of: for loop.c, timer.c and defer.c only. */
#ifndef PGIAM_IO_LOOP_PRIVATE_H
#define PGIAM_IO_LOOP_PRIVATE_H

#include "io/wheel.h"

struct event;

struct later {
	void (*free_fn)(void *p);
	void *p;
};

struct loop {
	const struct clock *clock;
	struct log *log;
	struct event_base *base;
	struct event *wake; /* ends a wait */
	uint64_t wake_us;   /* when; UINT64_MAX while it is not pending */
	struct wheel wheel;
	struct list deferred;
	struct later *later; /* owned array */
	size_t later_n, later_size;
	struct timer log_timer;
	uint64_t now_us; /* valid while now_known */
	bool now_known;
	bool in_turn;
	bool stop;
};

#endif
