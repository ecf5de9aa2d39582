/* Text encodings. */
#ifndef PGIAM_BASE_ENC_H
#define PGIAM_BASE_ENC_H

#include "base/buf.h"

/* Lower-case hexadecimal. */
int enc_hex(struct buf *out, struct slice in);

/* RFC 4648 section 4, with padding, no line breaks. */
int enc_base64(struct buf *out, struct slice in);

/* Strict: canonical padding, no white space. 0, or -1 if malformed or out is full. */
int enc_base64_decode(struct buf *out, struct slice in);

/* RFC 3986: unreserved characters stay, every other byte becomes %XX in upper case. The one
 * SigV4 wants (space is %20). */
int enc_percent(struct buf *out, struct slice in);

/* For logs and messages: printable UTF-8 stays; control characters, invalid UTF-8, '"' and '\'
 * become \n, \t, \", \\ or \xHH; cut after max_bytes of output with "...". */
int enc_printable(struct buf *out, struct slice in, size_t max_bytes);

/* Is this valid UTF-8 without NUL? */
bool enc_is_utf8(struct slice in);

#endif
