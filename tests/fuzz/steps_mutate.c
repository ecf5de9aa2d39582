/* libFuzzer's own mutations hit a list of steps mostly in its length bytes, and the rest of the list becomes something
 * else. These know what a step is. One in ten is libFuzzer's own all the same. */
#include "steps.h"

#include <stdlib.h>
#include <string.h>

size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max, unsigned int seed);
size_t LLVMFuzzerCustomCrossOver(const uint8_t *a, size_t a_n, const uint8_t *b, size_t b_n, uint8_t *out, size_t max,
                                 unsigned int seed);

#define ARG_MAX 700 /* bytes a mutated step may need */

struct at {
	size_t start, end; /* of a step in the input */
};

struct list_of {
	struct at v[STEPS_MAX];
	size_t n, end; /* steps; bytes they and the head take */
};

/* The input under change. */
struct input {
	uint8_t *data;
	size_t size, max;
};

struct dice {
	uint64_t x;
};

static size_t roll(struct dice *d, size_t n)
{
	d->x ^= d->x << 13;
	d->x ^= d->x >> 7;
	d->x ^= d->x << 17;
	return n ? (size_t)(d->x >> 11) % n : 0;
}

static struct dice dice_new(unsigned int seed)
{
	struct dice d = {(seed + 1ull) * 0x9e3779b97f4a7c15ull};

	roll(&d, 1);
	return d;
}

static void split(const uint8_t *data, size_t size, struct list_of *l)
{
	size_t pos = steps_kit.head < size ? steps_kit.head : size;

	l->n = 0;
	while (size - pos >= 3 && l->n < STEPS_MAX) {
		size_t n = (size_t)(data[pos + 1] << 8 | data[pos + 2]), left = size - pos - 3;

		l->v[l->n].start = pos;
		pos += 3 + (n < left ? n : left);
		l->v[l->n++].end = pos;
	}
	l->end = pos;
}

/* Puts n bytes in the place of some; nothing happens if there is no room. */
static void replace(struct input *in, struct at at, const uint8_t *p, size_t n)
{
	size_t kept = in->size - (at.end - at.start);

	if (kept > in->max || n > in->max - kept)
		return;
	memmove(in->data + at.start + n, in->data + at.end, in->size - at.end);
	if (n > 0)
		memcpy(in->data + at.start, p, n);
	in->size = kept + n;
}

static void put_step(struct input *in, size_t where, uint8_t op, const void *arg, size_t n)
{
	uint8_t s[3 + ARG_MAX] = {op, (uint8_t)(n >> 8), (uint8_t)n};

	if (n > ARG_MAX)
		return;
	if (n > 0)
		memcpy(s + 3, arg, n);
	replace(in, (struct at){where, where}, s, 3 + n);
}

static void put_canned(struct input *in, size_t where, struct dice *d)
{
	const struct steps_canned *c = &steps_kit.canned[roll(d, steps_kit.canned_n)];
	uint8_t far = roll(d, 4) == 0 ? (uint8_t)(roll(d, 256 / steps_kit.ops) * steps_kit.ops) : 0;

	put_step(in, where, (uint8_t)(c->op + far), c->arg, c->n);
}

static void put_random(struct input *in, size_t where, struct dice *d)
{
	uint8_t arg[8];
	size_t n = roll(d, sizeof(arg) + 1);

	for (size_t i = 0; i < n; i++)
		arg[i] = (uint8_t)roll(d, roll(d, 2) ? 256 : 24);
	put_step(in, where, (uint8_t)roll(d, 256), arg, n);
}

static void mutate_arg(struct input *in, struct at at)
{
	uint8_t s[3 + ARG_MAX];
	size_t n = at.end - at.start - 3;

	if (n > ARG_MAX)
		return;
	memcpy(s, in->data + at.start, 3 + n);
	n = LLVMFuzzerMutate(s + 3, n, ARG_MAX);
	s[1] = (uint8_t)(n >> 8);
	s[2] = (uint8_t)n;
	replace(in, at, s, 3 + n);
}

/* Copies a step to `where`; away: and takes it away from where it was. */
static void copy_step(struct input *in, struct at at, size_t where, bool away)
{
	size_t n = at.end - at.start;
	uint8_t *s = malloc(n);

	memcpy(s, in->data + at.start, n);
	if (away) {
		replace(in, at, NULL, 0);
		if (where > at.start)
			where -= n;
	}
	replace(in, (struct at){where, where}, s, n);
	free(s);
}

static void any_bytes(struct input *in)
{
	in->size = LLVMFuzzerMutate(in->data, in->size, in->max);
}

static void once(struct input *in, struct dice *d)
{
	static struct list_of l; /* too large for a stack under sanitizers */
	size_t i, where;

	if (in->size < steps_kit.head) {
		any_bytes(in);
		return;
	}
	split(in->data, in->size, &l);
	i = roll(d, l.n);
	where = l.n == 0 || roll(d, 3) == 0 ? l.end : l.v[roll(d, l.n)].start;
	switch (roll(d, 20)) {
	case 0:
	case 1: any_bytes(in); return;
	case 2: in->data[roll(d, steps_kit.head)] = (uint8_t)roll(d, 256); return;
	case 3:
	case 4:
	case 5:
	case 6: put_canned(in, where, d); return;
	case 7: put_random(in, where, d); return;
	default: break;
	}
	if (l.n == 0) {
		put_canned(in, l.end, d);
		return;
	}
	switch (roll(d, 8)) {
	case 0: in->data[l.v[i].start] = (uint8_t)roll(d, 256); return;
	case 1: copy_step(in, l.v[i], where, false); return;
	case 2: copy_step(in, l.v[i], where, true); return;
	case 3:
	case 4: replace(in, l.v[i], NULL, 0); return;
	default: mutate_arg(in, l.v[i]); return;
	}
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max, unsigned int seed)
{
	struct input in = {data, size, max};
	struct dice d = dice_new(seed);

	for (size_t times = 1 + roll(&d, 3); times > 0; times--)
		once(&in, &d);
	return in.size > 0 ? in.size : 1;
}

/* The beginning of one, the end of the other. */
size_t LLVMFuzzerCustomCrossOver(const uint8_t *a, size_t a_n, const uint8_t *b, size_t b_n, uint8_t *out, size_t max,
                                 unsigned int seed)
{
	static struct list_of la, lb;
	struct dice d = dice_new(seed);
	size_t first, second;

	split(a, a_n, &la);
	split(b, b_n, &lb);
	first = la.n ? la.v[roll(&d, la.n)].end : la.end;
	second = lb.n ? lb.v[roll(&d, lb.n)].start : lb.end;
	if (first > max)
		first = max;
	memcpy(out, a, first);
	if (b_n - second > max - first)
		b_n = second + (max - first);
	memcpy(out + first, b + second, b_n - second);
	return first + (b_n - second);
}
