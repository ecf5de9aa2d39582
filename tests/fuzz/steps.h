/* Inputs that are lists of steps: `head` bytes of choices, then per step one byte that says what is done, two that say how
 * long what it needs is, and that. Every sequence of bytes is such a list, so that any mutation is a legal input, but
 * steps_mutate.c keeps steps whole: it moves, doubles and removes them, and puts in steps that mean something. */
#ifndef PGIAM_TESTS_FUZZ_STEPS_H
#define PGIAM_TESTS_FUZZ_STEPS_H

#include "base/rd.h"

#define STEPS_MAX 400 /* of one input; more are not looked at */

struct step {
	uint8_t op;
	struct slice arg; /* borrowed */
};

/* A step that means something, for the mutator. */
struct steps_canned {
	uint8_t op;
	const char *arg;
	size_t n;
};

/* What the target tells the mutator. */
struct steps_kit {
	size_t head;
	uint8_t ops; /* operations there are; the bits above them in a step's first byte say where */
	const struct steps_canned *canned;
	size_t canned_n;
};

extern const struct steps_kit steps_kit; /* of the target */

/* False at the end. A last step that is cut short gets what is there. */
static inline bool step_next(struct rd *r, struct step *st)
{
	size_t n;

	if (r->left < 3)
		return false;
	st->op = rd_u8(r);
	n = rd_be16(r);
	st->arg = rd_bytes(r, n < r->left ? n : r->left);
	return true;
}

/* The i-th byte of what a step needs; 0 if there are fewer. */
static inline uint8_t step_byte(const struct step *st, size_t i)
{
	return i < st->arg.n ? st->arg.p[i] : 0;
}

static inline struct slice step_from(const struct step *st, size_t i)
{
	return i < st->arg.n ? (struct slice){st->arg.p + i, st->arg.n - i} : (struct slice){NULL, 0};
}

#endif
