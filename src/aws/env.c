/* Reading is linear: an environment is asked a few dozen times in a process's life. */
#include "aws/env.h"

#include <stdlib.h>
#include <string.h>
#include "base/mem.h"

const char *env_get(const char *const *env, const char *name)
{
	size_t n = strlen(name);

	for (; *env; env++) {
		if (strncmp(*env, name, n) == 0 && (*env)[n] == '=')
			return (*env)[n + 1] ? *env + n + 1 : NULL;
	}
	return NULL;
}

const char *const *env_copy(const char *const *env)
{
	size_t n = 0;
	const char **copy;

	for (const char *const *p = env; *p; p++)
		n += strncmp(*p, "AWS_", 4) == 0;
	copy = mem_array(n + 1, sizeof(*copy));
	n = 0;
	for (const char *const *p = env; *p; p++) {
		if (strncmp(*p, "AWS_", 4) == 0)
			copy[n++] = mem_strdup(*p);
	}
	return copy;
}

void env_free(const char *const *env)
{
	union {
		const char *const *in;
		char **own; /* env_copy allocated them */
	} u = {env};

	for (char **p = u.own; p && *p; p++)
		mem_free_str_wipe(*p);
	free(u.own);
}
