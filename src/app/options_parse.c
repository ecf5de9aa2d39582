/* From an option's text to its value. Numbers are read strictly: a unit, a sign or a comment behind a number
 * is a mistake to be told, not to be dropped. */
#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include "app/options.h"
#include "base/clock.h"

#define SECONDS_MAX 315360000.0 /* ten years: in microseconds far inside an int64_t */

/* Is text that word, in any case, but for blanks beside commas? */
static bool is_word(const char *word, size_t n, const char *text)
{
	for (size_t i = 0; i < n; i++, text++) {
		while (*text == ' ' && i > 0 && (word[i - 1] == ',' || word[i] == ','))
			text++;
		if (tolower((unsigned char)*text) != tolower((unsigned char)word[i]))
			return false;
	}
	return *text == '\0';
}

/* Position of word in "a|b|c", or -1. */
static int word_index(const char *words, const char *word)
{
	int i = 0;

	for (const char *w = words; w; i++) {
		const char *end = strchr(w, '|');
		size_t len = end ? (size_t)(end - w) : strlen(w);
		if (is_word(w, len, word))
			return i;
		w = end ? end + 1 : NULL;
	}
	return -1;
}

static bool only(const char *text, const char *chars)
{
	return text[0] && strspn(text, chars) == strlen(text);
}

static int parse_bool(const char *text, struct option_value *out, struct err *e)
{
	int i = word_index("0|1|off|on|false|true|no|yes", text);

	if (i < 0)
		return err_set(e, ERR_CONFIG, "\"%s\" is neither 1 (on, yes, true) nor 0 (off, no, false)",
			       text);
	out->num = i & 1;
	return 0;
}

static int parse_int(const struct option *o, const char *text, struct option_value *out, struct err *e)
{
	char *end;
	long long v;

	if (!only(text[0] == '-' ? text + 1 : text, "0123456789"))
		return err_set(e, ERR_CONFIG, "\"%s\" is not a whole number", text);
	errno = 0;
	v = strtoll(text, &end, 10);
	if (errno || *end || (double)v < o->min || (double)v > o->max)
		return err_set(e, ERR_CONFIG, "%s is not between %.0f and %.0f", text, o->min, o->max);
	out->num = v;
	return 0;
}

/* Digits with at most one point among them; no sign, no exponent, no "inf". */
static int parse_decimal(const char *text, double *out)
{
	const char *point = strchr(text, '.');
	char *end;

	if (!only(text, "0123456789.") || (point && strchr(point + 1, '.')) || strcmp(text, ".") == 0)
		return -1;
	*out = strtod(text, &end);
	return *end || !isfinite(*out) ? -1 : 0;
}

static int parse_rate(const struct option *o, const char *text, struct option_value *out, struct err *e)
{
	if (parse_decimal(text, &out->rate) != 0)
		return err_set(e, ERR_CONFIG, "\"%s\" is not a number", text);
	if (out->rate < o->min || out->rate > o->max)
		return err_set(e, ERR_CONFIG, "%s is not between %g and %g", text, o->min, o->max);
	return 0;
}

static int parse_seconds(const struct option *o, const char *text, struct option_value *out, struct err *e)
{
	double v;

	if (parse_decimal(text, &v) != 0) {
		err_set(e, ERR_CONFIG, "\"%s\" is not a number of seconds", text);
		err_hint(e, "Write seconds, with a decimal point if need be, and no unit: 90, 0.5.");
		return -1;
	}
	if (v < o->min || v > SECONDS_MAX)
		return err_set(e, ERR_CONFIG, "%s seconds is not between %.0f and %.0f", text, o->min,
			       SECONDS_MAX);
	out->num = (int64_t)(v * (double)CLOCK_US_PER_SEC + 0.5);
	return 0;
}

static int parse_mode(const char *text, struct option_value *out, struct err *e)
{
	if (!only(text, "01234567") || strlen(text) > 4)
		return err_set(e, ERR_CONFIG, "\"%s\" is not a file mode: octal digits such as 0660", text);
	out->num = strtol(text, NULL, 8);
	if (out->num > 0777)
		return err_set(e, ERR_CONFIG, "%s is more than 0777", text);
	return 0;
}

/* Is it, or one item of the list that it is, a value that is known and not taken? */
static bool is_refused(const struct option *o, const char *text)
{
	struct slice item;
	bool refused = false;

	while (!refused && options_item(&text, &item)) {
		char *word = slice_dup(item);

		refused = word_index(o->refused_values, word) >= 0;
		free(word);
	}
	return refused;
}

static int parse_enum(const struct option *o, const char *text, struct option_value *out, struct err *e)
{
	int i = word_index(o->values, text);

	if (i >= 0) {
		out->num = i;
		return 0;
	}
	if (is_refused(o, text))
		return err_set(e, ERR_CONFIG, "\"%s\" is refused: %s", text, o->refused_why);
	return err_set(e, ERR_CONFIG, "\"%s\" is not one of %s", text, o->values);
}

int options_parse(const struct option *o, const char *text, struct option_value *out, struct err *e)
{
	*out = (struct option_value){0};
	if (o->class == OPTION_IGNORED)
		return 0;
	if (o->class == OPTION_REFUSED) {
		if (word_index(o->def, text) >= 0)
			return 0;
		return err_set(e, ERR_CONFIG, "refused: %s", o->note);
	}
	switch (o->type) {
	case OPTION_BOOL: return parse_bool(text, out, e);
	case OPTION_INT: return parse_int(o, text, out, e);
	case OPTION_RATE: return parse_rate(o, text, out, e);
	case OPTION_SECONDS: return parse_seconds(o, text, out, e);
	case OPTION_MODE: return parse_mode(text, out, e);
	case OPTION_ENUM: return parse_enum(o, text, out, e);
	case OPTION_STRING:
	case OPTION_PATH:
	case OPTION_LIST:
	case OPTION_ADDRS: return 0;
	}
	return err_set(e, ERR_INTERNAL, "option %s has no type", o->name);
}

bool options_item(const char **rest, struct slice *item)
{
	static const char blank[] = " \t";
	const char *s = *rest;
	size_t n;

	for (;;) {
		s += strspn(s, blank);
		n = strcspn(s, ",");
		if (n > 0)
			break;
		if (!*s)
			return false;
		s++;
	}
	*rest = s[n] ? s + n + 1 : s + n;
	while (n > 0 && strchr(blank, s[n - 1]))
		n--;
	*item = slice_of(s, n);
	return true;
}

void options_describe_value(const struct option *o, struct buf *out)
{
	switch (o->type) {
	case OPTION_BOOL: buf_add_str(out, "0 or 1"); break;
	case OPTION_INT:
		buf_printf(out, "%s%s%.0f to %.0f", o->unit ? o->unit : "", o->unit ? ", " : "", o->min,
			   o->max);
		break;
	case OPTION_RATE: buf_printf(out, "number%s%s", o->unit ? " " : "", o->unit ? o->unit : ""); break;
	case OPTION_SECONDS: buf_add_str(out, "seconds"); break;
	case OPTION_MODE: buf_add_str(out, "octal mode"); break;
	case OPTION_ENUM: buf_add_str(out, o->values); break;
	case OPTION_STRING: buf_add_str(out, "text"); break;
	case OPTION_PATH: buf_add_str(out, "path"); break;
	case OPTION_LIST: buf_add_str(out, "list"); break;
	case OPTION_ADDRS: buf_add_str(out, "addresses"); break;
	}
}
