/* Peer strings on their way into a label or a JSON string: valid UTF-8 whatever comes in, bounded, escaped.
 * Bytes that are no UTF-8 become U+FFFD. */
#ifndef PGIAM_ADMIN_TEXT_H
#define PGIAM_ADMIN_TEXT_H

#include "base/buf.h"

#define TEXT_MAX 1024 /* bytes of input that count; the rest becomes "..." */

/* For between the quotes of a Prometheus label value: \\ \" \n are escaped.
 * Spec: Prometheus text exposition format 0.0.4. */
void text_label(struct buf *out, struct slice in);

/* A JSON string, quotes included (RFC 8259). */
void text_json(struct buf *out, struct slice in);

#endif
