/* The profile provider, and those that stand behind the ways a profile can name. */
#ifndef PGIAM_AWS_PROVIDER_PROFILE_H
#define PGIAM_AWS_PROVIDER_PROFILE_H

#include "aws/profile_plan.h"
#include "aws/provider.h"

/* A profile of the AWS files, which are read at each refresh. name is copied; NULL: AWS_PROFILE, or
 * "default", which need not be there. */
struct provider *provider_profile_new(const struct provider_deps *d, const char *name);

/* ---- for provider_profile.c: what they borrow lives as long as they do ---- */

/* The command line is borrowed. */
struct provider *provider_process_new(const struct provider_deps *d, const char *command);

/* Credentials of what such a program printed; NULL with e, which quotes none of it. Pure. */
struct credentials *provider_process_read(struct slice output, struct err *e);

/* The plan's profile and session, and the files, are borrowed. */
struct provider *provider_sso_new(const struct provider_deps *d, const struct profile_file *f,
				  const struct profile_plan *plan);

/* `aws login`: the plan's profile is borrowed. deps' finder tells the region of the sign-in service. */
struct provider *provider_login_new(const struct provider_deps *d, const struct profile_file *f,
				    const struct profile_plan *plan);

#endif
