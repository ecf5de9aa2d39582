/* Settings of the AWS profile that stand where a variable of the environment is not set: how services are reached, not
 * which credentials or region. Source: AWS SDKs and Tools Reference Guide, "Settings reference". */
#ifndef PGIAM_AWS_SETTINGS_H
#define PGIAM_AWS_SETTINGS_H

/* A copy of env, as env_copy makes it, with the variables that the profile (AWS_PROFILE, or "default") has settings for and
 * env does not set. Files that cannot be read, or a section with something wrong, add nothing: who asks for credentials is
 * told. Free with env_free. */
const char *const *settings_env(const char *const *env) __attribute__((returns_nonnull));

#endif
