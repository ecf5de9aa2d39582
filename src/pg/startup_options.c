/* PostgreSQL splits the text (pg_split_opts) and gives the words to getopt (process_postgres_switches). Here
 * the two are one loop that takes at least one character each turn, so that it always ends. */
#include <strings.h>
#include "base/buf.h"
#include "pg/startup_options.h"

/* isspace() in the C locale, which the backend has there. */
static bool is_space(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

static bool is_name_start(unsigned char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c >= 0x80;
}

/* What can be a setting's name at all (guc.c, valid_custom_variable_name). */
static bool is_name(const char *name)
{
	bool start = true;

	for (; *name; name++) {
		if (*name == '.' && !start)
			start = true;
		else if (is_name_start((unsigned char)*name))
			start = false;
		else if (!start && ((*name >= '0' && *name <= '9') || *name == '$'))
			continue;
		else
			return false;
	}
	return !start;
}

/* Parameters of the startup packet that are no settings: `options=-c user=rdsadmin` must not become a user.
 * Without case, because struct params, which takes the name, does not know it either. */
static bool is_reserved(const char *name)
{
	static const char *const reserved[] = {"user", "database", "replication", "options"};

	for (size_t i = 0; i < sizeof(reserved) / sizeof(reserved[0]); i++)
		if (strcasecmp(name, reserved[i]) == 0)
			return true;
	return strncasecmp(name, "_pq_.", 5) == 0;
}

/* The next word, unescaped, into word. false at the end. */
static bool next_word(const char **at, struct buf *word)
{
	bool escaped = false;
	const char *p = *at;

	buf_clear(word);
	while (is_space(*p))
		p++;
	if (!*p) {
		*at = p;
		return false;
	}
	for (; *p && (escaped || !is_space(*p)); p++) {
		escaped = !escaped && *p == '\\';
		if (!escaped)
			buf_add_char(word, *p);
	}
	*at = p;
	return true;
}

static int take_setting(const char *setting, struct params *out, struct err *e)
{
	const char *equals = strchr(setting, '=');
	struct buf name;
	int rc = -1;

	if (!equals)
		return err_set(e, ERR_STARTUP_PARAM,
			       "startup parameter \"options\": a setting requires a value");
	buf_init(&name, (size_t)(equals - setting));
	for (const char *p = setting; p < equals; p++)
		buf_add_char(&name, *p == '-' ? '_' : *p);
	if (!is_name(buf_cstr(&name)) || is_reserved(buf_cstr(&name))) {
		err_set(e, ERR_STARTUP_PARAM, "startup parameter \"options\": not the name of a setting");
	} else {
		params_set(out, buf_slice(&name), slice_str(equals + 1));
		rc = 0;
	}
	buf_free(&name);
	return rc;
}

/* One switch and, of "-c name=value", the word after it. */
static int take_switch(struct buf *word, const char **at, struct params *out, struct err *e)
{
	const char *w = buf_cstr(word);

	if (strcmp(w, "-c") == 0) {
		if (next_word(at, word))
			return take_setting(buf_cstr(word), out, e);
	} else if ((strncmp(w, "-c", 2) == 0 || strncmp(w, "--", 2) == 0) && w[2]) {
		return take_setting(w + 2, out, e);
	}
	return err_set(e, ERR_STARTUP_PARAM,
		       "startup parameter \"options\": only -c name=value and --name=value are known");
}

int startup_options_parse(const char *options, struct params *out, struct err *e)
{
	const char *at = options;
	struct params found;
	struct buf word;
	int rc = 0;

	params_init(&found);
	buf_init(&word, strlen(options));
	while (rc == 0 && next_word(&at, &word))
		rc = take_switch(&word, &at, &found, e);
	if (rc == 0)
		params_copy(out, &found);
	params_free(&found);
	buf_free(&word);
	return rc;
}
