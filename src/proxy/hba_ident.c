/* auth_ident_file: pg_ident.conf. */
#include <stdlib.h>
#include "base/mem.h"
#include "proxy/auth_token.h"
#include "proxy/hba.h"

struct mapping {
	char *map, *system, *user;
	bool all; /* any database user */
};

struct hba_ident {
	struct mapping *v;
	size_t n;
};

void hba_ident_free(struct hba_ident *m)
{
	if (!m)
		return;
	for (size_t i = 0; i < m->n; i++) {
		free(m->v[i].map);
		free(m->v[i].system);
		free(m->v[i].user);
	}
	free(m->v);
	free(m);
}

size_t hba_ident_count(const struct hba_ident *m)
{
	return m ? m->n : 0;
}

static int take(const struct auth_line *l, struct hba_ident *m, struct err *e)
{
	const struct auth_item *item[3];

	if (l->n != 3)
		return err_set(e, ERR_CONFIG, "line %u: a line is a map, a user of the system and a database user", l->line);
	for (size_t i = 0; i < 3; i++) {
		item[i] = &l->field[i].item[0];
		if (l->field[i].n != 1 || (!item[i]->quoted && strchr("@+/", item[i]->text[0])))
			return err_set(e, ERR_CONFIG,
			               "line %u: lists, files, groups and regular expressions are not known here: \"%.64s\"", l->line,
			               item[i]->text);
	}
	m->v = mem_resize(m->v, (m->n + 1) * sizeof(*m->v));
	m->v[m->n++] = (struct mapping){.map = mem_strdup(item[0]->text),
	                                .system = mem_strdup(item[1]->text),
	                                .user = mem_strdup(item[2]->text),
	                                .all = auth_item_is(item[2], "all")};
	return 0;
}

struct hba_ident *hba_ident_parse(struct slice text, struct err *e)
{
	struct hba_ident *m = mem_zalloc(sizeof(*m));
	struct rd r = rd_init(text);
	struct auth_line l = {.n = 0};
	unsigned number = 0;
	int rc;

	while ((rc = auth_line_next(&r, &number, &l, e)) > 0) {
		rc = take(&l, m, e);
		auth_line_free(&l);
		if (rc != 0)
			break;
	}
	auth_line_free(&l);
	if (rc == 0)
		return m;
	hba_ident_free(m);
	return NULL;
}

bool hba_ident_has(const struct hba_ident *m, const char *map)
{
	for (size_t i = 0; m && i < m->n; i++)
		if (strcmp(m->v[i].map, map) == 0)
			return true;
	return false;
}

bool hba_ident_allows(const struct hba_ident *m, const char *map, const char *system, const char *user)
{
	if (!map)
		return strcmp(system, user) == 0;
	for (size_t i = 0; m && i < m->n; i++)
		if (strcmp(m->v[i].map, map) == 0 && strcmp(m->v[i].system, system) == 0 &&
		    (m->v[i].all || strcmp(m->v[i].user, user) == 0))
			return true;
	return false;
}
