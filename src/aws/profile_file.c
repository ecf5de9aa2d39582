/* A parser of our own: inih cuts long lines and takes an indented setting for another value of the one above.
 *
 * The rules where tools differ: names of settings are not case-sensitive; of two settings of one name the
 * later counts; a section that comes again goes on; [profile default] makes [default] of the config file
 * void; a comment behind a value needs a blank before it, as '#' and ';' may stand in a secret. What is indented more than
 * the setting above it goes on with that, as Python's configparser has it, and with it the AWS CLI: so a section whose
 * settings are all indented is a section like others. */
#include "aws/profile_file.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/map.h"
#include "base/mem.h"

#define STRAY_MAX     200
#define CONTINUED_MAX 16384 /* bytes of a value of several lines */

struct setting {
	char *key;
	char *value;
};

struct profile_section {
	char *name;
	struct setting *v;
	size_t n;
	bool by_prefix;      /* [profile default] was there: [default] is void */
	unsigned wrong_line; /* 0: nothing is */
	const char *wrong;   /* literal */
	char *wrong_file;
};

struct profile_file {
	struct map *sections[PROFILE_KIND_COUNT];
	size_t count;
	char stray[STRAY_MAX];
};

static const struct {
	const char *word;
	enum profile_file_kind kind;
} prefixes[] = {
	{"profile",     PROFILE_PROFILE    },
	{"sso-session", PROFILE_SSO_SESSION},
	{"services",    PROFILE_SERVICES   },
};

/* Where the reader of one file is. */
struct reading {
	struct profile_file *f;
	enum profile_file_source source;
	const char *name;
	unsigned line;
	struct profile_section *section; /* NULL: before the first, or in one that nobody asks for */
	bool skip;                       /* ... the latter */
	char *parent;  /* the setting without a value above, whose settings are indented; or NULL */
	bool below;    /* there is a setting above, in this section, that may go on */
	size_t indent; /* ... it stands behind so many blanks */
	char **value;  /* ... its value, where that is kept: valid until the next is put; or NULL */
};

struct profile_file *profile_file_new(void)
{
	struct profile_file *f = mem_zalloc(sizeof(*f));

	for (int k = 0; k < PROFILE_KIND_COUNT; k++)
		f->sections[k] = map_new();
	return f;
}

static void section_clear(struct profile_section *p)
{
	for (size_t i = 0; i < p->n; i++) {
		free(p->v[i].key);
		mem_free_str_wipe(p->v[i].value);
	}
	p->n = 0;
}

static void section_free(struct profile_section *p)
{
	section_clear(p);
	free(p->v);
	free(p->name);
	free(p->wrong_file);
	free(p);
}

void profile_file_free(struct profile_file *f)
{
	if (!f)
		return;
	for (int k = 0; k < PROFILE_KIND_COUNT; k++) {
		struct slice key;
		void *p;
		size_t pos = 0;

		while (map_each(f->sections[k], &pos, &key, &p))
			section_free(p);
		map_free(f->sections[k]);
	}
	free(f);
}

/* ---- what is wrong ---- */

/* In the present section, or in none. The first counts. */
static void wrong(struct reading *r, const char *what)
{
	struct profile_section *p = r->section;

	if (p && p->wrong_line == 0) {
		p->wrong_line = r->line;
		p->wrong = what;
		p->wrong_file = mem_strdup(r->name);
	} else if (!p && !r->skip && !r->f->stray[0]) {
		snprintf(r->f->stray, sizeof(r->f->stray), "%s, line %u: %s", r->name, r->line, what);
	}
}

/* ---- lines ---- */

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

static bool is_comment(struct slice s)
{
	return s.n > 0 && (s.p[0] == '#' || s.p[0] == ';');
}

/* Up to a comment that has a blank before it. */
static struct slice without_comment(struct slice s)
{
	for (size_t i = 1; i < s.n; i++)
		if ((s.p[i] == '#' || s.p[i] == ';') && is_blank(s.p[i - 1]))
			return slice_of(s.p, i);
	return s;
}

static bool is_text(struct slice s)
{
	for (size_t i = 0; i < s.n; i++)
		if ((s.p[i] < 0x20 && s.p[i] != '\t') || s.p[i] == 0x7F)
			return false;
	return true;
}

/* ---- sections ---- */

