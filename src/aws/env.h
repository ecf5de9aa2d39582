/* The variables of an environment that matter here: all of AWS_, the proxies, HOME. A copy, because the
 * process's own can change under a running program, and wiped, because keys are among them. */
#ifndef PGIAM_AWS_ENV_H
#define PGIAM_AWS_ENV_H

#include <stdbool.h>

/* The value, or NULL. Empty counts as unset, as every AWS SDK has it. env is as environ(7). */
const char *env_get(const char *const *env, const char *name);

/* Is it set to "true", in upper or lower case? Anything else is no, as with the AWS SDKs. */
bool env_is_true(const char *const *env, const char *name);

/* The whole number it is set to, max if that is less; `otherwise` if it is none from 1 up. */
unsigned env_number(const char *const *env, const char *name, unsigned otherwise, unsigned max);

/* Owned copy. */
const char *const *env_copy(const char *const *env) __attribute__((returns_nonnull));
void env_free(const char *const *env);

#endif
