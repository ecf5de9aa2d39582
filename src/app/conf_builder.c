/* What every part of building a configuration asks of the values, and how it tells of a wrong one. Knows none of the parts. */
#include <stdlib.h>
#include "app/conf_builder.h"
#include "app/conf_private.h"
#include "base/mem.h"

const struct conf_setting *conf_builder_setting(const struct conf_builder *b, const struct conf_database *db,
						enum option_id id)
{
	const struct conf_values *v = &b->c->priv->values;

	return db ? conf_values_of(v, db, id) : &v->set[id];
}

const char *conf_builder_text(const struct conf_builder *b, const struct conf_database *db, enum option_id id)
{
	const char *text = conf_builder_setting(b, db, id)->text;

	return text && *text ? text : NULL;
}

int64_t conf_builder_num(const struct conf_builder *b, const struct conf_database *db, enum option_id id)
{
	return conf_builder_setting(b, db, id)->v.num;
}

void conf_builder_bad(struct conf_builder *b, const struct conf_database *db, enum option_id id, struct err *e)
{
	const struct conf_setting *s = conf_builder_setting(b, db, id);
	const char *where = s->where ? s->where : db ? db->where : "";
	char *name = db ? mem_printf("database \"%s\": %s", db->name, options_get(id)->name) : NULL;

	conf_problem_error(b->p, where, name ? name : options_get(id)->name, e);
	free(name);
}
