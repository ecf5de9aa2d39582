/* The table of every option (options.def), and how an option's text becomes a value. Knows nothing of files,
 * precedence or what options are for. */
#ifndef PGIAM_APP_OPTIONS_H
#define PGIAM_APP_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>
#include "base/buf.h"
#include "base/err.h"

enum option_type {
	OPTION_BOOL,    /* 1, 0, on, off, true, false, yes, no: num */
	OPTION_INT,     /* min..max: num */
	OPTION_RATE,    /* a decimal number, min..max: rate */
	OPTION_SECONDS, /* decimal seconds, min at least: num, in microseconds */
	OPTION_MODE,    /* octal permissions: num */
	OPTION_ENUM,    /* one of values: num, its index */
	OPTION_STRING,  /* text */
	OPTION_PATH,    /* of a file or directory: text */
	OPTION_LIST,    /* separated by commas: text, see options_item */
	OPTION_ADDRS,   /* the same, of addresses (conf_listen.h) */
};

/* Where an option may stand: [pgiam], a [databases] entry, a [users] entry. */
enum option_scope { OPTION_GLOBAL = 1, OPTION_DATABASE = 2, OPTION_USER = 4 };

enum option_class {
	OPTION_HONOURED,
	OPTION_IGNORED, /* taken, without effect: note says why */
	OPTION_REFUSED, /* refused, unless the value asks for nothing: note says why */
};

enum option_group {
	OPTION_GROUP_LISTEN,
	OPTION_GROUP_ACCESS,
	OPTION_GROUP_DATABASE,
	OPTION_GROUP_POOL,
	OPTION_GROUP_NETWORK,
	OPTION_GROUP_PROCESS,
	OPTION_GROUP_NONE, /* of options not honoured */
	OPTION_GROUP_COUNT,
};

struct option {
	const char *name, *alias; /* alias: NULL if none */
	enum option_class class;
	enum option_type type;
	unsigned scope; /* of OPTION_GLOBAL ... */
	enum option_group group;
	const char *def; /* default as text; NULL: not set. Of a refused option the values, with | between, it
			    takes */
	const char *unit;                         /* or NULL */
	const char *values;                       /* of OPTION_ENUM, with | between */
	const char *refused_values, *refused_why; /* values known and not taken */
	double min, max;
	const char *env; /* if the variable is not PGIAM_ and the name */
	bool repeats;    /* a flag given again adds to it */
	bool reload, secret;
	bool shared;         /* a limit that is shared out among workers */
	const char *help;    /* full sentences */
	const char *note;    /* of ignored and refused ones: why */
	const char *differs; /* why the default or meaning is not PgBouncer's, or NULL */
};

/* Names of the honoured options: indexes into the table. */
enum option_id {
#define HONOURED(group_, id_, ...) OPT_##id_,
#define IGNORED(...)
#define REFUSED(...)
#include "app/options.def"
#undef HONOURED
#undef IGNORED
#undef REFUSED
	OPT_COUNT /* of the honoured */
};

size_t options_count(void); /* of all, the honoured first */
const struct option *options_get(size_t i);

/* By name or alias within a scope, or NULL. */
const struct option *options_find(const char *name, enum option_scope scope);

/* Index of an option in the table: an enum option_id if it is honoured. */
size_t options_index(const struct option *o);

/* The name in this scope nearest to a misspelt one, or NULL if none is near. */
const char *options_nearest(const char *name, enum option_scope scope);

/* Among n words. For sections and the like. */
const char *options_nearest_word(const char *word, const char *const *words, size_t n);

/* May it be given as --name and as an environment variable? Secrets have no flag. */
bool options_has_flag(const struct option *o);
bool options_has_env(const struct option *o);

#define OPTION_ENV_MAX 64
const char *options_env_name(const struct option *o, char out[OPTION_ENV_MAX]);  /* "PGIAM_LISTEN_ADDR" */
const char *options_flag_name(const struct option *o, char out[OPTION_ENV_MAX]); /* "--listen-addr" */

struct option_value {
	int64_t num;
	double rate;
};

/* Reads and checks text. 0, or -1 with e: what is wrong and what would be right, without the option's name.
 * Refuses what the option refuses. */
int options_parse(const struct option *o, const char *text, struct option_value *out, struct err *e);

/* Walks the items of a list: blanks around them are not part of them. False at the end. Start with *rest =
 * the text. */
bool options_item(const char **rest, struct slice *item);

/* The words for a type, for help: "seconds", "0 or 1", "a|b". Adds to out. */
void options_describe_value(const struct option *o, struct buf *out);

/* `pgiam run --help`: every flag, by groups. */
void options_help(struct buf *out);

/* Everything in the table, tab-separated, for tests/lint/options, which makes the sample file and the man
 * page of it. */
void options_dump(struct buf *out);

#endif
