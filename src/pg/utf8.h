/* UTF-8, character by character: for texts that go to a client, for SQL literals, for SASLprep. */
#ifndef PGIAM_PG_UTF8_H
#define PGIAM_PG_UTF8_H

#include <stdint.h>
#include "base/buf.h"

/* Takes the character at the front of in off it: 1, or 0 with in unchanged if in is empty or the bytes there
 * are not UTF-8 (RFC 3629: shortest form, no surrogates, at most U+10FFFF). */
int utf8_next(struct slice *in, uint32_t *cp);

/* Appends one character. cp is a valid one. */
void utf8_put(struct buf *out, uint32_t cp);

/* Appends in with '?' for each byte that is not UTF-8 and for each control character but newline and tab.
 * Ends at a whole character where out is full. */
void utf8_clean(struct buf *out, struct slice in);

#endif
