/* Reading all sources into one set of values. Every setting carries the rank of its source and never gives
 * way to a weaker one, so the order of reading does not matter; the command line comes first because it may
 * name the file. */
#include "app/conf_sources.h"

#include <stdlib.h>
#include <string.h>
#include "app/conf_loader.h"
#include "base/mem.h"

/* Flags and variables about a database are about "*", which is there if they name a host or the file has it.
 */
static void merge_star(struct conf_loader *l)
{
	struct conf_database *db = conf_values_find(l->v, "*");
	struct conf_setting *host = &l->star.set[OPT_HOST];
	struct err e;

	if (!db && host->text)
		db = conf_values_add(l->v, "*", host);
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

void conf_sources_read(const struct conf_input *in, struct conf_problems *p, struct conf_values *out)
{
	struct conf_loader l = {.in = in, .p = p, .v = out, .file = mem_strdup(in->file)};

	*out = (struct conf_values){0};
	conf_loader_args(&l);
	conf_loader_file(&l);
	conf_loader_env(&l);
	merge_star(&l);
	fill_defaults(out);
	conf_values_clear(l.star.set);
	free(l.file);
}
