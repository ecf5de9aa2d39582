/* What text and secret have in common is made of pieces of MASK_PIECE_BYTES, so that where it begins and ends need not be known.
 * The pieces of the text are sorted, and each piece of a secret is looked up among them: who chooses both, and one of them is a
 * secret of many thousand bytes, buys no more work with texts and secrets that repeat themselves. */
#include "base/mask.h"

#include <assert.h>
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include "base/enc.h"
#include "base/mem.h"
#include "base/secret.h"

#define STARS "***"

_Static_assert(sizeof(STARS) - 1 <= MASK_SECRET_MIN_BYTES, "a masked text would be longer than the text");

struct mask_word {
	struct mask_word *next;
	struct secret text; /* in lower case */
};

static void fold(unsigned char *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		p[i] = (unsigned char)tolower(p[i]);
}

static void add_word(struct mask *m, struct slice text)
{
	struct mask_word *w = mem_zalloc(sizeof(*w));

	secret_set(&w->text, text);
	fold(w->text.p, w->text.n);
	w->next = m->words;
	m->words = w;
}

void mask_add(struct mask *m, struct slice secret)
{
	struct buf percent;

	if (secret.n < MASK_SECRET_MIN_BYTES)
		return;
	add_word(m, secret);
	buf_init_secret(&percent, SIZE_MAX);
	enc_percent(&percent, secret);
	if (percent.n != secret.n)
		add_word(m, buf_slice(&percent));
	buf_free(&percent);
}

void mask_fini(struct mask *m)
{
	struct mask_word *next;

	for (struct mask_word *w = m->words; w; w = next) {
		next = w->next;
		secret_clear(&w->text);
		free(w);
	}
	m->words = NULL;
}

/* A text in lower case, and which of its bytes belong to a secret. */
struct search {
	struct secret lower;
	const unsigned char **piece; /* the beginnings of its pieces, sorted by what they are */
	bool *found;                 /* by the same index */
	size_t n;
	bool *marks;                 /* one for each byte */
};

static int by_piece(const void *a, const void *b)
{
	const unsigned char *const *x = a, *const *y = b;

	return memcmp(*x, *y, MASK_PIECE_BYTES);
}

static void search_init(struct search *s, struct slice text)
{
	*s = (struct search){.n = text.n < MASK_PIECE_BYTES ? 0 : text.n - (MASK_PIECE_BYTES - 1)};
	secret_set(&s->lower, text);
	fold(s->lower.p, s->lower.n);
	s->marks = mem_array(text.n, sizeof(*s->marks));
	s->found = mem_array(s->n + 1, sizeof(*s->found));
	s->piece = mem_array(s->n + 1, sizeof(*s->piece));
	for (size_t i = 0; i < s->n; i++)
		s->piece[i] = s->lower.p + i;
	qsort(s->piece, s->n, sizeof(*s->piece), by_piece);
}

/* Returns the marks, owned. */
static bool *search_fini(struct search *s)
{
	for (size_t i = 0; i < s->n; i++)
		if (s->found[i])
			memset(s->marks + (s->piece[i] - s->lower.p), true, MASK_PIECE_BYTES);
	secret_clear(&s->lower);
	free(s->found);
	free(s->piece);
	return s->marks;
}

/* Wherever the text has this piece. Those that are alike are found together, and once. */
static void find_piece(struct search *s, const unsigned char *piece)
{
	size_t low = 0, high = s->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (memcmp(s->piece[middle], piece, MASK_PIECE_BYTES) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	for (; low < s->n && !s->found[low] && memcmp(s->piece[low], piece, MASK_PIECE_BYTES) == 0; low++)
		s->found[low] = true;
}

static void find_word(struct search *s, struct slice word)
{
	for (size_t i = 0; word.n >= MASK_PIECE_BYTES && i <= word.n - MASK_PIECE_BYTES; i++)
		find_piece(s, word.p + i);
	/* one that is shorter than a piece counts as a whole */
	for (size_t i = 0; word.n < MASK_PIECE_BYTES && s->lower.n >= word.n && i <= s->lower.n - word.n; i++)
		if (memcmp(s->lower.p + i, word.p, word.n) == 0)
			memset(s->marks + i, true, word.n);
}

/* One for each of the bytes, owned; NULL if there are none, or no mask. */
static bool *find(const struct mask *m, struct slice text)
{
	struct search s;

	if (!m || text.n == 0)
		return NULL;
	search_init(&s, text);
	for (; m; m = m->also)
		for (const struct mask_word *w = m->words; w; w = w->next)
			find_word(&s, secret_slice(&w->text));
	return search_fini(&s);
}

static struct slice cut(struct slice text)
{
	return slice_of(text.p, text.n < MASK_TEXT_MAX ? text.n : MASK_TEXT_MAX);
}

bool mask_finds(const struct mask *m, struct slice text)
{
	struct slice looked_at = cut(text);
	bool *marks = find(m, looked_at);
	bool found = marks && memchr(marks, true, looked_at.n);

	free(marks);
	return found;
}

void mask_text(const struct mask *m, struct slice text, struct buf *out)
{
	struct slice looked_at = cut(text);
	size_t shown = looked_at.n < text.n ? looked_at.n - (MASK_PIECE_BYTES - 1) : looked_at.n;
	bool *marks = find(m, looked_at);

	for (size_t i = 0, end; i < shown; i = end) {
		bool masked = marks && marks[i];

		for (end = i + 1; end < shown && (marks && marks[end]) == masked; end++)
			;
		if (masked)
			buf_add_str(out, STARS);
		else
			buf_add(out, looked_at.p + i, end - i);
	}
	free(marks);
}

void mask_printable(const struct mask *m, struct slice text, char *out, size_t size)
{
	struct buf masked, clean;

	assert(size > 0);
	buf_init_secret(&masked, MASK_TEXT_MAX + sizeof(STARS));
	buf_init(&clean, size);
	mask_text(m, text, &masked);
	enc_printable(&clean, buf_slice(&masked), size - 1);
	snprintf(out, size, "%s", buf_cstr(&clean));
	buf_free(&masked);
	buf_free(&clean);
}
