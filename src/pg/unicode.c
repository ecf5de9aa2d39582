/* The tables lie packed in unicode_data.c, for the sake of the source and not of the program: unpacked they
 * would be thousands of lines. They are read once for each password that is not ASCII, then searched by
 * bisection. */
#include <stdlib.h>
#include <string.h>
#include "base/mem.h"
#include "pg/unicode.h"
#include "pg/unicode_data.h"

/* More than all tables together need. */
#define TABLE_MAX (1u << 20)

/* A value that holds from here to the next step. */
struct step {
	uint32_t from, value;
};

struct decomposition {
	uint32_t cp, at, n; /* n targets from at */
};

struct composition {
	uint32_t first, second, cp;
};

struct unicode {
	struct buf classes, combining; /* struct step */
	struct buf decompositions;     /* struct decomposition */
	struct buf targets;            /* uint32_t */
	struct buf compositions;       /* struct composition, sorted */
};

/* Jamo and the syllables made of them follow a formula (Unicode Standard, section 3.12). */
enum {
	HANGUL_FIRST = 0xac00,
	JAMO_L = 0x1100,
	JAMO_V = 0x1161,
	JAMO_T = 0x11a7, /* one before the first: no trailing consonant */
	L_COUNT = 19,
	V_COUNT = 21,
	T_COUNT = 28,
	HANGUL_COUNT = L_COUNT * V_COUNT * T_COUNT
};

static uint32_t take_number(const char **p)
{
	uint32_t n = 0;
	unsigned shift = 0, digit;

	do {
		digit = (unsigned)(**p - '0' - (**p > '\\'));
		n |= (digit & 31) << shift;
		shift += 5;
		++*p;
	} while (digit & 32);
	return n;
}

static uint32_t take_difference(const char **p)
{
	uint32_t n = take_number(p);

	return n & 1 ? -((n >> 1) + 1) : n >> 1;
}

static void read_steps(const char *p, struct buf *out)
{
	struct step s = {0, 0};

	buf_init(out, TABLE_MAX);
	buf_add(out, &s, sizeof(s));
	while (*p) {
		s.from += take_number(&p);
		s.value = take_number(&p);
		buf_add(out, &s, sizeof(s));
	}
}

/* The value at cp: of the last step that is not above it. */
static uint32_t step_value(const struct buf *steps, uint32_t cp)
{
	const struct step *s = (const struct step *)(const void *)steps->p;
	size_t low = 0, high = steps->n / sizeof(*s);

	while (high - low > 1) {
		size_t mid = low + (high - low) / 2;

		if (s[mid].from <= cp)
			low = mid;
		else
			high = mid;
	}
	return s[low].value;
}

static int compare_compositions(const void *a, const void *b)
{
	const struct composition *x = a, *y = b;

	if (x->first != y->first)
		return x->first < y->first ? -1 : 1;
	return x->second < y->second ? -1 : x->second > y->second;
}

static int compare_decompositions(const void *a, const void *b)
{
	const struct decomposition *x = a, *y = b;

	return x->cp < y->cp ? -1 : x->cp > y->cp;
}

static void read_decompositions(struct unicode *u)
{
	const char *p = unicode_data_decompositions;
	uint32_t cp = 0;

	while (*p) {
		uint32_t head, step, run, to[32] = {0};

		cp += take_number(&p);
		head = take_number(&p);
		for (uint32_t i = 0, before = cp; i < head % 32; i++)
			before = to[i] = before + take_difference(&p);
		step = head / 64 % 2;
		run = head / 128 + 1;
		for (uint32_t i = 0; i < run; i++, to[0] += step) {
			struct decomposition d = {cp + i, (uint32_t)(u->targets.n / sizeof(to[0])),
						  head % 32};
			struct composition c = {to[0], to[1], cp + i};

			buf_add(&u->decompositions, &d, sizeof(d));
			buf_add(&u->targets, to, d.n * sizeof(to[0]));
			if (head / 32 % 2)
				buf_add(&u->compositions, &c, sizeof(c));
		}
		cp += run - 1;
	}
	qsort(u->compositions.p, u->compositions.n / sizeof(struct composition), sizeof(struct composition),
	      compare_compositions);
}

struct unicode *unicode_new(void)
{
	struct unicode *u = mem_zalloc(sizeof(*u));

	read_steps(unicode_data_classes, &u->classes);
	read_steps(unicode_data_combining, &u->combining);
	buf_init(&u->decompositions, TABLE_MAX);
	buf_init(&u->targets, TABLE_MAX);
	buf_init(&u->compositions, TABLE_MAX);
	read_decompositions(u);
	return u;
}

void unicode_free(struct unicode *u)
{
	if (!u)
		return;
	buf_free(&u->classes);
	buf_free(&u->combining);
	buf_free(&u->decompositions);
	buf_free(&u->targets);
	buf_free(&u->compositions);
	free(u);
}