/* What stands behind a section's word, or the whole of it: quoted as in a shell, or as it is. */
static struct slice unquote(struct slice s)
{
	s = trim(s);
	if (s.n >= 2 && (s.p[0] == '"' || s.p[0] == '\'') && s.p[s.n - 1] == s.p[0])
		return slice_of(s.p + 1, s.n - 2);
	return s;
}

/* "profile x" is of kind profile and named x. False: a word that nobody here asks for. */
static bool section_of(struct slice head, enum profile_file_kind *kind, struct slice *name)
{
	for (size_t i = 0; i < sizeof(prefixes) / sizeof(*prefixes); i++) {
		size_t n = strlen(prefixes[i].word);

		if (slice_starts(head, prefixes[i].word) && head.n > n && is_blank(head.p[n])) {
			*kind = prefixes[i].kind;
			*name = unquote(slice_of(head.p + n, head.n - n));
			return true;
		}
	}
	*kind = PROFILE_PROFILE;
	*name = head;
	return slice_eq_str(head, "default");
}

static struct profile_section *section_get(struct profile_file *f, enum profile_file_kind kind,
					   struct slice name)
{
	struct profile_section *p = map_get(f->sections[kind], name);

	if (p)
		return p;
	p = mem_zalloc(sizeof(*p));
	p->name = slice_dup(name);
	map_put(f->sections[kind], name, p);
	f->count++;
	return p;
}

/* Nothing is above that a line could belong to. */
static void begin_anew(struct reading *r)
{
	free(r->parent);
	r->parent = NULL;
	r->value = NULL;
}

/* "[name]", a comment behind it allowed. -1 if there are too many. */
static int take_section(struct reading *r, struct slice line, struct err *e)
{
	const unsigned char *end = memchr(line.p, ']', line.n);
	struct slice name, rest;
	enum profile_file_kind kind = PROFILE_PROFILE;
	bool bare, known = true;

	r->section = NULL;
	r->skip = r->below = false;
	begin_anew(r);
	if (!end) {
		wrong(r, "a section's name has no ]");
		return 0;
	}
	rest = trim(slice_of(end + 1, line.n - (size_t)(end - line.p) - 1));
	if (rest.n > 0 && !is_comment(rest)) {
		wrong(r, "there is something behind a section's name");
		return 0;
	}
	name = trim(slice_of(line.p + 1, (size_t)(end - line.p) - 1));
	bare = r->source == PROFILE_CREDENTIALS || slice_eq_str(name, "default");
	if (r->source == PROFILE_CREDENTIALS)
		name = unquote(name);
	else
		known = section_of(name, &kind, &name);
	if (name.n == 0) {
		wrong(r, "a section has no name");
		return 0;
	}
	r->skip = !known;
	if (!known)
		return 0;
	if (r->f->count >= PROFILE_SECTIONS_MAX)
		return err_set(e, ERR_CREDENTIALS, "%s: more than %d sections", r->name,
			       PROFILE_SECTIONS_MAX);
	r->section = section_get(r->f, kind, name);
	if (r->source == PROFILE_CONFIG && kind == PROFILE_PROFILE && slice_eq_str(name, "default")) {
		if (bare && r->section->by_prefix) {
			r->section = NULL;
			r->skip = true;
		} else if (!bare && !r->section->by_prefix) {
			section_clear(r->section);
			r->section->by_prefix = true;
		}
	}
	return 0;
}

/* ---- settings ---- */

/* Takes key. */
static void put(struct reading *r, char *key, struct slice value)
{
	struct profile_section *p = r->section;
	size_t i = 0;

	while (i < p->n && strcmp(p->v[i].key, key) != 0)
		i++;
	r->value = NULL;
	if (i == PROFILE_SETTINGS_MAX) {
		free(key);
		wrong(r, "the section has too many settings");
		return;
	}
	if (i == p->n) {
		if ((p->n & (p->n - 1)) == 0) /* 0, 1, 2, 4, ... */
			p->v = mem_resize(p->v, (p->n ? 2 * p->n : 1) * sizeof(*p->v));
		p->n++;
		p->v[i] = (struct setting){.key = key};
	} else {
		free(key);
		mem_free_str_wipe(p->v[i].value);
	}
	p->v[i].value = slice_dup(value);
	r->value = &p->v[i].value;
}

