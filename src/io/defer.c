/* A list: the loop empties it at the end of each turn. */
#include "io/loop_private.h"

void defer_init(struct defer *d, struct loop *l, void (*cb)(void *arg), void *arg)
{
	list_init(&d->node);
	d->loop = l;
	d->cb = cb;
	d->arg = arg;
}

void defer_set(struct defer *d)
{
	if (!list_linked(&d->node))
		list_add_tail(&d->loop->deferred, &d->node);
}

void defer_clear(struct defer *d)
{
	if (list_linked(&d->node))
		list_del(&d->node);
}
