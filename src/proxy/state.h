/* What a state machine of proxy/ is made of: an enum, one table with a row per state, and one set_state that
 * checks the transition. A test walks every table: all states reachable, all reach the last one, every
 * state that waits has a deadline. */
#ifndef PGIAM_PROXY_STATE_H
#define PGIAM_PROXY_STATE_H

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define STATE_BIT(s) (1u << (s))

/* Who bounds the time spent in a state. */
enum state_deadline {
	DEADLINE_NONE,  /* may last for ever: nothing is awaited that could fail to come */
	DEADLINE_OWN,   /* the machine's own timer, set on entry */
	DEADLINE_OUTER, /* somebody above holds a timer for the whole operation */
	DEADLINE_FINAL, /* nothing comes after */
};

struct state_row {
	const char *name;
	uint32_t next; /* legal next states, STATE_BIT()s */
	enum state_deadline deadline;
};

/* Asserts are for our own bugs: an illegal transition is one. */
static inline void state_check(const struct state_row *rows, unsigned from, unsigned to)
{
	assert(rows[from].next & STATE_BIT(to));
	(void)rows;
	(void)from;
	(void)to;
}

#ifdef STATE_TRACE /* a descriptor: which transitions are ever made? (tests/lint/transitions, contrib/dev/coverage.sh) */
#include <stdio.h>
#define state_check(rows, from, to)                                                                           \
	(dprintf(STATE_TRACE, "%s %s %s\n", __FILE__, (rows)[from].name, (rows)[to].name),                    \
	 (state_check)(rows, from, to))
#endif

#endif
