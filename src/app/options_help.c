/* The table as text: for a person, and for the lint. */
#include <string.h>
#include "app/options.h"

static const char *const group_titles[OPTION_GROUP_COUNT] = {
	[OPTION_GROUP_LISTEN] = "Where clients connect",
	[OPTION_GROUP_ACCESS] = "Who may connect",
	[OPTION_GROUP_DATABASE] = "The server",
	[OPTION_GROUP_POOL] = "Pools",
	[OPTION_GROUP_NETWORK] = "Network",
	[OPTION_GROUP_PROCESS] = "Process, logs and metrics",
	[OPTION_GROUP_NONE] = "Not honoured",
};

static const char *const class_names[] = {
	[OPTION_HONOURED] = "honoured",
	[OPTION_IGNORED] = "ignored",
	[OPTION_REFUSED] = "refused",
};

#define HELP_INDENT 8
#define HELP_WIDTH  100

/* Breaks text at blanks. */
static void add_wrapped(struct buf *out, const char *text)
{
	size_t column = 0;

	while (*text) {
		size_t n = strcspn(text, " ");
		if (column == 0 || column + 1 + n > HELP_WIDTH) {
			buf_printf(out, "%s%*s", column ? "\n" : "", HELP_INDENT, "");
			column = HELP_INDENT;
		} else {
			buf_add_char(out, ' ');
			column++;
		}
		buf_add(out, text, n);
		column += n;
		text += n;
		text += strspn(text, " ");
	}
	buf_add_char(out, '\n');
}

void options_help(struct buf *out)
{
	char flag[OPTION_ENV_MAX], env[OPTION_ENV_MAX];

	buf_add_str(out, "Databases:\n  --target NAME='host=... port=...', PGIAM_TARGET\n");
	add_wrapped(out, "An entry of [databases]; may be given several times, in the variable one a line. "
			 "The options of "
			 "\"The server\" below say the same of the entry for all other databases, which "
			 "--host makes.");
	buf_add_char(out, '\n');
	for (int group = 0; group < OPTION_GROUP_NONE; group++) {
		buf_printf(out, "%s%s:\n", group ? "\n" : "", group_titles[group]);
		for (size_t i = 0; i < OPT_COUNT; i++) {
			const struct option *o = options_get(i);
			if (o->group != (enum option_group)group)
				continue;
			buf_printf(out, "  %s%s%s (", options_has_flag(o) ? options_flag_name(o, flag) : "",
				   options_has_flag(o) ? ", " : "", options_env_name(o, env));
			options_describe_value(o, out);
			if (o->def)
				buf_printf(out, "; default %s", *o->def ? o->def : "empty");
			buf_add_str(out, ")\n");
			add_wrapped(out, o->help);
			if (o->alias)
				buf_printf(out, "%*sAlso called %s.\n", HELP_INDENT, "", o->alias);
		}
	}
}

static void add_field(struct buf *out, const char *s)
{
	buf_add_str(out, s ? s : "");
	buf_add_char(out, '\t');
}

static void dump_one(const struct option *o, struct buf *out)
{
	char name[OPTION_ENV_MAX];

	add_field(out, class_names[o->class]);
	add_field(out, group_titles[o->group]);
	buf_printf(out, "%s%s%s\t", o->scope & OPTION_GLOBAL ? "g" : "",
		   o->scope & OPTION_DATABASE ? "d" : "", o->scope & OPTION_USER ? "u" : "");
	add_field(out, o->name);
	add_field(out, o->alias);
	add_field(out, options_has_flag(o) ? options_flag_name(o, name) : NULL);
	add_field(out, options_has_env(o) ? options_env_name(o, name) : NULL);
	add_field(out, o->def ? "set" : "unset");
	add_field(out, o->def);
	options_describe_value(o, out);
	buf_add_char(out, '\t');
	add_field(out, o->reload ? "reload" : NULL);
	add_field(out, o->help);
	add_field(out, o->note);
	buf_add_str(out, o->differs ? o->differs : "");
	buf_add_char(out, '\n');
}

void options_dump(struct buf *out)
{
	for (size_t i = 0; i < options_count(); i++)
		dump_one(options_get(i), out);
}
