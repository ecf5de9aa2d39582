/* Text encodings. Each adds to out and returns 0, or adds nothing and returns -1. */
#ifndef PGIAM_BASE_ENC_H
#define PGIAM_BASE_ENC_H

#include <stdint.h>
#include "base/buf.h"

/* Lower-case hexadecimal. */
int enc_hex(struct buf *out, struct slice in);

/* RFC 4648 section 4, with padding, no line breaks. */
int enc_base64(struct buf *out, struct slice in);

/* RFC 4648 section 5, without padding, as JWTs have it. */
int enc_base64url(struct buf *out, struct slice in);

/* Strict: canonical padding, no white space. 0, or -1 if malformed or out is full. */
int enc_base64_decode(struct buf *out, struct slice in);

/* RFC 3986: unreserved characters stay, every other byte becomes %XX in upper case. The one
 * SigV4 wants (space is %20). */
int enc_percent(struct buf *out, struct slice in);

/* For logs and messages: printable UTF-8 stays; control characters (those that turn the writing
 * direction included), invalid UTF-8, '"' and '\' become \n, \r, \t, \", \\ or \xHH. If that is more
 * than max_bytes it is cut at a character and ends in "...". */
int enc_printable(struct buf *out, struct slice in, size_t max_bytes);

/* The inside of a JSON string (RFC 8259), without the quotes; valid whatever the bytes are: those that
 * are not UTF-8 become U+FFFD. Cut like enc_printable. */
int enc_json(struct buf *out, struct slice in, size_t max_bytes);

/* Decodes the character at the front of in: its length in bytes with *cp set, or 0 if there is none
 * (empty, cut short, overlong, a surrogate, above U+10FFFF). */
size_t enc_utf8_next(struct slice in, uint32_t *cp);

/* Is this valid UTF-8 without NUL? */
bool enc_is_utf8(struct slice in);

#endif