enum unicode_class unicode_class_of(const struct unicode *u, uint32_t cp)
{
	return (enum unicode_class)step_value(&u->classes, cp);
}

static void put(struct buf *out, uint32_t cp)
{
	buf_add(out, &cp, sizeof(cp));
}

/* Recursion ends with the data: no character decomposes into itself, and the deepest goes four steps. */
static void decompose(const struct unicode *u, uint32_t cp, struct buf *out)
{
	struct decomposition key = {.cp = cp};
	const struct decomposition *d;
	const uint32_t *targets = (const uint32_t *)(const void *)u->targets.p;

	if (cp >= HANGUL_FIRST && cp < HANGUL_FIRST + HANGUL_COUNT) {
		uint32_t i = cp - HANGUL_FIRST;

		put(out, JAMO_L + i / (V_COUNT * T_COUNT));
		put(out, JAMO_V + i / T_COUNT % V_COUNT);
		if (i % T_COUNT)
			put(out, JAMO_T + i % T_COUNT);
		return;
	}
	d = bsearch(&key, u->decompositions.p, u->decompositions.n / sizeof(*d), sizeof(*d),
		    compare_decompositions);
	if (!d)
		put(out, cp);
	else
		for (uint32_t i = 0; i < d->n; i++)
			decompose(u, targets[d->at + i], out);
}

/* Sorts a run of marks by their classes, 1 to 254; equal ones stay as they are. By counting: a run is as long as whoever
 * sends it likes, and exchanging neighbours takes a stranger's 8 KB a third of a second. */
static void sort_marks(const struct unicode *u, uint32_t *v, size_t n, uint32_t *scratch)
{
	size_t at[257] = {0};

	for (size_t i = 0; i < n; i++)
		at[(step_value(&u->combining, v[i]) & 255) + 1]++;
	for (size_t k = 1; k < sizeof(at) / sizeof(at[0]); k++)
		at[k] += at[k - 1];
	for (size_t i = 0; i < n; i++)
		scratch[at[step_value(&u->combining, v[i]) & 255]++] = v[i];
	memcpy(v, scratch, n * sizeof(*v));
}

/* Puts marks behind a character into the order of their classes. */
static void reorder(const struct unicode *u, uint32_t *v, size_t n)
{
	uint32_t *scratch = mem_array(n, sizeof(*scratch));

	for (size_t i = 0, from = 0; i <= n; i++) {
		if (i < n && step_value(&u->combining, v[i]) != 0)
			continue;
		if (i - from > 1)
			sort_marks(u, v + from, i - from, scratch);
		from = i + 1;
	}
	mem_free_wipe(scratch, n * sizeof(*scratch));
}

/* The two as one character, or 0. */
static uint32_t compose_two(const struct unicode *u, uint32_t first, uint32_t second)
{
	struct composition key = {first, second, 0};
	const struct composition *c;

	if (first - JAMO_L < L_COUNT && second - JAMO_V < V_COUNT)
		return HANGUL_FIRST + ((first - JAMO_L) * V_COUNT + (second - JAMO_V)) * T_COUNT;
	if (first - HANGUL_FIRST < HANGUL_COUNT && (first - HANGUL_FIRST) % T_COUNT == 0 && second > JAMO_T &&
	    second - JAMO_T < T_COUNT)
		return first + (second - JAMO_T);
	c = bsearch(&key, u->compositions.p, u->compositions.n / sizeof(*c), sizeof(*c),
		    compare_compositions);
	return c ? c->cp : 0;
}

/* Joins in place; returns how many are left. A mark reaches its starter unless one of its own class, or a
 * starter, is between them. */
static size_t compose(const struct unicode *u, uint32_t *v, size_t n)
{
	size_t kept = 0, starter = SIZE_MAX;
	uint32_t last_class = 0;

	for (size_t i = 0; i < n; i++) {
		uint32_t class = step_value(&u->combining, v[i]);
		bool reaches =
			starter != SIZE_MAX && (kept == starter + 1 || (last_class && last_class < class));
		uint32_t joined = reaches ? compose_two(u, v[starter], v[i]) : 0;

		if (joined) {
			v[starter] = joined;
			continue;
		}
		if (class == 0)
			starter = kept;
		last_class = class;
		v[kept++] = v[i];
	}
	return kept;
}

int unicode_nfkc(const struct unicode *u, const struct buf *in, struct buf *out)
{
	const uint32_t *v = (const uint32_t *)(const void *)in->p;

	for (size_t i = 0; i < in->n / sizeof(*v); i++)
		decompose(u, v[i], out);
	if (out->full)
		return -1;
	if (out->n) {
		uint32_t *w = (uint32_t *)(void *)out->p;
		size_t n = out->n / sizeof(*w);

		reorder(u, w, n);
		out->n = compose(u, w, n) * sizeof(*w);
	}
	return 0;
}
