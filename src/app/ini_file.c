/* inih as packaged has a line buffer of 200 bytes and goes on in the middle of a longer line; it takes an
 * indented line for a second value of the option above, cuts a value at " ;", splits at ':' and at '=' inside
 * quotes, and skips a byte order mark. So lines are split and checked here, whatever could be misread is
 * refused, and what inih gets is a line it cannot misread: a section, or a name. Values travel beside it, so
 * that they may be of any length. */
#include <ctype.h>
#include <ini.h>
#include <stdio.h>
#include <string.h>
#include "app/ini_file.h"
#include "base/mem.h"

#define FED_MAX 160 /* a line for inih: a name with its '=' */

struct reader {
	const struct ini_file_handler *h;
	struct slice left;
	unsigned line;
	char name[INI_FILE_NAME_MAX + 1]; /* of the line fed last, as written */
	char value[INI_FILE_LINE_MAX + 1];
};

static bool is_blank(unsigned char c)
{
	return c == ' ' || c == '\t';
}

static struct slice trim(struct slice s)
{
	while (s.n > 0 && is_blank(s.p[0]))
		s = slice_of(s.p + 1, s.n - 1);
	while (s.n > 0 && is_blank(s.p[s.n - 1]))
		s.n--;
	return s;
}

/* The next line without its end; false after the last. */
static bool next_line(struct reader *r, struct slice *line)
{
	const unsigned char *end;

	if (r->left.n == 0)
		return false;
	end = memchr(r->left.p, '\n', r->left.n);
	*line = slice_of(r->left.p, end ? (size_t)(end - r->left.p) : r->left.n);
	r->left = end ? slice_of(end + 1, r->left.n - line->n - 1) : slice_of(NULL, 0);
	if (line->n > 0 && line->p[line->n - 1] == '\r')
		line->n--;
	r->line++;
	return true;
}

static int check_bytes(const struct reader *r, struct slice line, struct err *e)
{
	if (r->line == 1 && line.n >= 3 && memcmp(line.p, "\xEF\xBB\xBF", 3) == 0)
		return err_set(e, ERR_CONFIG,
			       "the file begins with a byte order mark; save it as UTF-8 without one");
	if (line.n > INI_FILE_LINE_MAX)
		return err_set(e, ERR_CONFIG, "the line is longer than %d bytes", INI_FILE_LINE_MAX);
	for (size_t i = 0; i < line.n; i++)
		if ((line.p[i] < 0x20 && line.p[i] != '\t') || line.p[i] == 0x7F)
			return err_set(e, ERR_CONFIG, "there is a control character (0x%02x) in the line",
				       line.p[i]);
	return 0;
}

/* [name] and nothing else. */
static int take_section(struct slice line, char *fed, struct err *e)
{
	const unsigned char *end = memchr(line.p, ']', line.n);
	struct slice name = trim(slice_of(line.p + 1, end ? (size_t)(end - line.p) - 1 : 0));

	if (!end || name.n == 0)
		return err_set(e, ERR_CONFIG, "a section is written [name]");
	if (trim(slice_of(end + 1, line.n - (size_t)(end - line.p) - 1)).n > 0)
		return err_set(e, ERR_CONFIG,
			       "there is something behind the section's name; a comment needs its own line");
	if (name.n > INI_FILE_SECTION_MAX)
		return err_set(e, ERR_CONFIG, "the section's name is longer than %d bytes",
			       INI_FILE_SECTION_MAX);
	for (size_t i = 0; i < name.n; i++)
		if (!isalnum(name.p[i]) && name.p[i] != '_' && name.p[i] != '-')
			return err_set(e, ERR_CONFIG, "there is no section of that name");
	snprintf(fed, FED_MAX, "[%.*s]\n", SLICE_FMT(name));
	return 0;
}

/* Where does the name end? Behind its closing quote, or before the '='. */
static size_t name_length(struct slice line)
{
	size_t i = 0;

	if (line.p[0] != '"') {
		while (i < line.n && line.p[i] != '=')
			i++;
		return i;
	}
	for (i = 1; i < line.n; i++) {
		if (line.p[i] != '"')
			continue;
		if (i + 1 < line.n && line.p[i + 1] == '"')
			i++;
		else
			return i + 1;
	}
	return 0;
}

static int check_name(struct slice name, struct err *e)
{
	bool quoted = name.n > 0 && name.p[0] == '"';

	if (name.n == 0 || slice_eq_str(name, "\"\""))
		return err_set(e, ERR_CONFIG, "there is no name in front of the =");
	if (name.n > INI_FILE_NAME_MAX)
		return err_set(e, ERR_CONFIG, "the name is longer than %d bytes", INI_FILE_NAME_MAX);
	for (size_t i = 0; i < name.n; i++) {
		unsigned char c = name.p[i];
		if (quoted && (c == '=' || c == ':' || c == ';'))
			return err_set(e, ERR_CONFIG, "a name with '%c' in it cannot be read from a file", c);
		if (!quoted && !isalnum(c) && !strchr("_.*-", c)) {
			err_set(e, ERR_CONFIG, "'%.*s' is not a name", SLICE_FMT(name));
			err_hint(e, "Put names with other characters than letters, digits and _ in double "
				    "quotes.");
			return -1;
		}
	}
	return 0;
}

