/* http/host: any text as a Host header. What is answered is an address or one of our own names, and nothing that a second
 * reader could take for another host. */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include "base/mem.h"
#include "http/host.h"
#include "io/addr.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* text: a name or an address; a port may follow. */
static bool is_ours(const char *text, size_t n, const char *const *names)
{
	struct addr a;
	char *host = mem_strndup(text, n);
	bool ours = addr_parse(&a, host, 0) == 0;

	if (n > 1 && host[n - 1] == '.')
		host[n - 1] = '\0';
	for (const char *const *name = names; *name; name++)
		ours = ours || strcasecmp(host, *name) == 0;
	free(host);
	return ours;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const names[] = {"localhost", "pgiam.internal", NULL};
	char *text = mem_strndup((const char *)data, size);
	size_t end;

	if (host_check(slice_of(data, size), names + 1) == HOST_OK) {
		assert(strlen(text) == size && !strpbrk(text, "/@#?\\ \t\r\n,"));
		end = text[0] == '[' ? strcspn(text, "]") : strcspn(text, ":");
		assert(is_ours(text + (text[0] == '['), end - (text[0] == '['), names));
		/* a name is one whoever it belongs to */
		assert(host_check(slice_of(data, size), NULL) != HOST_BAD);
	}
	free(text);
	return 0;
}
