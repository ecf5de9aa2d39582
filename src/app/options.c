/* The table, and looking things up in it. */
#include <ctype.h>
#include <string.h>
#include <strings.h>
#include "app/options.h"

#define GLOBAL   OPTION_GLOBAL
#define DATABASE OPTION_DATABASE
#define USER     OPTION_USER

static const struct option table[] = {
#define HONOURED(group_, id_, type_, scope_, name_, def_, help_, ...)                                        \
	{.name = name_,                                                                                      \
	 .class = OPTION_HONOURED,                                                                           \
	 .type = OPTION_##type_,                                                                             \
	 .scope = (scope_),                                                                                  \
	 .group = OPTION_GROUP_##group_,                                                                     \
	 .def = def_,                                                                                        \
	 .help = help_,                                                                                      \
	 __VA_ARGS__},
#define NOT_HONOURED(class_, scope_, name_, def_, note_)                                                     \
	{.name = name_,                                                                                      \
	 .class = class_,                                                                                    \
	 .type = OPTION_STRING,                                                                              \
	 .scope = (scope_),                                                                                  \
	 .group = OPTION_GROUP_NONE,                                                                         \
	 .def = def_,                                                                                        \
	 .note = note_},
#define IGNORED(scope_, name_, def_, note_) NOT_HONOURED(OPTION_IGNORED, scope_, name_, def_, note_)
#define REFUSED(scope_, name_, def_, note_) NOT_HONOURED(OPTION_REFUSED, scope_, name_, def_, note_)
#include "app/options.def"
#undef HONOURED
#undef IGNORED
#undef REFUSED
};

size_t options_count(void)
{
	return sizeof(table) / sizeof(table[0]);
}

const struct option *options_get(size_t i)
{
	return &table[i];
}

size_t options_index(const struct option *o)
{
	return (size_t)(o - table);
}

const struct option *options_find(const char *name, enum option_scope scope)
{
	for (size_t i = 0; i < options_count(); i++) {
		const struct option *o = &table[i];
		if ((o->scope & (unsigned)scope) &&
		    (strcasecmp(o->name, name) == 0 || (o->alias && strcasecmp(o->alias, name) == 0)))
			return o;
	}
	return NULL;
}

#define WORD_MAX 64

/* Levenshtein's distance, or `limit` if it is that or more. */
static size_t distance(const char *a, const char *b, size_t limit)
{
	size_t row[WORD_MAX + 1], na = strlen(a), nb = strlen(b);

	if (na > WORD_MAX || nb > WORD_MAX)
		return limit;
	for (size_t j = 0; j <= nb; j++)
		row[j] = j;
	for (size_t i = 1; i <= na; i++) {
		size_t diagonal = row[0];
		row[0] = i;
		for (size_t j = 1; j <= nb; j++) {
			size_t change = diagonal + (tolower((unsigned char)a[i - 1]) !=
						    tolower((unsigned char)b[j - 1]));
			diagonal = row[j];
			row[j] = change;
			if (diagonal + 1 < row[j])
				row[j] = diagonal + 1;
			if (row[j - 1] + 1 < row[j])
				row[j] = row[j - 1] + 1;
		}
	}
	return row[nb] < limit ? row[nb] : limit;
}

/* The distance at which a word is no longer meant: two letters exchanged are two changes, longer words may
 * have more. */
static size_t tolerance(const char *word)
{
	return strlen(word) / 3 + 2;
}

static void nearer(const char *word, const char *candidate, const char **best, size_t *best_distance)
{
	size_t d = candidate ? distance(word, candidate, *best_distance) : *best_distance;

	if (d < *best_distance) {
		*best = candidate;
		*best_distance = d;
	}
}

const char *options_nearest(const char *name, enum option_scope scope)
{
	const char *best = NULL;
	size_t d = tolerance(name);

	for (size_t i = 0; i < options_count(); i++) {
		if (!(table[i].scope & (unsigned)scope) || table[i].class != OPTION_HONOURED)
			continue;
		nearer(name, table[i].name, &best, &d);
		nearer(name, table[i].alias, &best, &d);
	}
	return best;
}

const char *options_nearest_word(const char *word, const char *const *words, size_t n)
{
	const char *best = NULL;
	size_t d = tolerance(word);

	for (size_t i = 0; i < n; i++)
		nearer(word, words[i], &best, &d);
	return best;
}

bool options_has_env(const struct option *o)
{
	return o->class == OPTION_HONOURED && (o->scope & (OPTION_GLOBAL | OPTION_DATABASE));
}

bool options_has_flag(const struct option *o)
{
	return options_has_env(o) && !o->secret;
}

const char *options_env_name(const struct option *o, char out[OPTION_ENV_MAX])
{
	static const char prefix[] = "PGIAM_";
	const char *from = o->env ? o->env : o->name;
	size_t n = o->env ? 0 : sizeof(prefix) - 1;

	memcpy(out, prefix, n);
	for (; *from && n < OPTION_ENV_MAX - 1; from++)
		out[n++] = (char)toupper((unsigned char)*from);
	out[n] = '\0';
	return out;
}

const char *options_flag_name(const struct option *o, char out[OPTION_ENV_MAX])
{
	size_t n = 2;

	memcpy(out, "--", 2);
	for (const char *from = o->name; *from && n < OPTION_ENV_MAX - 1; from++)
		out[n++] = *from == '_' ? '-' : *from;
	out[n] = '\0';
	return out;
}
