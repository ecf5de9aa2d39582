/* What SASLprep needs to know of Unicode 3.2 (the version RFC 3454 is bound to): classes of characters and
 * normalization form KC (Unicode Standard Annex 15). Texts are arrays of uint32_t in a struct buf. */
#ifndef PGIAM_PG_UNICODE_H
#define PGIAM_PG_UNICODE_H

#include <stdint.h>
#include "base/buf.h"

enum unicode_class {
	UNICODE_OTHER,
	UNICODE_SPACE,         /* RFC 3454 table C.1.2 */
	UNICODE_NOTHING,       /* B.1 */
	UNICODE_BAD,           /* A.1 unassigned, C.2 to C.9 prohibited */
	UNICODE_RIGHT_TO_LEFT, /* D.1 */
	UNICODE_LEFT_TO_RIGHT, /* D.2 */
};

struct unicode;

/* Unpacks the tables: some 100 KB and a fraction of a millisecond, so it is done where it is needed and not
 * kept. */
struct unicode *unicode_new(void) __attribute__((returns_nonnull));
void unicode_free(struct unicode *u);

enum unicode_class unicode_class_of(const struct unicode *u, uint32_t cp);

/* Normalizes in to out, which is empty; in holds no UNICODE_BAD. Both may hold secrets. -1 if out is full. */
int unicode_nfkc(const struct unicode *u, const struct buf *in, struct buf *out);

#endif
