/* Options as they were given, each with its place. conf_sources.c reads them, conf_build*.c make the configuration of
 * them. */
#ifndef PGIAM_APP_CONF_VALUES_H
#define PGIAM_APP_CONF_VALUES_H

#include "app/conf.h"
#include "app/options.h"

enum conf_rank { CONF_RANK_DEFAULT, CONF_RANK_FILE, CONF_RANK_ENV, CONF_RANK_FLAG };

struct conf_setting {
	char *text;  /* owned; NULL: not set */
	char *where; /* owned; NULL: a default */
	enum conf_rank rank;
	struct option_value v; /* of text */
};

/* An entry of [databases]. */
struct conf_database {
	char *name, *where;
	enum conf_rank rank;
	struct conf_setting set[OPT_COUNT];
};

struct conf_values {
	char *file; /* the one that was read, or NULL */
	bool file_readable_by_others;
	struct conf_setting set[OPT_COUNT]; /* of [pgiam]; all defaults are filled in, a database's too */
	bool db_missed;                     /* one was meant, and could not be read: told already */
	struct conf_database *db;
	size_t db_count;
};

void conf_values_free(struct conf_values *v);

/* A database's own setting, else [pgiam]'s (which may be a default, or not set). */
const struct conf_setting *conf_values_of(const struct conf_values *v, const struct conf_database *db,
					  enum option_id id);

/* By name, or NULL. */
struct conf_database *conf_values_find(struct conf_values *v, const char *name);

/* Adds an empty entry; takes nothing. Valid until the next. */
struct conf_database *conf_values_add(struct conf_values *v, const char *name, const struct conf_setting *at);

/* Frees the settings' texts; those of secrets are wiped. */
void conf_values_clear(struct conf_setting set[OPT_COUNT]);

#endif
