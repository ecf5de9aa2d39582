/* Keeps secrets out of what others say. Whoever sends a secret away may hear it said back: in an error's message (AWS shows
 * the request it has signed, token and all), by an endpoint that is broken, or hostile. What is to be seen by people, in a
 * log, a page or a command's output, goes through the mask of the secrets that were sent.
 *
 * A secret is known by itself and with %XX in it, in upper and lower case, and so is any piece of it that is not too short to
 * tell anything. What somebody has turned into something else (reversed, in base64) is not known again. */
#ifndef PGIAM_BASE_MASK_H
#define PGIAM_BASE_MASK_H

#include "base/buf.h"

/* Pieces of this length are masked, and with them all longer ones. */
#define MASK_PIECE_BYTES 16
/* A whole secret shorter than that may be any word, and is not masked. */
#define MASK_SECRET_MIN_BYTES 8
/* Of a longer text only so much is looked at and shown. */
#define MASK_TEXT_MAX 2048

struct mask_word;

struct mask {
	struct mask_word *words; /* owned; wiped */
	const struct mask *also; /* borrowed: its secrets count as well; or NULL */
};

/* Copies; n == 0 is fine. A mask begins zeroed. */
void mask_add(struct mask *m, struct slice secret);
void mask_fini(struct mask *m); /* idempotent */

/* Is there a secret, or a piece of one, in the first MASK_TEXT_MAX bytes? m: NULL knows none. */
bool mask_finds(const struct mask *m, struct slice text);

/* Adds the text, "***" in place of each secret and each piece of one; never more bytes than the text has. A text that is
 * cut at MASK_TEXT_MAX ends before a piece might that cannot be told any more. */
void mask_text(const struct mask *m, struct slice text, struct buf *out);

/* The same made printable (enc_printable) and cut to size, NUL included. */
void mask_printable(const struct mask *m, struct slice text, char *out, size_t size);

#endif
