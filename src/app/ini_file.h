/* Reads an INI file: [section] lines and name = value lines, in front of inih, so that nothing is misread
 * silently. Comments (; or #) stand on lines of their own. A name may stand in double quotes, with "" for a
 * quote in it. */
#ifndef PGIAM_APP_INI_FILE_H
#define PGIAM_APP_INI_FILE_H

#include "base/buf.h"
#include "base/err.h"

#define INI_FILE_MAX         (1024 * 1024) /* bytes of a file */
#define INI_FILE_LINE_MAX    8192
#define INI_FILE_NAME_MAX    128 /* quotes included */
#define INI_FILE_SECTION_MAX 49  /* inih cuts longer ones */

struct ini_file_entry {
	const char *section, *name, *value; /* borrowed; unquoted name, value without blanks around it */
	unsigned line;                      /* from 1 */
};

struct ini_file_handler {
	void (*entry)(void *arg, const struct ini_file_entry *entry);
	void (*section)(void *arg, const char *name, unsigned line);
	/* A line that is refused: e says why, without file and line. */
	void (*refused)(void *arg, unsigned line, const struct err *e);
	void *arg;
};

/* Reads text; h->refused is told of every line it refuses, h->entry gets the others. */
void ini_file_parse(struct slice text, const struct ini_file_handler *h);

#endif
