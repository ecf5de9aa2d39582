/* Each piece of MASK_PIECE_BYTES of the text is looked for in each secret: longer ones are made of such pieces, so that where
 * one begins and ends need not be known. Texts and secrets are short enough for that, and it is done for failures only. */
#include "config.h" /* for memmem */
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

/* Marks each byte of the text that is part of w's. Both are in lower case. */
static void mark(const struct mask_word *w, struct slice text, bool *marks)
{
	size_t n = w->text.n < MASK_PIECE_BYTES ? w->text.n : MASK_PIECE_BYTES;

	for (size_t i = 0; text.n >= n && i <= text.n - n; i++) {
		if (!memmem(w->text.p, w->text.n, text.p + i, n))
			continue;
		for (size_t j = 0; j < n; j++)
			marks[i + j] = true;
	}
}

/* One for each of the bytes, owned; NULL if there are none, or no mask. */
static bool *find(const struct mask *m, struct slice text)
{
	struct secret lower = {NULL, 0};
	bool *marks;

	if (!m || text.n == 0)
		return NULL;
	marks = mem_array(text.n, sizeof(*marks));
	secret_set(&lower, text);
	fold(lower.p, lower.n);
	for (; m; m = m->also)
		for (const struct mask_word *w = m->words; w; w = w->next)
			mark(w, secret_slice(&lower), marks);
	secret_clear(&lower);
	return marks;
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
