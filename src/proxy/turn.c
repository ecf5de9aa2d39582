/* Two levels, users and the turns of each, so that one user's many pools cost others nothing: whoever has had a turn goes to
 * the end of both. A user is there as long as anybody may ask for it, so that asking allocates nothing. */
#include "proxy/turn.h"

#include <stdlib.h>
#include "base/mem.h"

struct turn_user {
	struct list node;  /* turn_queue.waiting, while anybody waits in `turns` */
	struct list turns; /* struct turn waiting, oldest first */
	struct turn_queue *queue;
	char *name;
	uint32_t refs;
};

void turn_queue_init(struct turn_queue *q, void (*asked)(void *arg), void *arg)
{
	q->users = map_new();
	list_init(&q->waiting);
	q->asked = asked;
	q->arg = arg;
}

void turn_queue_fini(struct turn_queue *q)
{
	map_free(q->users);
}

bool turn_queue_empty(const struct turn_queue *q)
{
	return list_empty(&q->waiting);
}

static struct turn_user *user_get(struct turn_queue *q, const char *name)
{
	struct turn_user *u = map_get(q->users, slice_str(name));

	if (!u) {
		u = mem_zalloc(sizeof(*u));
		list_init(&u->node);
		list_init(&u->turns);
		u->queue = q;
		u->name = mem_strdup(name);
		map_put(q->users, slice_str(name), u);
	}
	u->refs++;
	return u;
}

static void user_put(struct turn_user *u)
{
	if (--u->refs > 0)
		return;
	map_del(u->queue->users, slice_str(u->name));
	free(u->name);
	free(u);
}

void turn_init(struct turn *t, struct turn_queue *q, const char *user, void (*granted)(void *arg), void *arg)
{
	list_init(&t->node);
	t->queue = q;
	t->user = user_get(q, user);
	t->granted = granted;
	t->arg = arg;
}

void turn_fini(struct turn *t)
{
	turn_drop(t);
	user_put(t->user);
}

bool turn_waits(const struct turn *t)
{
	return list_linked(&t->node);
}

void turn_ask(struct turn *t, uint64_t since_us)
{
	t->since_us = since_us;
	if (turn_waits(t))
		return;
	list_add_tail(&t->user->turns, &t->node);
	if (!list_linked(&t->user->node))
		list_add_tail(&t->queue->waiting, &t->user->node);
	t->queue->asked(t->queue->arg);
}

void turn_drop(struct turn *t)
{
	list_del(&t->node);
	if (list_empty(&t->user->turns))
		list_del(&t->user->node);
}

uint64_t turn_queue_since_us(const struct turn_queue *q, const struct turn *but)
{
	uint64_t oldest = UINT64_MAX;

	list_each (user, tmp, &q->waiting) {
		list_each (node, next, &container_of(user, struct turn_user, node)->turns) {
			const struct turn *t = container_of(node, struct turn, node);

			if (t != but && t->since_us < oldest)
				oldest = t->since_us;
		}
	}
	return oldest;
}

struct turn *turn_queue_take(struct turn_queue *q)
{
	struct turn_user *u = container_of(list_first(&q->waiting), struct turn_user, node);
	struct turn *t = container_of(list_first(&u->turns), struct turn, node);

	turn_drop(t);
	if (list_linked(&u->node)) {
		list_del(&u->node);
		list_add_tail(&q->waiting, &u->node);
	}
	return t;
}
