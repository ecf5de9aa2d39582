/* Reading all sources into one set of values. Every setting carries the rank of its source and never gives
 * way to a weaker one, so the order of reading does not matter; the command line comes first because it may
 * name the file. */
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include "app/conf_loader.h"
#include "base/mem.h"

static void tell(struct conf_problems *p, enum log_level level, const char *where, const char *text,
		 const char *hint)
{
	const struct conf_problem problem = {.level = level, .where = where, .text = text, .hint = hint};

	if (p->in->problem)
		p->in->problem(p->in->problem_arg, &problem);
	else
		log_at(p->log, level, "configuration", LS("where", *where ? where : NULL), LS("text", text),
		       LS("hint", *hint ? hint : NULL));
}

void conf_problem_error(struct conf_problems *p, const char *where, const char *name, struct err *e)
{
	if (name)
		err_prefix(e, "%s", name);
	tell(p, LOG_ERROR, where, e->msg, err_hint_text(e));
	if (p->errors++ == 0) {
		p->first = *e;
		if (*where)
			err_prefix(&p->first, "%s", where);
	}
}

void conf_problem_note(struct conf_problems *p, enum log_level level, const char *where, const char *fmt, ...)
{
	struct buf text;
	va_list ap;

	buf_init(&text, 4096);
	va_start(ap, fmt);
	buf_vprintf(&text, fmt, ap);
	va_end(ap);
	tell(p, level, where, buf_cstr(&text), "");
	buf_free(&text);
}

/* Flags and variables about a database are about "*", which is there if they name a host or the file has it.
 */
static void merge_star(struct conf_loader *l)
{
	struct conf_database *db = conf_loader_find(l, "*");
	struct conf_setting *host = &l->star.set[OPT_HOST];
	struct err e;

	if (!db && host->text)
		db = conf_loader_add(l, "*", host);
	for (size_t i = 0; i < OPT_COUNT; i++) {
		struct conf_setting *s = &l->star.set[i];
		if (!s->text)
			continue;
		if (!db && s->rank == CONF_RANK_FLAG) {
			err_set(&e, ERR_USAGE, "is about the database \"*\", and there is none");
			err_hint(&e, "Name its server with --host.");
			conf_problem_error(l->p, s->where, NULL, &e);
		} else if (!db) {
			conf_problem_note(l->p, LOG_WARNING, s->where,
					  "has no effect: it is about the database \"*\", and there is none "
					  "(PGIAM_HOST)");
		} else if (!db->set[i].text || db->set[i].rank <= s->rank) {
			struct conf_setting old = db->set[i];
			db->set[i] = *s;
			*s = old;
		}
	}
}

static void fill_defaults(struct conf_values *v)
{
	for (size_t i = 0; i < OPT_COUNT; i++) {
		const struct option *o = options_get(i);
		struct conf_setting *s = &v->set[i];
		if (s->text || !o->def)
			continue; /* a database's own are found here too, see conf_values_of */
		s->text = mem_strdup(o->def);
		s->rank = CONF_RANK_DEFAULT;
		options_parse(o, o->def, &s->v, NULL); /* a unit test parses them all */
	}
}

void conf_values_load(const struct conf_input *in, struct conf_problems *p, struct conf_values *out)
{
	struct conf_loader l = {.in = in, .p = p, .v = out, .file = mem_strdup(in->file)};

	*out = (struct conf_values){0};
	conf_loader_args(&l);
	conf_loader_file(&l);
	conf_loader_env(&l);
	merge_star(&l);
	fill_defaults(out);
	conf_loader_clear(l.star.set);
	free(l.file);
}

void conf_values_free(struct conf_values *v)
{
	for (size_t i = 0; i < v->db_count; i++) {
		conf_loader_clear(v->db[i].set);
		free(v->db[i].name);
		free(v->db[i].where);
	}
	free(v->db);
	conf_loader_clear(v->set);
	free(v->file);
	*v = (struct conf_values){0};
}

const struct conf_setting *conf_values_of(const struct conf_values *v, const struct conf_database *db,
					  enum option_id id)
{
	return db->set[id].text ? &db->set[id] : &v->set[id];
}
