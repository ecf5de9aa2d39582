/* The AWS_ variables of an environment: a copy, because the process's own can change under a running program,
 * and wiped, because keys are among them. */
#ifndef PGIAM_AWS_ENV_H
#define PGIAM_AWS_ENV_H

/* The value, or NULL. Empty counts as unset, as every AWS SDK has it. env is as environ(7). */
const char *env_get(const char *const *env, const char *name);

/* Owned copy of the variables whose names begin with AWS_. */
const char *const *env_copy(const char *const *env) __attribute__((returns_nonnull));
void env_free(const char *const *env);

#endif
