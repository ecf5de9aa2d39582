/* The parts of reading a configuration, for conf_sources.c: each puts settings into the same struct
 * conf_values. */
#ifndef PGIAM_APP_CONF_LOADER_H
#define PGIAM_APP_CONF_LOADER_H

#include "app/conf_problem.h"
#include "app/conf_values.h"

struct conf_loader {
	const struct conf_input *in;
	struct conf_problems *p;
	struct conf_values *v;
	struct conf_database star; /* what flags and variables say of a database: the entry "*" */
	char *file;                /* owned; which file to read, or NULL */
};

/* Sets an option of a scope. set is an array of OPT_COUNT settings, or NULL: then it is only checked. */
void conf_loader_set(struct conf_loader *l, struct conf_setting *set, enum option_scope scope,
		     const char *name, const char *text, const struct conf_setting *at);

/* An entry of [databases], its value a connection string. */
void conf_loader_database(struct conf_loader *l, const char *name, const char *connstr,
			  const struct conf_setting *at);

/* An entry of [users]. */
void conf_loader_user(struct conf_loader *l, const char *connstr, const struct conf_setting *at);

void conf_loader_file(struct conf_loader *l);
void conf_loader_env(struct conf_loader *l);
void conf_loader_args(struct conf_loader *l);

#endif
