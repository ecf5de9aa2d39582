/* A command line taken apart as a POSIX shell would, without a shell: quotes and backslashes, nothing else.
 */
#ifndef PGIAM_AWS_WORDS_H
#define PGIAM_AWS_WORDS_H

#include "base/err.h"

#define WORDS_MAX       256   /* of one command */
#define WORDS_MAX_BYTES 65536 /* of its line */

/* Owned, ends with NULL; at least one word. NULL with e (ERR_CREDENTIALS) if there is none, a quote does not
 * end, or it is too long. Free with words_free. Source: POSIX.1-2017, Shell Command Language, 2.2 Quoting. */
char **words_split(const char *line, struct err *e);
void words_free(char **words); /* NULL is fine; wipes */

#endif
