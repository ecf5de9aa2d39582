/* app/ini_file: every line is told of at most once and in order, what is told stands in the line, and an
 * entry written down again reads as the same. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "app/ini_file.h"

struct seen {
	struct slice in;
	unsigned line;          /* told of last */
	struct buf again, told; /* the file written anew, and what it must give */
	bool second;
};

static void must(bool ok)
{
	if (!ok)
		abort();
}

/* Line n of the input, from 1. */
static struct slice line_of(struct slice in, unsigned n)
{
	for (; n > 1; n--) {
		const unsigned char *end = in.n ? memchr(in.p, '\n', in.n) : NULL;
		must(end != NULL);
		in = slice_of(end + 1, in.n - (size_t)(end - in.p) - 1);
	}
	if (in.n) {
		const unsigned char *end = memchr(in.p, '\n', in.n);
		in.n = end ? (size_t)(end - in.p) : in.n;
	}
	return in;
}

static bool stands_in(struct slice line, const char *s)
{
	size_t n = strlen(s);

	for (size_t i = 0; n <= line.n && i <= line.n - n; i++)
		if (memcmp(line.p + i, s, n) == 0)
			return true;
	return false;
}

static void told(struct seen *s, unsigned line)
{
	must(line > s->line);
	s->line = line;
}

static void on_section(void *arg, const char *name, unsigned line)
{
	struct seen *s = arg;

	told(s, line);
	must(*name && strlen(name) <= INI_FILE_SECTION_MAX && stands_in(line_of(s->in, line), name));
	if (!s->second)
		buf_printf(&s->again, "[%s]\n", name);
	buf_printf(&s->told, "[%s]\n", name);
}

static void on_entry(void *arg, const struct ini_file_entry *e)
{
	struct seen *s = arg;
	size_t n = strlen(e->value);

	told(s, e->line);
	must(*e->name && strlen(e->name) <= INI_FILE_NAME_MAX);
	must(stands_in(line_of(s->in, e->line), e->value));
	must(n == 0 || (!strchr(" \t", e->value[0]) && !strchr(" \t", e->value[n - 1])));
	must(!strpbrk(e->value, "\r\n") && !strstr(e->value, " ;"));
	buf_printf(&s->told, "%s.%s=%s\n", e->section, e->name, e->value);
	if (s->second)
		return;
	buf_add_char(&s->again, '"');
	for (const char *c = e->name; *c; c++)
		buf_printf(&s->again, *c == '"' ? "\"\"" : "%c", *c);
	buf_printf(&s->again, "\" = %s\n", e->value);
}

static void on_refused(void *arg, unsigned line, const struct err *e)
{
	struct seen *s = arg;

	told(s, line);
	must(e->code == ERR_CONFIG); /* ERR_INTERNAL: inih read something else than it was fed */
	must(!s->second || strstr(e->msg, "longer than")); /* quotes and blanks were added */
}

static void parse(struct seen *s, struct slice in)
{
	const struct ini_file_handler h = {
		.entry = on_entry, .section = on_section, .refused = on_refused, .arg = s};

	s->in = in;
	s->line = 0;
	ini_file_parse(in, &h);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct seen first = {.second = false}, second = {.second = true};
	struct slice a, b;

	buf_init(&first.again, 4 * INI_FILE_MAX);
	buf_init(&first.told, 4 * INI_FILE_MAX);
	buf_init(&second.told, 4 * INI_FILE_MAX);
	parse(&first, slice_of(data, size));
	parse(&second, buf_slice(&first.again));
	a = buf_slice(&first.told);
	b = buf_slice(&second.told);
	must(first.told.full || slice_eq(a, b) || b.n < a.n); /* fewer: a line that grew too long */
	buf_free(&first.again);
	buf_free(&first.told);
	buf_free(&second.told);
	return 0;
}
