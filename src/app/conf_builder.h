/* From values to a configuration: what the parts of it (conf_build*.c) share. */
#ifndef PGIAM_APP_CONF_BUILDER_H
#define PGIAM_APP_CONF_BUILDER_H

#include "app/conf_problem.h"
#include "app/conf_values.h"

struct conf_builder {
	const struct conf_input *in;
	struct conf_problems *p;
	struct conf *c; /* with c->priv->values filled in */
};

/* Tells of a wrong setting, naming its place and, if db is not NULL, its database. */
void conf_builder_bad(struct conf_builder *b, const struct conf_database *db, enum option_id id, struct err *e);

/* An option as it was given, or its default. db may be NULL, here and below. */
const struct conf_setting *conf_builder_setting(const struct conf_builder *b, const struct conf_database *db,
						enum option_id id);

/* A setting's text, NULL if it is not set or empty. */
const char *conf_builder_text(const struct conf_builder *b, const struct conf_database *db, enum option_id id);
int64_t conf_builder_num(const struct conf_builder *b, const struct conf_database *db, enum option_id id);

#endif
