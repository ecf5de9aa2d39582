#include "proxy/turn.h"

void turn_init(struct turn *t, struct database *d, void (*granted)(void *arg), void *arg)
{
	list_init(&t->node);
	t->db = d;
	t->granted = granted;
	t->arg = arg;
}

void turn_ask(struct turn *t)
{
	if (list_linked(&t->node))
		return;
	list_add_tail(&t->db->turns, &t->node);
	database_grant(t->db);
}

void turn_drop(struct turn *t)
{
	list_del(&t->node);
}
