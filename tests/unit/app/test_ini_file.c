/* app/ini_file: each of the ways in which inih misreads is refused, with its line. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <cmocka.h>
#include "app/ini_file.h"
#include "base/mem.h"
#include "../guard.h"

/* What the reader told, as text: "[section]", "section.name=value@line", "!line message". */
static void on_section(void *arg, const char *name, unsigned line)
{
	buf_printf(arg, "[%s]@%u\n", name, line);
}

static void on_entry(void *arg, const struct ini_file_entry *e)
{
	buf_printf(arg, "%s.%s=%s@%u\n", e->section, e->name, e->value, e->line);
}

static void on_refused(void *arg, unsigned line, const struct err *e)
{
	assert_int_equal(e->code, ERR_CONFIG);
	buf_printf(arg, "!%u %s\n", line, e->msg);
}

static void parse(const char *in, size_t n, struct buf *out)
{
	const struct ini_file_handler h = {
		.entry = on_entry, .section = on_section, .refused = on_refused, .arg = out};
	void *p = guard_copy(in, n);

	buf_init(out, 1 << 20);
	ini_file_parse(slice_of(p, n), &h);
	guard_free(p, n);
}

static void gives_n(const char *in, size_t n, const char *want)
{
	struct buf out;

	parse(in, n, &out);
	assert_string_equal(buf_cstr(&out), want);
	buf_free(&out);
}

static void gives(const char *in, const char *want)
{
	gives_n(in, strlen(in), want);
}

/* The one line that is refused, with a message that has these words in it; what follows it is read. */
static void refuses_n(const char *line, size_t n, const char *words)
{
	struct buf in, out;
	const char *text;

	buf_init(&in, 1 << 20);
	buf_add_str(&in, "[pgiam]\n");
	buf_add(&in, line, n);
	buf_add_str(&in, "\nafter = 1\n");
	parse((const char *)in.p, in.n, &out);
	text = buf_cstr(&out);
	if (strncmp(text, "[pgiam]@1\n!2 ", 13) != 0 || !strstr(text, words) ||
	    !strstr(text, "\npgiam.after=1@3\n") || strchr(text, '!') != strrchr(text, '!'))
		fail_msg("%.*s gave:\n%s", (int)n, line, text);
	buf_free(&in);
	buf_free(&out);
}

static void refuses(const char *line, const char *words)
{
	refuses_n(line, strlen(line), words);
}

static void reads(void **state)
{
	(void)state;
	gives("", "");
	gives("\n\n", "");
	gives("[pgiam]", "[pgiam]@1\n");
	gives("a = 1\n", ".a=1@1\n");
	gives("[pgiam]\na=1\nb = two words \nc=\n",
	      "[pgiam]@1\npgiam.a=1@2\npgiam.b=two words@3\npgiam.c=@4\n");
	gives("[pgiam]\r\na=1\r\n", "[pgiam]@1\npgiam.a=1@2\n");
	gives("; c\n# c\n\t ; indented comment\n[databases]\n* = host=a port=5\n",
	      "[databases]@4\ndatabases.*=host=a port=5@5\n");
	gives("[ users ]\na=1\n[pgiam]\nb=2", "[users]@1\nusers.a=1@2\n[pgiam]@3\npgiam.b=2@4\n");
	gives("a=x;y # z\n", ".a=x;y # z@1\n");
	gives("a='x = y: z'\n", ".a='x = y: z'@1\n");
	gives("\"my db\" = host=a\n\"say \"\"hi\"\"\"=host=b\n", ".my db=host=a@1\n.say \"hi\"=host=b@2\n");
	gives("\"a\"b=c\n", "!1 there is no = in the line; options are written name = value\n");
}

