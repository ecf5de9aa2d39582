/* UTF-8 for what goes to a client; reading it is enc_utf8_next's work. */
#ifndef PGIAM_PG_UTF8_H
#define PGIAM_PG_UTF8_H

#include <stdint.h>
#include "base/buf.h"

/* Appends one character (a valid code point). */
void utf8_put(struct buf *out, uint32_t cp);

/* Appends in with '?' for each byte that is not UTF-8 and for each control character but newline and tab.
 * Ends at a whole character where out is full. */
void utf8_clean(struct buf *out, struct slice in);

#endif
