/* See prom.h. */
#include <ctype.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "unit/admin/prom.h"

#define PROM_FAIL(p, what, line)                                                                             \
	do {                                                                                                 \
		print_error("line %u: %s: %s\n", (p)->lines, what, line);                                    \
		fail();                                                                                      \
	} while (0)

static size_t prom_name(const char *s, bool colon)
{
	size_t n = 0;

	while (isalpha((unsigned char)s[n]) || s[n] == '_' || (colon && s[n] == ':') ||
	       (n && isdigit((unsigned char)s[n])))
		n++;
	return n;
}

/* "# HELP name text" or "# TYPE name type". */
static void prom_comment(struct prom *p, char *line)
{
	static const char *const types[] = {"gauge", "counter", "histogram"};
	bool help = strncmp(line, "# HELP ", 7) == 0;
	size_t n = prom_name(line + 7, true);
	char *rest = line + 7 + n, name[128];

	if ((!help && strncmp(line, "# TYPE ", 7) != 0) || n == 0 || *rest++ != ' ' || *rest == '\0')
		PROM_FAIL(p, "comment", line);
	snprintf(name, sizeof name, "%.*s", (int)n, line + 7);
	if (help) {
		for (size_t i = 0; i < p->families; i++)
			if (strcmp(p->name[i], name) == 0)
				PROM_FAIL(p, "metric in two blocks", line);
		p->name[p->families++] = strdup(name);
		return;
	}
	if (p->families == 0 || strcmp(p->name[p->families - 1], name) != 0 || p->type[p->families - 1])
		PROM_FAIL(p, "TYPE without its HELP", line);
	for (size_t i = 0; i < 3; i++)
		if (strcmp(types[i], rest) == 0)
			p->type[p->families - 1] = strdup(rest);
	if (p->type[p->families - 1] == NULL)
		PROM_FAIL(p, "type", line);
	n = strlen(name);
	if ((n > 6 && strcmp(name + n - 6, "_total") == 0) != (strcmp(rest, "counter") == 0))
		PROM_FAIL(p, "_total is for counters", line);
}

/* {a="b",c="d"}: returns what follows. */
static const char *prom_labels(struct prom *p, const char *s, const char *line)
{
	if (*s != '{')
		return s;
	do {
		size_t n = prom_name(++s, false);

		s += n;
		if (n == 0 || s[0] != '=' || s[1] != '"')
			PROM_FAIL(p, "label", line);
		for (s += 2; *s != '"'; s++) {
			if (*s == '\0')
				PROM_FAIL(p, "label value without end", line);
			if (*s == '\\' && strchr("\\\"n", *++s) == NULL)
				PROM_FAIL(p, "escape", line);
		}
		s++;
	} while (*s == ',');
	if (*s != '}')
		PROM_FAIL(p, "labels without end", line);
	return s + 1;
}

static void prom_sample(struct prom *p, char *line)
{
	size_t n = prom_name(line, true);
	const char *end = prom_labels(p, line + n, line),
		   *family = p->families ? p->name[p->families - 1] : "";
	size_t f = strlen(family);
	bool histogram = p->families && strcmp(p->type[p->families - 1], "histogram") == 0;
	char *tail;

	if (n < f || memcmp(line, family, f) != 0)
		PROM_FAIL(p, "sample outside its block", line);
	if (histogram ? strncmp(line + f, "_bucket{", 8) != 0 && strncmp(line + f, "_sum", 4) != 0 &&
				strncmp(line + f, "_count", 6) != 0
		      : n != f)
		PROM_FAIL(p, "name", line);
	if (*end != ' ')
		PROM_FAIL(p, "blank before the value", line);
	p->value[p->samples] = strtod(end + 1, &tail);
	if (tail == end + 1 || *tail)
		PROM_FAIL(p, "value", line);
	p->series[p->samples] = strndup(line, (size_t)(end - line));
	for (size_t i = 0; i < p->samples; i++)
		if (strcmp(p->series[i], p->series[p->samples]) == 0)
			PROM_FAIL(p, "sample twice", line);
	/* Buckets of one series follow each other and do not fall; "+Inf" is the last and equals _count. */
	if (p->samples && strstr(p->series[p->samples], "_bucket{") &&
	    !strstr(p->series[p->samples - 1], "le=\"+Inf\"") &&
	    strstr(p->series[p->samples - 1], "_bucket{") && p->value[p->samples] < p->value[p->samples - 1])
		PROM_FAIL(p, "bucket smaller than the one before", line);
	if (histogram && strncmp(line + f, "_count", 6) == 0 &&
	    (!strstr(p->series[p->samples - 2], "le=\"+Inf\"") ||
	     p->value[p->samples - 2] != p->value[p->samples]))
		PROM_FAIL(p, "count is not the last bucket", line);
	p->samples++;
	assert_true(p->samples < PROM_MAX);
}

void prom_read(struct prom *p, const char *text)
{
	*p = (struct prom){0};
	while (*text) {
		const char *end = strchr(text, '\n');
		char *line;

		p->lines++;
		if (end == NULL)
			PROM_FAIL(p, "last line without end", text);
		line = strndup(text, (size_t)(end - text));
		if (line[0] == '#')
			prom_comment(p, line);
		else
			prom_sample(p, line);
		free(line);
		text = end + 1;
	}
}

double prom_value(const struct prom *p, const char *series)
{
	for (size_t i = 0; i < p->samples; i++)
		if (strcmp(p->series[i], series) == 0)
			return p->value[i];
	return -1;
}

void prom_free(struct prom *p)
{
	for (size_t i = 0; i < p->families; i++) {
		free(p->name[i]);
		free(p->type[i]);
	}
	for (size_t i = 0; i < p->samples; i++)
		free(p->series[i]);
}
