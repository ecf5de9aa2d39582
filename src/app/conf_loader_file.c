/* The file: its sections, and what their entries are. */
#include <stdlib.h>
#include <string.h>
#include "app/conf_loader.h"
#include "app/ini_file.h"
#include "base/mem.h"
#include "base/regular.h"

enum section { SECTION_NONE, SECTION_PGIAM, SECTION_DATABASES, SECTION_USERS, SECTION_SKIPPED };

static const struct {
	const char *name;
	enum section section;
	const char *refused;
} sections[] = {
	{"pgiam",     SECTION_PGIAM,     NULL						     },
	{"pgbouncer", SECTION_PGIAM,     NULL						     },
	{"databases", SECTION_DATABASES, NULL						     },
	{"users",     SECTION_USERS,     NULL						     },
	{"peers",     SECTION_SKIPPED,
	 "refused: there are no peers in this version; workers = N uses more cores in one process"},
};

struct file {
	struct conf_loader *l;
	enum section section;
	unsigned refused;
};

/* "/etc/pgiam.ini:12", owned. */
static char *place(const struct file *f, unsigned line)
{
	return mem_printf("%s:%u", f->l->file, line);
}

static void on_section(void *arg, const char *name, unsigned line)
{
	static const char *const names[] = {"pgiam", "databases", "users"};
	struct file *f = arg;
	char *where, *bracketed;
	const char *near;
	struct err e;

	f->section = SECTION_SKIPPED;
	err_set(&e, ERR_CONFIG, "there is no such section");
	near = options_nearest_word(name, names, sizeof(names) / sizeof(names[0]));
	if (near)
		err_hint(&e, "Did you mean [%s]?", near);
	for (size_t i = 0; i < sizeof(sections) / sizeof(sections[0]); i++) {
		if (strcmp(sections[i].name, name) != 0)
			continue;
		f->section = sections[i].section;
		if (!sections[i].refused)
			return;
		err_set(&e, ERR_CONFIG, "%s", sections[i].refused);
	}
	f->l->v->db_missed = true; /* there may have been databases in it */
	where = place(f, line);
	bracketed = mem_printf("[%s]", name);
	conf_problem_error(f->l->p, where, bracketed, &e);
	free(bracketed);
	free(where);
}

static void on_entry(void *arg, const struct ini_file_entry *entry)
{
	struct file *f = arg;
	struct conf_setting at = {.where = place(f, entry->line), .rank = CONF_RANK_FILE};
	struct err e;

	switch (f->section) {
	case SECTION_NONE:
		err_set(&e, ERR_CONFIG, "stands before any section; options belong into [pgiam]");
		conf_problem_error(f->l->p, at.where, entry->name, &e);
		break;
	case SECTION_PGIAM:
		conf_loader_set(f->l, f->l->v->set, OPTION_GLOBAL, entry->name, entry->value, &at);
		break;
	case SECTION_DATABASES: conf_loader_database(f->l, entry->name, entry->value, &at); break;
	case SECTION_USERS: conf_loader_user(f->l, entry->value, &at); break;
	case SECTION_SKIPPED: break;
	}
	free(at.where);
}

#define REFUSED_LINES_MAX 20 /* told of: beyond that it is no INI file */

static void on_refused(void *arg, unsigned line, const struct err *e)
{
	struct file *f = arg;
	struct err copy = *e;
	char *where = place(f, line);

	f->l->v->db_missed |= f->section == SECTION_DATABASES || f->section == SECTION_SKIPPED;
	if (f->refused++ < REFUSED_LINES_MAX)
		conf_problem_error(f->l->p, where, NULL, &copy);
	free(where);
}

void conf_loader_file(struct conf_loader *l)
{
	struct file f = {.l = l};
	const struct ini_file_handler h = {
		.entry = on_entry, .section = on_section, .refused = on_refused, .arg = &f};
	struct buf text;
	struct stat st;
	struct err e;

	if (!l->file)
		return;
	buf_init_secret(&text, INI_FILE_MAX); /* may hold a password */
	if (regular_read(l->file, ERR_CONFIG, &text, &st, &e) == 0) {
		ini_file_parse(buf_slice(&text), &h);
		l->v->file_readable_by_others = (st.st_mode & 077) != 0;
	} else {
		conf_problem_error(l->p, "", NULL, &e);
		l->v->db_missed = true;
	}
	buf_free(&text);
	l->v->file = mem_strdup(l->file);
}
