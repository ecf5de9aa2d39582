/* JSON files in the home directory that the AWS CLI and the SDKs read and write as well: a token's, renewed by whoever
 * needs it first. */
#ifndef PGIAM_AWS_CACHE_FILE_H
#define PGIAM_AWS_CACHE_FILE_H

#include "aws/json.h"
#include "base/err.h"

#define CACHE_FILE_MAX 65536 /* bytes of such a file */

/* Writes j in place of the file at path, readable for its owner only, so that nobody ever sees half a file. Where path is a
 * symbolic link, the file it leads to is replaced and the link stays; that file and each link on the way have to be this
 * user's (or root's): nobody else says where a token goes. -1 with e. */
int cache_file_write(const char *path, const struct json *j, struct err *e);

/* Sets the string at path ("accessToken/expiresAt") to text, wiping what is needed on the way. */
void cache_file_set(struct json *j, const char *path, struct slice text);

/* The same with a date: "2026-01-15T12:34:56Z". */
void cache_file_set_date(struct json *j, const char *path, int64_t wall_us);

/* When what was answered at that time ends, as its expiresIn (seconds, from 1 to max_sec) says. False: it does not say so. */
bool cache_file_life(const struct json *answer, double max_sec, int64_t now_wall_us, int64_t *expires_wall_us);

#endif
