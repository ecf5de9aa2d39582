#include "proxy/turn.h"

#include <stdlib.h>
#include "base/map.h"
#include "base/mem.h"

struct turn_user {
	struct list node;  /* database.turns, while anybody waits in `turns` */
	struct list turns; /* struct turn waiting, oldest first */
	struct database *db;
	char *name;
	uint32_t refs;
};

static struct turn_user *user_get(struct database *d, const char *name)
{
	struct turn_user *u = map_get(d->turn_users, slice_str(name));

	if (!u) {
		u = mem_zalloc(sizeof(*u));
		list_init(&u->node);
		list_init(&u->turns);
		u->db = d;
		u->name = mem_strdup(name);
		map_put(d->turn_users, slice_str(name), u);
	}
	u->refs++;
	return u;
}

static void user_put(struct turn_user *u)
{
	if (--u->refs > 0)
		return;
	map_del(u->db->turn_users, slice_str(u->name));
	free(u->name);
	free(u);
}

void turn_init(struct turn *t, struct database *d, const char *user, void (*granted)(void *arg), void *arg)
{
	list_init(&t->node);
	t->db = d;
	t->user = user_get(d, user);
	t->granted = granted;
	t->arg = arg;
}

void turn_fini(struct turn *t)
{
	turn_drop(t);
	user_put(t->user);
}

void turn_ask(struct turn *t)
{
	if (list_linked(&t->node))
		return;
	list_add_tail(&t->user->turns, &t->node);
	if (!list_linked(&t->user->node))
		list_add_tail(&t->db->turns, &t->user->node);
	database_grant(t->db);
}

void turn_drop(struct turn *t)
{
	list_del(&t->node);
	if (list_empty(&t->user->turns))
		list_del(&t->user->node);
}

struct turn *turn_take(struct database *d)
{
	struct turn_user *u = container_of(list_first(&d->turns), struct turn_user, node);
	struct turn *t = container_of(list_first(&u->turns), struct turn, node);

	turn_drop(t);
	if (list_linked(&u->node)) {
		list_del(&u->node);
		list_add_tail(&d->turns, &u->node);
	}
	return t;
}