/* The value above goes on, in a line of its own. */
static void go_on(struct reading *r, struct slice more)
{
	char *longer;

	if (!r->value || more.n == 0)
		return;
	if (strlen(*r->value) + more.n > CONTINUED_MAX) {
		wrong(r, "a value of several lines is too long");
		return;
	}
	longer = mem_printf("%s\n%.*s", *r->value, SLICE_FMT(more));
	mem_free_str_wipe(*r->value);
	*r->value = longer;
}

static char *lower_key(const char *parent, struct slice name)
{
	char *key = parent ? mem_printf("%s.%.*s", parent, SLICE_FMT(name)) : slice_dup(name);

	for (char *c = key; *c; c++)
		*c = (char)tolower((unsigned char)*c);
	return key;
}

static void take_setting(struct reading *r, struct slice line, bool deeper)
{
	const unsigned char *eq = memchr(line.p, '=', line.n);
	struct slice name, value;

	if (!r->section) {
		wrong(r, "a setting stands before the first section");
		return;
	}
	if (deeper && !r->parent) {
		go_on(r, trim(without_comment(line)));
		return;
	}
	if (!deeper)
		begin_anew(r);
	if (!eq) {
		wrong(r, "a line is neither [section] nor name = value");
		return;
	}
	name = trim(slice_of(line.p, (size_t)(eq - line.p)));
	value = trim(without_comment(slice_of(eq + 1, line.n - (size_t)(eq - line.p) - 1)));
	if (name.n == 0) {
		wrong(r, "there is no name before the =");
		return;
	}
	put(r, lower_key(deeper ? r->parent : NULL, name), value);
	if (!deeper && value.n == 0)
		r->parent = lower_key(NULL, name);
}

static int take_line(struct reading *r, struct slice line, struct err *e)
{
	size_t indent = 0;
	bool deeper;

	while (indent < line.n && is_blank(line.p[indent]))
		indent++;
	deeper = r->below && indent > r->indent;
	if (line.n > 0 && line.p[line.n - 1] == '\r')
		line.n--;
	line = trim(line);
	if (line.n == 0 || is_comment(line))
		return 0;
	if (!is_text(line)) {
		wrong(r, "there is a control character in the line");
		return 0;
	}
	if (line.p[0] == '[' && !deeper)
		return take_section(r, line, e);
	if (!r->skip)
		take_setting(r, line, deeper);
	if (!deeper) {
		r->below = true;
		r->indent = indent;
	}
	return 0;
}

int profile_file_add(struct profile_file *f, enum profile_file_source source, const char *name,
		     struct slice text, struct err *e)
{
	struct reading r = {.f = f, .source = source, .name = name};
	int rc = 0;

	if (text.n > PROFILE_FILE_MAX)
		return err_set(e, ERR_CREDENTIALS, "%s is longer than %u bytes", name, PROFILE_FILE_MAX);
	if (slice_starts(text, "\xEF\xBB\xBF"))
		text = slice_of(text.p + 3, text.n - 3);
	while (text.n > 0 && rc == 0) {
		const unsigned char *end = memchr(text.p, '\n', text.n);
		size_t n = end ? (size_t)(end - text.p) : text.n;

		r.line++;
		rc = take_line(&r, slice_of(text.p, n), e);
		text = end ? slice_of(end + 1, text.n - n - 1) : slice_of(NULL, 0);
	}
	free(r.parent);
	return rc;
}

/* ---- looking ---- */

const struct profile_section *profile_file_find(const struct profile_file *f, enum profile_file_kind kind,
						const char *name)
{
	return map_get(f->sections[kind], slice_str(name));
}

const char *profile_file_stray(const struct profile_file *f)
{
	return f->stray;
}

const char *profile_file_name(const struct profile_section *p)
{
	return p->name;
}

int profile_file_check(const struct profile_section *p, struct err *e)
{
	if (p->wrong_line == 0)
		return 0;
	return err_set(e, ERR_CREDENTIALS, "%s, line %u (section of \"%.100s\"): %s", p->wrong_file,
		       p->wrong_line, p->name, p->wrong);
}

const char *profile_file_get(const struct profile_section *p, const char *key)
{
	for (size_t i = 0; i < p->n; i++)
		if (strcmp(p->v[i].key, key) == 0)
			return *p->v[i].value ? p->v[i].value : NULL;
	return NULL;
}
