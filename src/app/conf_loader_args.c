/* The environment and the command line.
 *
 * For a Service called pgiam, Kubernetes puts PGIAM_SERVICE_HOST, PGIAM_PORT=tcp://...,
 * PGIAM_PORT_5432_TCP_ADDR and more into the environment of every pod, and the like with PGIAM_X_ in front
 * for a Service called pgiam-x. None of them is an option's name (a unit test), none is complained about, and
 * a value that only Kubernetes would write is left alone. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include "app/conf_loader.h"
#include "base/mem.h"

#define PREFIX     "PGIAM_"
#define TARGET_ENV "PGIAM_TARGET"

/* name = connstr */
static void take_target(struct conf_loader *l, struct slice text, const struct conf_setting *at)
{
	char *copy = slice_dup(text), *equals = strchr(copy, '='), *name = copy;
	size_t n;
	struct err e;

	name += strspn(name, " \t");
	n = strcspn(name, " \t=");
	if (!equals || n == 0 || name + n + strspn(name + n, " \t") != equals) {
		err_set(&e, ERR_CONFIG, "is not name='host=... port=...'");
		conf_problem_error(l->p, at->where, NULL, &e);
		l->v->db_missed = true;
	} else {
		name[n] = '\0';
		conf_loader_database(l, name, equals + 1, at);
	}
	mem_free_str_wipe(copy);
}

static bool ends_with(const char *s, size_t n, const char *end)
{
	size_t m = strlen(end);

	return n >= m && memcmp(s + n - m, end, m) == 0;
}

/* Is it a variable that Kubernetes or Docker's links make of a Service's name? */
static bool is_injected(const char *name, size_t n, const char *value)
{
	if (strncmp(value, "tcp://", 6) == 0 || strncmp(value, "udp://", 6) == 0 ||
	    strncmp(value, "sctp://", 7) == 0)
		return true;
	for (size_t i = 0; i < n; i++)
		if ((strncmp(name + i, "_PORT_", 6) == 0 && isdigit((unsigned char)name[i + 6])) ||
		    strncmp(name + i, "_SERVICE_PORT_", 14) == 0)
			return true;
	return ends_with(name, n, "_SERVICE_HOST") || ends_with(name, n, "_SERVICE_PORT");
}

/* The option whose variable this is, and in which scope, or NULL. */
static const struct option *option_of_env(const char *name, size_t n)
{
	char want[OPTION_ENV_MAX];

	for (size_t i = 0; i < OPT_COUNT; i++) {
		const struct option *o = options_get(i);
		if (options_has_env(o) && strlen(options_env_name(o, want)) == n &&
		    strncmp(want, name, n) == 0)
			return o;
	}
	return NULL;
}

/* Sets an option that came without a section: in [pgiam] if it can stand there, else for the database "*". */
static void set_anywhere(struct conf_loader *l, const struct option *o, const char *text,
			 const struct conf_setting *at)
{
	if (o->scope & OPTION_GLOBAL)
		conf_loader_set(l, l->v->set, OPTION_GLOBAL, o->name, text, at);
	else
		conf_loader_set(l, l->star.set, OPTION_DATABASE, o->name, text, at);
}

static const struct option *option_of_flag(const char *name)
{
	static const enum option_scope scopes[] = {OPTION_GLOBAL, OPTION_DATABASE};

	for (size_t i = 0; i < 2; i++) {
		const struct option *o = options_find(name, scopes[i]);
		if (o && options_has_env(o))
			return o;
	}
	return NULL;
}

/* The option with a flag and a variable whose name is nearest, or NULL. */
static const struct option *nearest(const char *name)
{
	const char *near = options_nearest(name, OPTION_GLOBAL);

	if (!near)
		near = options_nearest(name, OPTION_DATABASE);
	return near ? option_of_flag(near) : NULL;
}

