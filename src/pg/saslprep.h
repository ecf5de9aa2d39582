/* SASLprep (RFC 4013) as PostgreSQL's common/saslprep.c does it: what is prohibited, unassigned or of mixed
 * direction is looked for before the normalization, not after it, and ASCII passes as it is, control
 * characters included. */
#ifndef PGIAM_PG_SASLPREP_H
#define PGIAM_PG_SASLPREP_H

#include "base/buf.h"

/* Appends the prepared form of in, 0; -1 with nothing added if there is none (no UTF-8, prohibited
 * characters, nothing left) or out is full. */
int saslprep(struct buf *out, struct slice in);

#endif
