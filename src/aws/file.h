/* Small files that hold secrets: tokens a kubelet projects, keys of a profile. */
#ifndef PGIAM_AWS_FILE_H
#define PGIAM_AWS_FILE_H

#include <stdbool.h>
#include "base/buf.h"
#include "base/err.h"

/* Adds the whole of a regular file to out (buf_init_secret), whose maximum is the limit. what begins the
 * message ("web identity: AWS_WEB_IDENTITY_TOKEN_FILE"). ERR_CREDENTIALS; errno is left as it was set, ENOENT
 * above all. Never waits for a FIFO or a device. */
int file_read(const char *path, const char *what, struct buf *out, struct err *e);

/* The same for a token: white space at its end does not count, and inside there must be nothing but printable
 * ASCII. */
int file_read_token(const char *path, const char *what, struct buf *out, struct err *e);

#endif
