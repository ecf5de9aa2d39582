/* JSON from outside, read by cJSON and wiped when freed. On the control loop. */
#ifndef PGIAM_AWS_JSON_H
#define PGIAM_AWS_JSON_H

#include <stdbool.h>
#include <stdint.h>
#include "base/buf.h"

struct json;

/* One object and nothing behind it but white space; NULL if it is anything else, nested too deeply, or has a
 * NUL (\u0000) in it. The text was bounded by who read it. */
struct json *json_parse(struct slice text);
void json_free(struct json *j); /* NULL is fine */

/* path: names joined by '/', each of an object in the one before ("Error/Code"); upper and lower case differ.
 */

/* The string there, borrowed; n == 0 if there is none. */
struct slice json_string(const struct json *j, const char *path);

/* The number there; false if there is none. */
bool json_number(const struct json *j, const char *path, double *out);

enum json_unit { JSON_SEC, JSON_MS };

/* The instant there: a number since the epoch in that unit, or a string as in RFC 3339. 0; -1 if there is
 * something else; 1 if there is nothing (or null). */
int json_time(const struct json *j, const char *path, enum json_unit unit, int64_t *wall_us);

/* Sets a string at path, in place of whatever stands there. The objects on the way have to be there. */
void json_set_string(struct json *j, const char *path, const char *value);

/* Adds the object as text. */
void json_print(const struct json *j, struct buf *out);

/* Adds a member with a string to an object that is being written, after '{' or another member: ,"name":"value" */
void json_add_member(struct buf *out, const char *name, struct slice value);

#endif
