/* The secret source of auth=password: a password from a file, or from the configuration itself. For one
 * worker's loop (base/secret_source.h). */
#ifndef PGIAM_APP_PASSWORD_SOURCE_H
#define PGIAM_APP_PASSWORD_SOURCE_H

#include "app/conf.h"
#include "base/buf.h"
#include "base/secret_source.h"
#include "io/loop.h"

#define PASSWORD_SOURCE_MAX 65535 /* what a password message of PostgreSQL can hold */

/* Copies what it needs of s. A file is read at every login, so a change is noticed; one newline at its end is
 * not part of the password. It must be a regular file: reading one is short enough for the loop. */
struct secret_source *password_source_new(const struct conf_secret *s, struct loop *l);

/* The password in a file into out, a secret buffer of PASSWORD_SOURCE_MAX. -1 with e: not readable, no regular file,
 * empty, too long, or with a NUL in it. */
int password_source_read(const char *file, struct buf *out, struct err *e);

#endif