/* name = value: the name for inih into fed, the value into r->value. */
static int take_entry(struct reader *r, struct slice line, char *fed, struct err *e)
{
	size_t n = name_length(line);
	struct slice rest = slice_of(line.p + n, line.n - n), name = trim(slice_of(line.p, n)), value;

	if (n == 0 && line.p[0] == '"')
		return err_set(e, ERR_CONFIG, "the quote of the name is not closed");
	rest = trim(rest);
	if (rest.n == 0 || rest.p[0] != '=')
		return err_set(e, ERR_CONFIG, "there is no = in the line; options are written name = value");
	if (check_name(name, e) != 0)
		return -1;
	value = trim(slice_of(rest.p + 1, rest.n - 1));
	for (size_t i = 0; i + 1 < value.n; i++)
		if (is_blank(value.p[i]) && value.p[i + 1] == ';') {
			err_set(e, ERR_CONFIG, "there is a ';' behind a blank in the value");
			err_hint(e, "A comment needs a line of its own. If the ';' belongs to the value, "
				    "write it without a "
				    "blank in front.");
			return -1;
		}
	memcpy(r->name, name.p, name.n);
	r->name[name.n] = '\0';
	memcpy(r->value, value.p, value.n);
	r->value[value.n] = '\0';
	snprintf(fed, FED_MAX, "%s=\n", r->name);
	return 0;
}

/* What inih gets for a line: 1, 0 for none, -1 with e if the line is refused. */
static int take_line(struct reader *r, struct slice line, char *fed, struct err *e)
{
	struct slice text = trim(line);

	if (check_bytes(r, line, e) != 0)
		return -1;
	if (text.n == 0 || text.p[0] == ';' || text.p[0] == '#')
		return 0;
	if (text.p != line.p)
		return err_set(
			e, ERR_CONFIG,
			"the line is indented; options, sections and values begin in the first column");
	if (slice_starts(text, "%include"))
		return err_set(e, ERR_CONFIG, "%%include is refused: pgiam reads one file");
	if ((text.p[0] == '[' ? take_section(text, fed, e) : take_entry(r, text, fed, e)) != 0)
		return -1;
	return 1;
}

/* inih asks for a line, as from fgets. */
static char *feed(char *str, int num, void *stream)
{
	struct reader *r = stream;
	struct slice line;

	while (next_line(r, &line)) {
		char fed[FED_MAX];
		struct err e;
		int rc = take_line(r, line, fed, &e);

		if (rc > 0 && strlen(fed) >= (size_t)num)
			rc = err_set(&e, ERR_CONFIG, "the name is too long");
		if (rc < 0)
			r->h->refused(r->h->arg, r->line, &e);
		if (rc > 0) {
			memcpy(str, fed, strlen(fed) + 1);
			if (fed[0] == '[') {
				fed[strlen(fed) - 2] = '\0';
				r->h->section(r->h->arg, fed + 1, r->line);
			}
			return str;
		}
	}
	return NULL;
}

static void unquote(char *out, const char *name)
{
	if (*name != '"') {
		memcpy(out, name, strlen(name) + 1);
		return;
	}
	for (name++; *name; name++) {
		if (*name == '"' && *++name == '\0')
			break;
		*out++ = *name;
	}
	*out = '\0';
}

/* inih has read the line just fed; anything but 1 is an error. */
static int entry(void *user, const char *section, const char *name, const char *value)
{
	struct reader *r = user;
	char plain[INI_FILE_NAME_MAX + 1];
	struct err e;

	(void)value;
	if (!name) /* a build of inih that also tells of new sections */
		return 1;
	if (strcmp(name, r->name) != 0) {
		err_set(&e, ERR_INTERNAL, "the name was read as '%s'", name);
		r->h->refused(r->h->arg, r->line, &e);
		return 0;
	}
	unquote(plain, r->name);
	r->h->entry(r->h->arg,
		    &(struct ini_file_entry){
			    .section = section, .name = plain, .value = r->value, .line = r->line});
	return 1;
}

void ini_file_parse(struct slice text, const struct ini_file_handler *h)
{
	struct reader r = {.h = h, .left = text};
	struct err e;
	int line = ini_parse_stream(feed, &r, entry, &r);

	mem_wipe(r.value, sizeof(r.value)); /* one may have been a password */
	if (line != 0) {
		err_set(&e, ERR_INTERNAL, "the INI library gave up (%d)", line);
		h->refused(h->arg, r.line, &e);
	}
}
