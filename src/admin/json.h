/* Writes JSON into a buffer; commas take care of themselves. */
#ifndef PGIAM_ADMIN_JSON_H
#define PGIAM_ADMIN_JSON_H

#include <stdint.h>
#include "base/buf.h"

struct json {
	struct buf *out;
	bool comma; /* something stands before at this depth */
};

void json_init(struct json *j, struct buf *out);

/* '{', '}', '[', ']'. */
void json_open(struct json *j, char bracket);
void json_close(struct json *j, char bracket);

/* The next value's name; a literal. */
void json_key(struct json *j, const char *key);
void json_str(struct json *j, const char *s); /* NULL is null */
void json_uint(struct json *j, uint64_t n);
void json_bool(struct json *j, bool b);

#endif
