/* A plain array: a startup packet has a handful of parameters. Its 10,000 bytes can hold 2,500, from a client
 * that has not logged in; the hashes keep the search for repetitions among those at some milliseconds. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include "base/mem.h"
#include "pg/params.h"

/* PostgreSQL folds ASCII only (guc_name_compare), whatever the locale. */
static unsigned char fold(unsigned char c)
{
	return c >= 'A' && c <= 'Z' ? (unsigned char)(c - 'A' + 'a') : c;
}

static int name_compare(const char *a, const char *b)
{
	const unsigned char *x = (const unsigned char *)a, *y = (const unsigned char *)b;

	while (*x && fold(*x) == fold(*y)) {
		x++;
		y++;
	}
	return (int)fold(*x) - (int)fold(*y);
}

/* FNV-1a. Names that collide only cost a comparison. */
static uint32_t name_hash(const char *name)
{
	uint32_t h = 2166136261u;

	for (; *name; name++)
		h = (h ^ fold((unsigned char)*name)) * 16777619u;
	return h;
}

void params_init(struct params *p)
{
	*p = (struct params){NULL, 0, 0};
}

void params_free(struct params *p)
{
	for (size_t i = 0; i < p->n; i++) {
		free(p->v[i].name);
		free(p->v[i].value);
	}
	free(p->v);
	params_init(p);
}

static struct param *find(const struct params *p, const char *name)
{
	uint32_t hash = name_hash(name);

	for (size_t i = 0; i < p->n; i++)
		if (p->v[i].hash == hash && name_compare(p->v[i].name, name) == 0)
			return &p->v[i];
	return NULL;
}

/* Takes both. */
static void append(struct params *p, char *name, char *value)
{
	if (p->n == p->size) {
		p->size = p->size ? p->size * 2 : 8;
		p->v = mem_resize(p->v, p->size * sizeof(p->v[0]));
	}
	p->v[p->n++] = (struct param){name, value, name_hash(name)};
}

void params_add(struct params *p, struct slice name, struct slice value)
{
	append(p, slice_dup(name), slice_dup(value));
}

void params_set(struct params *p, struct slice name, struct slice value)
{
	char *own_name = slice_dup(name), *own_value = slice_dup(value);
	struct param *old = find(p, own_name);

	if (old) {
		free(own_name);
		free(old->value);
		old->value = own_value;
		return;
	}
	append(p, own_name, own_value);
}

bool params_del(struct params *p, const char *name)
{
	struct param *found = find(p, name);
	size_t after;

	if (!found)
		return false;
	free(found->name);
	free(found->value);
	after = p->n - (size_t)(found - p->v) - 1;
	memmove(found, found + 1, after * sizeof(*found));
	p->n--;
	return true;
}

const char *params_get(const struct params *p, const char *name)
{
	const struct param *found = find(p, name);

	return found ? found->value : NULL;
}

void params_copy(struct params *to, const struct params *from)
{
	for (size_t i = 0; i < from->n; i++)
		params_set(to, slice_str(from->v[i].name), slice_str(from->v[i].value));
}

/* By value too: params_add makes lists in which a name is there twice. */
static int by_name(const void *a, const void *b)
{
	const struct param *const *x = a, *const *y = b;
	int order = name_compare((*x)->name, (*y)->name);

	return order ? order : strcmp((*x)->value, (*y)->value);
}

int params_canonical(const struct params *p, struct buf *out)
{
	const struct param **sorted = mem_array(p->n, sizeof(*sorted));

	for (size_t i = 0; i < p->n; i++)
		sorted[i] = &p->v[i];
	if (p->n > 1)
		qsort(sorted, p->n, sizeof(*sorted), by_name);
	for (size_t i = 0; i < p->n; i++) {
		for (const char *c = sorted[i]->name; *c; c++)
			buf_add_char(out, (char)fold((unsigned char)*c));
		buf_add_char(out, '\0');
		buf_add(out, sorted[i]->value, strlen(sorted[i]->value) + 1);
	}
	free(sorted);
	return out->full ? -1 : 0;
}

bool params_equal(const struct params *a, const struct params *b)
{
	if (a->n != b->n)
		return false;
	for (size_t i = 0; i < a->n; i++)
		if (strcasecmp(a->v[i].name, b->v[i].name) != 0 || strcmp(a->v[i].value, b->v[i].value) != 0)
			return false;
	return true;
}
