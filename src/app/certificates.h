/* The certificates pgiam shows, each file once, and when they expire: for the metrics. */
#ifndef PGIAM_APP_CERTIFICATES_H
#define PGIAM_APP_CERTIFICATES_H

#include "admin/info.h"
#include "app/conf.h"

struct certificates;

/* c is borrowed. */
struct certificates *certificates_new(const struct conf *c);
void certificates_free(struct certificates *t); /* NULL is fine */

/* As they are now; borrowed until the next call. */
const struct admin_certificate *certificates_now(struct certificates *t, size_t *count);

#endif
