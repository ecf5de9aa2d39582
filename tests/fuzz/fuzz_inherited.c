/* app/inherited: any environment, variables parted by a byte of value 1; the first byte says whether LISTEN_PID is right.
 * What is said of sockets is taken out, all else stays as it was and in its order, and there are never more descriptors than
 * can have been meant. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "app/inherited.h"
#include "base/mem.h"

#define VARS_MAX 16

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool ok)
{
	if (!ok)
		abort();
}

static bool is_ours(const char *var)
{
	static const char *const names[] = {"LISTEN_PID=", "LISTEN_FDS=", "LISTEN_FDNAMES=", "LISTEN_PIDFDID="};
	bool ours = false;

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		ours = ours || strncmp(var, names[i], strlen(names[i])) == 0;
	return ours;
}

static void judge(const struct inherited *in)
{
	must(in->n <= 256 && (in->n == 0 || (!in->not_ours && !in->malformed)));
	for (size_t i = 0; i < in->n; i++)
		must(in->v[i].fd == 3 + (int)i && in->v[i].name && !strchr(in->v[i].name, ':'));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = size > 0 ? mem_strndup((const char *)data + 1, size - 1) : NULL, pid[32];
	char *vars[VARS_MAX + 2] = {NULL}, *kept[VARS_MAX + 2] = {NULL};
	struct inherited in;
	size_t n = 0, k = 0;

	snprintf(pid, sizeof(pid), "LISTEN_PID=%ld", (long)getpid());
	if (size > 0 && data[0] % 2 == 1)
		vars[n++] = pid;
	for (char *p = text; p && n < VARS_MAX;) {
		char *end = strchr(p, '\x01');

		vars[n++] = p;
		if (end)
			*end++ = '\0';
		p = end;
	}
	for (size_t i = 0; i < n; i++)
		if (!is_ours(vars[i]))
			kept[k++] = vars[i];
	inherited_take(&in, vars);
	must(memcmp(vars, kept, (k + 1) * sizeof(*kept)) == 0);
	judge(&in);
	inherited_free(&in);
	free(text);
	return 0;
}
