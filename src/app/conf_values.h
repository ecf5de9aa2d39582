/* Options as they were given, from file, environment and command line, each with its place: the first half of
 * loading. conf_build.c makes the configuration of it. */
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

/* Collects what is wrong: keeps the first error, hands all to the input's callback or the log. */
struct conf_problems {
	const struct conf_input *in;
	struct log *log;
	unsigned errors;
	struct err first; /* with its place in front */
};

/* e's message gets "name: " in front if name is not NULL. */
void conf_problem_error(struct conf_problems *p, const char *where, const char *name, struct err *e);
void conf_problem_note(struct conf_problems *p, enum log_level level, const char *where, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

/* Reads everything; problems go to p. */
void conf_values_load(const struct conf_input *in, struct conf_problems *p, struct conf_values *out);
void conf_values_free(struct conf_values *v);

/* A database's own setting, else [pgiam]'s (which may be a default, or not set). */
const struct conf_setting *conf_values_of(const struct conf_values *v, const struct conf_database *db,
					  enum option_id id);

/* The variable's value in an environment, or NULL. */
const char *conf_values_env(const char *const *env, const char *name);

#endif
