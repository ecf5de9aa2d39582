/* Putting one option, or one connection string, where it belongs. */
#include <stdlib.h>
#include <string.h>
#include "app/conf_loader.h"
#include "app/connstr.h"
#include "base/mem.h"
#include "proxy/target.h"

static void unknown(struct conf_loader *l, enum option_scope scope, const char *name, const char *where)
{
	static const char *const places[] = {
		[OPTION_GLOBAL] = "[pgiam]", [OPTION_DATABASE] = "a database", [OPTION_USER] = "a user"};
	static const enum option_scope others[] = {OPTION_GLOBAL, OPTION_DATABASE, OPTION_USER};
	const char *near = options_nearest(name, scope);
	struct err e;

	err_set(&e, ERR_CONFIG, "there is no such option for %s", places[scope]);
	if (near)
		err_hint(&e, "Did you mean %s?", near);
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		if (others[i] != scope && options_find(name, others[i]))
			err_hint(&e, "It is an option for %s.", places[others[i]]);
	conf_problem_error(l->p, where, name, &e);
}

static void replace(const struct option *o, struct conf_setting *s, const char *text,
		    const struct conf_setting *at)
{
	char *joined = NULL;

	if (o->repeats && s->rank == CONF_RANK_FLAG && at->rank == CONF_RANK_FLAG && s->text)
		joined = mem_printf("%s,%s", s->text, text);
	if (o->secret)
		mem_free_str_wipe(s->text);
	else
		free(s->text);
	free(s->where);
	s->text = joined ? joined : mem_strdup(text);
	s->where = mem_strdup(at->where);
	s->rank = at->rank;
}

void conf_loader_set(struct conf_loader *l, struct conf_setting *set, enum option_scope scope,
		     const char *name, const char *text, const struct conf_setting *at)
{
	const struct option *o = options_find(name, scope);
	struct conf_setting *s;
	struct option_value v;
	struct err e;

	if (!o) {
		unknown(l, scope, name, at->where);
		return;
	}
	if (options_parse(o, text, &v, &e) != 0) {
		conf_problem_error(l->p, at->where, name, &e);
		return;
	}
	if (o->class == OPTION_IGNORED)
		conf_problem_note(l->p, LOG_INFO, at->where, "%s has no effect: %s", name, o->note);
	if (o->class != OPTION_HONOURED || !set)
		return;
	s = &set[options_index(o)];
	if (s->text && s->rank == at->rank && at->rank == CONF_RANK_FILE) {
		err_set(&e, ERR_CONFIG, "is already set at %s", s->where);
		conf_problem_error(l->p, at->where, name, &e);
		return;
	}
	if (s->text && s->rank > at->rank)
		return;
	replace(o, s, text, at);
	s->v = v;
}

struct pairs {
	struct conf_loader *l;
	struct conf_setting *set;
	enum option_scope scope;
	const struct conf_setting *at;
};

static int pair(void *arg, const char *key, const char *value, struct err *e)
{
	struct pairs *p = arg;
	const struct option *o = options_find(key, p->scope);

	(void)e;
	if (o && p->set && o->class == OPTION_HONOURED && p->set[options_index(o)].text) {
		struct err twice;
		err_set(&twice, ERR_CONFIG, "is given twice");
		conf_problem_error(p->l->p, p->at->where, key, &twice);
		return 0;
	}
	conf_loader_set(p->l, p->set, p->scope, key, value, p->at);
	return 0;
}

static void take_pairs(struct conf_loader *l, struct conf_setting *set, enum option_scope scope,
		       const char *connstr, const struct conf_setting *at)
{
	struct pairs p = {.l = l, .set = set, .scope = scope, .at = at};
	struct err e;

	if (connstr_parse(connstr, pair, &p, &e) != 0)
		conf_problem_error(l->p, at->where, NULL, &e);
}

void conf_loader_database(struct conf_loader *l, const char *name, const char *connstr,
			  const struct conf_setting *at)
{
	struct conf_database *db = conf_values_find(l->v, name);
	struct err e;

	if (target_is_console(name)) {
		err_set(&e, ERR_CONFIG, "the name is kept for a console");
		conf_problem_error(l->p, at->where, name, &e);
		l->v->db_missed = true;
		return;
	}
	if (db && db->rank == at->rank) {
		err_set(&e, ERR_CONFIG, "the database is already defined at %s", db->where);
		conf_problem_error(l->p, at->where, name, &e);
		return;
	}
	if (db && db->rank > at->rank) { /* it stands in place of this one, all of it; this one has to be
					    right all the same */
		take_pairs(l, NULL, OPTION_DATABASE, connstr, at);
		return;
	}
	if (db) {
		conf_values_clear(db->set);
		free(db->where);
		db->where = mem_strdup(at->where);
		db->rank = at->rank;
	} else {
		db = conf_values_add(l->v, name, at);
	}
	take_pairs(l, db->set, OPTION_DATABASE, connstr, at);
}

void conf_loader_user(struct conf_loader *l, const char *connstr, const struct conf_setting *at)
{
	take_pairs(l, NULL, OPTION_USER, connstr, at);
}