static void long_lines(void **state)
{
	struct buf in, want;

	(void)state;
	/* longer than inih's buffer, and across each of its multiples */
	for (size_t n = 150; n < 1300; n += 7) {
		buf_init(&in, 1 << 20);
		buf_init(&want, 1 << 20);
		buf_add_str(&in, "db = ");
		buf_add_str(&want, ".db=");
		for (size_t i = 0; i < n; i++) {
			buf_add_char(&in, (char)('a' + i % 26));
			buf_add_char(&want, (char)('a' + i % 26));
		}
		buf_add_str(&in, "\nx=1\n");
		buf_add_str(&want, "@1\n.x=1@2\n");
		gives_n((const char *)in.p, in.n, buf_cstr(&want));
		buf_free(&in);
		buf_free(&want);
	}
}

static void names(void **state)
{
	char line[INI_FILE_NAME_MAX + 16];

	(void)state;
	for (size_t n = 1; n <= INI_FILE_NAME_MAX + 2;
	     n++) { /* inih's own limit of 49 is crossed on the way */
		char want[sizeof(line) + 16];
		memset(line, 'n', n);
		memcpy(line + n, "=1", 3);
		line[n] = '\0';
		snprintf(want, sizeof(want), ".%s=1@1\n", line);
		line[n] = '=';
		gives(line, n <= INI_FILE_NAME_MAX ? want : "!1 the name is longer than 128 bytes\n");
	}
}

static void traps(void **state)
{
	char *text = mem_alloc(INI_FILE_LINE_MAX + 100);

	(void)state;
	refuses(" a = 1", "indented");
	refuses("\ta = 1", "indented");
	refuses(" [users]", "indented");
	refuses("a = 1 ; comment", "a ';' behind a blank");
	refuses("a = x ;", "a ';' behind a blank");
	refuses("a: 1", "no =");
	refuses("a:b = 1", "'a:b' is not a name");
	refuses("\"a:b\" = 1", "':'");
	refuses("\"a=b\" = 1", "'='");
	refuses("\"a ;b\" = 1", "';'");
	refuses("\"a = 1", "not closed");
	refuses("\"\" = 1", "no name");
	refuses("= 1", "no name");
	refuses("two words = 1", "is not a name");
	refuses("word", "no =");
	refuses("[", "[name]");
	refuses("[]", "[name]");
	refuses("[pgiam", "[name]");
	refuses("[pgiam] ; main", "behind the section's name");
	refuses("[no such]", "no section of that name");
	refuses("[a.b]", "no section of that name");
	refuses("[sectionsectionsectionsectionsectionsectionsectionx]", "longer than 49");
	refuses("%include other.ini", "%include is refused");
	refuses("a = \x01", "control character (0x01)");
	refuses("a = 1\rb = 2", "control character (0x0d)");
	refuses("a = \x7f", "control character (0x7f)");
	refuses_n("a = \0 b", 7, "control character (0x00)");
	memset(text, 'x', INI_FILE_LINE_MAX + 1);
	text[1] = '=';
	refuses_n(text, INI_FILE_LINE_MAX + 1, "longer than 8192");
	free(text);
}

static void byte_order_mark(void **state)
{
	(void)state;
	gives("\xEF\xBB\xBF[pgiam]\na=1\n",
	      "!1 the file begins with a byte order mark; save it as UTF-8 without one\n.a=1@2\n");
	refuses("\xEF\xBB\xBF"
		"a=1",
		"is not a name");
}

/* Cut anywhere, it never reads on and never says more lines than there are. */
static void truncated(void **state)
{
	static const char in[] =
		"; head\n[databases]\n\"a \"\"b\" = host='x y' port=1\n\n* =\n[pgiam]\nworkers = 2\n";
	struct buf out;

	(void)state;
	for (size_t n = 0; n < sizeof(in); n++) {
		parse(in, n, &out);
		buf_free(&out);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads),           cmocka_unit_test(long_lines), cmocka_unit_test(names),
		cmocka_unit_test(traps),           cmocka_unit_test(truncated),
		cmocka_unit_test(byte_order_mark),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
