/* Reads the files of the AWS CLI and the SDKs where the environment says they are. Reading is at once: they are small,
 * and on this machine. */
#ifndef PGIAM_AWS_PROFILE_LOAD_H
#define PGIAM_AWS_PROFILE_LOAD_H

#include <stdbool.h>
#include "aws/profile_file.h"
#include "base/regular.h"

/* Adds AWS_CONFIG_FILE and AWS_SHARED_CREDENTIALS_FILE (~/.aws/config and ~/.aws/credentials) to f. 0, also without such
 * files; -1 if one is there and is no good. named: somebody named a profile, so that a file that cannot be read is an
 * error; where nothing was said it may be of somebody else's home, and counts as not there. */
int profile_load(const char *const *env, bool named, struct profile_file *f, struct err *e);

/* These files as they are now, to be taken before they are loaded; and whether they have changed since. */
struct profile_marks {
	struct regular_mark of[PROFILE_SOURCES];
};
void profile_load_look(const char *const *env, struct profile_marks *out);
bool profile_load_changed(const char *const *env, const struct profile_marks *since);

/* `name`, else AWS_PROFILE, else AWS_DEFAULT_PROFILE (older tools'), else NULL: nobody named one. Borrowed. */
const char *profile_load_name(const char *const *env, const char *name);

/* The `region` of that profile, or of "default". 0; 1 with e: it has none, or there is no such profile; -1 with e: there
 * is something wrong with the files, the profile's section or the region. ERR_REGION. */
int profile_load_region(const char *const *env, const char *name, char out[64], struct err *e);

#endif
