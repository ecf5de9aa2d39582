/* Reading is linear: an environment is asked a few dozen times in a process's life. */
#include "aws/env.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include "base/mem.h"

/* Kept besides AWS_. Of the proxy variables curl reads both spellings, of HTTP_PROXY the small one only: a
 * CGI gives the large one to whoever sends a header Proxy. */
static const char *const others[] = {"HTTPS_PROXY=", "https_proxy=", "http_proxy=", "ALL_PROXY=",
				     "all_proxy=",   "NO_PROXY=",    "no_proxy=",   "HOME="};

static bool matters(const char *variable)
{
	if (strncmp(variable, "AWS_", 4) == 0)
		return true;
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		if (strncmp(variable, others[i], strlen(others[i])) == 0)
			return true;
	}
	return false;
}

const char *env_get(const char *const *env, const char *name)
{
	size_t n = strlen(name);

	for (; *env; env++) {
		if (strncmp(*env, name, n) == 0 && (*env)[n] == '=')
			return (*env)[n + 1] ? *env + n + 1 : NULL;
	}
	return NULL;
}

bool env_is_true(const char *const *env, const char *name)
{
	const char *value = env_get(env, name);

	return value && strcasecmp(value, "true") == 0;
}

unsigned env_number(const char *const *env, const char *name, unsigned otherwise, unsigned max)
{
	const char *text = env_get(env, name);
	unsigned long n;

	if (!text || strspn(text, "0123456789") != strlen(text))
		return otherwise;
	n = strtoul(text, NULL, 10); /* ULONG_MAX if it is more */
	if (n == 0)
		return otherwise;
	return n < max ? (unsigned)n : max;
}

const char *const *env_copy(const char *const *env)
{
	size_t n = 0;
	const char **copy;

	for (const char *const *p = env; *p; p++)
		n += matters(*p);
	copy = mem_array(n + 1, sizeof(*copy));
	n = 0;
	for (const char *const *p = env; *p; p++) {
		if (matters(*p))
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
