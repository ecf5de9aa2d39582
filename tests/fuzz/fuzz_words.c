/* aws/words: any command line; what is taken apart, quoted and put together again, comes apart the same. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "aws/words.h"
#include "base/buf.h"
#include "base/mem.h"

static void must(bool ok)
{
	if (!ok)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *line = mem_strndup((const char *)data, size);
	struct err e;
	char **once = words_split(line, &e), **twice, **a, **b;
	struct buf quoted;

	buf_init(&quoted, 8 * WORDS_MAX_BYTES);
	for (a = once; a && *a; a++) {
		buf_add_char(&quoted, '\'');
		for (const char *c = *a; *c; c++)
			buf_printf(&quoted, *c == '\'' ? "'\\''" : "%c", *c);
		buf_add_str(&quoted, "' ");
	}
	if (once && quoted.n <= WORDS_MAX_BYTES) {
		twice = words_split(buf_cstr(&quoted), &e);
		must(twice != NULL);
		for (a = once, b = twice; *a && *b; a++, b++)
			must(strcmp(*a, *b) == 0);
		must(!*a && !*b);
		words_free(twice);
	}
	buf_free(&quoted);
	words_free(once);
	free(line);
	return 0;
}
