/* A growable byte buffer born with a maximum. Failure is sticky: a writer may add many
 * things and look at `full` once. */
#ifndef PGIAM_BASE_BUF_H
#define PGIAM_BASE_BUF_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include "base/slice.h"

struct buf {
	unsigned char *p; /* owned; NULL while empty */
	size_t n;         /* bytes held */
	size_t size;      /* bytes allocated */
	size_t max;       /* never holds more than this */
	bool full;        /* an addition was refused; what is held is then incomplete */
	bool secret;      /* wiped when it grows and when it is freed */
};

void buf_init(struct buf *b, size_t max_bytes);

/* The same for secrets: wiped on growth, on buf_clear and on buf_free. */
void buf_init_secret(struct buf *b, size_t max_bytes);

/* Frees the bytes and leaves an empty buffer with the same maximum. Idempotent. */
void buf_free(struct buf *b);

/* Empties without freeing; clears `full`. */
void buf_clear(struct buf *b);

/* Each adds and returns 0, or sets `full` and returns -1 with nothing added. */
int buf_add(struct buf *b, const void *p, size_t n);
int buf_add_slice(struct buf *b, struct slice s);
int buf_add_str(struct buf *b, const char *s);
int buf_add_char(struct buf *b, char c);
int buf_printf(struct buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
int buf_vprintf(struct buf *b, const char *fmt, va_list ap) __attribute__((format(printf, 2, 0)));

/* Room for n more bytes at the end (not yet counted in b->n), or NULL with `full` set. */
unsigned char *buf_space(struct buf *b, size_t n);

/* Removes n bytes (n <= b->n) from the front. */
void buf_drop_front(struct buf *b, size_t n);

/* The bytes held, borrowed until the next change. */
static inline struct slice buf_slice(const struct buf *b)
{
	return (struct slice){b->p, b->n};
}

/* The bytes with a NUL behind them (not counted), borrowed until the next change.
 * Never NULL. */
const char *buf_cstr(struct buf *b);

#endif
