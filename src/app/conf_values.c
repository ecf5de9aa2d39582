#include "app/conf_values.h"

#include <stdlib.h>
#include <string.h>
#include "base/mem.h"

void conf_values_clear(struct conf_setting set[OPT_COUNT])
{
	for (size_t i = 0; i < OPT_COUNT; i++) {
		if (options_get(i)->secret)
			mem_free_str_wipe(set[i].text);
		else
			free(set[i].text);
		free(set[i].where);
		set[i] = (struct conf_setting){0};
	}
}

struct conf_database *conf_values_find(struct conf_values *v, const char *name)
{
	for (size_t i = 0; i < v->db_count; i++)
		if (strcmp(v->db[i].name, name) == 0)
			return &v->db[i];
	return NULL;
}

struct conf_database *conf_values_add(struct conf_values *v, const char *name, const struct conf_setting *at)
{
	struct conf_database *db;

	v->db = mem_resize(v->db, (v->db_count + 1) * sizeof(*v->db));
	db = &v->db[v->db_count++];
	*db = (struct conf_database){
		.name = mem_strdup(name), .where = mem_strdup(at->where), .rank = at->rank};
	return db;
}

void conf_values_free(struct conf_values *v)
{
	for (size_t i = 0; i < v->db_count; i++) {
		conf_values_clear(v->db[i].set);
		free(v->db[i].name);
		free(v->db[i].where);
	}
	free(v->db);
	conf_values_clear(v->set);
	free(v->file);
	*v = (struct conf_values){0};
}

const struct conf_setting *conf_values_of(const struct conf_values *v, const struct conf_database *db,
					  enum option_id id)
{
	return db->set[id].text ? &db->set[id] : &v->set[id];
}
