#include "offload_now.h"

#include <stdlib.h>
#include "base/mem.h"

#define MAX_QUEUE 2 /* soon full */

struct offload {
	unsigned count;
};

struct offload_op {
	struct list node; /* of held */
	struct defer later;
	struct offload *offload;
	void (*done)(void *data);
	void (*drop)(void *data);
	void *data;
};

static struct loop *loop;
static bool working, slow;
static struct list held = {&held, &held};

void offload_now_on(struct loop *l, bool works)
{
	loop = l;
	working = works;
}

void offload_now_slow(bool on)
{
	slow = on;
	if (slow)
		return;
	list_each (n, tmp, &held) {
		list_del(n);
		defer_set(&container_of(n, struct offload_op, node)->later);
	}
}

struct offload *offload_new(unsigned max_queue, struct err *e)
{
	(void)max_queue;
	(void)e;
	return mem_zalloc(sizeof(struct offload));
}

void offload_free(struct offload *o)
{
	free(o);
}

static void through(void *arg)
{
	struct offload_op *op = arg;

	op->offload->count--;
	(op->done ? op->done : op->drop)(op->data);
	free(op);
}

struct offload_op *offload_start(struct offload *o, struct mailbox *mb, void (*work)(void *data),
                                 void (*done)(void *data), void (*drop)(void *data), void *data)
{
	struct offload_op *op;

	(void)mb;
	if (o->count == MAX_QUEUE)
		return NULL;
	o->count++;
	if (working)
		work(data);
	op = mem_zalloc(sizeof(*op));
	*op = (struct offload_op){.offload = o, .done = done, .drop = drop, .data = data};
	list_init(&op->node);
	defer_init(&op->later, loop, through, op);
	if (slow)
		list_add_tail(&held, &op->node);
	else
		defer_set(&op->later);
	return op;
}

/* Nobody waits for it: it is dropped when the helper is through. */
void offload_cancel(struct offload_op *op)
{
	op->done = NULL;
}
