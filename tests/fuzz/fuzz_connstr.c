/* app/connstr: what it reads, written down with every value in quotes, reads as the same. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "app/connstr.h"
#include "base/buf.h"
#include "base/mem.h"

#define TEXT_MAX (1024 * 1024)

static void must(bool ok)
{
	if (!ok)
		abort();
}

static int pair(void *arg, const char *key, const char *value, struct err *e)
{
	struct buf *out = arg;

	(void)e;
	must(*key && strlen(key) <= CONNSTR_KEY_MAX && !strpbrk(key, " \t='"));
	buf_printf(out, "%s='", key);
	for (const char *c = value; *c; c++)
		buf_printf(out, *c == '\'' ? "''" : "%c", *c);
	buf_add_str(out, "' ");
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = mem_strndup((const char *)data, size);
	struct buf once, twice;
	struct err e;

	buf_init(&once, TEXT_MAX);
	buf_init(&twice, TEXT_MAX);
	if (connstr_parse(text, pair, &once, &e) == 0 && !once.full) {
		must(connstr_parse(buf_cstr(&once), pair, &twice, &e) == 0);
		must(slice_eq(buf_slice(&once), buf_slice(&twice)));
	}
	buf_free(&once);
	buf_free(&twice);
	free(text);
	return 0;
}