/* It may be another program's: no reason to refuse the configuration. */
static void unknown_variable(struct conf_loader *l, const char *variable)
{
	char *lower = mem_strdup(variable + strlen(PREFIX)), name[OPTION_ENV_MAX];
	const struct option *near;

	for (char *c = lower; *c; c++)
		*c = (char)tolower((unsigned char)*c);
	near = nearest(lower);
	conf_problem_note(l->p, LOG_WARNING, variable, "no option has this name%s%s",
			  near ? "; the nearest is " : "", near ? options_env_name(near, name) : "");
	free(lower);
}

static void take_variable(struct conf_loader *l, const char *name, size_t n, const char *value)
{
	const struct option *o = option_of_env(name, n);
	struct conf_setting at = {.where = mem_strndup(name, n), .rank = CONF_RANK_ENV};

	if (!*value || is_injected(name, n, value)) {
		/* an empty variable is as good as none */
	} else if (o) {
		set_anywhere(l, o, value, &at);
	} else if (strcmp(at.where, TARGET_ENV) == 0) {
		for (const char *s = value; *s;) {
			size_t len = strcspn(s, "\n");
			if (len > strspn(s, " \t\r"))
				take_target(l, slice_of(s, len), &at);
			s += len + (s[len] == '\n');
		}
	} else {
		unknown_variable(l, at.where);
	}
	free(at.where);
}

void conf_loader_env(struct conf_loader *l)
{
	for (const char *const *env = l->in->env; env && *env; env++) {
		const char *equals = strchr(*env, '=');
		if (equals && strncmp(*env, PREFIX, strlen(PREFIX)) == 0)
			take_variable(l, *env, (size_t)(equals - *env), equals + 1);
	}
}

static void usage_error(struct conf_loader *l, const char *flag, const char *text, const char *hint)
{
	struct err e;

	err_set(&e, ERR_USAGE, "%s", text);
	if (hint)
		err_hint(&e, "%s", hint);
	conf_problem_error(l->p, flag, NULL, &e);
}

static void unknown_flag(struct conf_loader *l, const char *flag, const char *name)
{
	const struct option *o = nearest(name);
	char want[OPTION_ENV_MAX];
	char *hint = NULL;

	if (o)
		hint = mem_printf("Did you mean %s?", options_flag_name(o, want));
	usage_error(l, flag, "there is no such option", hint);
	free(hint);
}

/* One "--name[=value]" at argv[i]; returns how many words it took. */
static int take_flag(struct conf_loader *l, int i)
{
	const char *word = l->in->argv[i], *equals = strchr(word, '=');
	const char *value = equals ? equals + 1 : i + 1 < l->in->argc ? l->in->argv[i + 1] : NULL;
	char *flag = equals ? mem_strndup(word, (size_t)(equals - word)) : mem_strdup(word);
	char *name = mem_strdup(flag + 2);
	struct conf_setting at = {.where = flag, .rank = CONF_RANK_FLAG};
	const struct option *o;
	int words = equals ? 1 : 2;

	for (char *c = name; *c; c++)
		if (*c == '-')
			*c = '_';
	o = option_of_flag(name);
	if (o && o->type == OPTION_BOOL && !equals) {
		value = "1";
		words = 1;
	}
	if (o && o->secret) {
		usage_error(l, flag, "a secret on the command line can be seen by every user of this machine",
			    "Use --password-file or --password-env.");
	} else if (!o && strcmp(name, "target") != 0) {
		unknown_flag(l, flag, name);
		words = !equals && value && value[0] != '-' ? 2 : 1;
	} else if (!value) {
		usage_error(l, flag, "needs a value", NULL);
		words = 1;
	} else if (o) {
		set_anywhere(l, o, value, &at);
	} else {
		take_target(l, slice_str(value), &at);
	}
	free(name);
	free(flag);
	return words;
}

void conf_loader_args(struct conf_loader *l)
{
	for (int i = 0; i < l->in->argc;) {
		const char *word = l->in->argv[i];
		if (strncmp(word, "--", 2) == 0 && word[2]) {
			i += take_flag(l, i);
			continue;
		}
		if (word[0] == '-')
			usage_error(l, word, "there is no such option", "Options begin with two dashes.");
		else if (l->file)
			usage_error(l, word, "there is one configuration file already", NULL);
		else
			l->file = mem_strdup(word);
		i++;
	}
}
