#include "offload_now.h"

#include <stdlib.h>
#include "base/mem.h"

struct offload {
	unsigned max;
};

struct offload_op {
	struct defer later;
	void (*done)(void *data);
	void (*drop)(void *data);
	void *data;
};

static struct loop *loop;
static bool working;

void offload_now_on(struct loop *l, bool works)
{
	loop = l;
	working = works;
}

struct offload *offload_new(unsigned max_queue, struct err *e)
{
	struct offload *o = mem_zalloc(sizeof(*o));

	(void)e;
	o->max = max_queue;
	return o;
}

void offload_free(struct offload *o)
{
	free(o);
}

static void offload_now(void *arg)
{
	struct offload_op *op = arg;

	op->done(op->data);
	free(op);
}

struct offload_op *offload_start(struct offload *o, struct mailbox *mb, void (*work)(void *data),
                                 void (*done)(void *data), void (*drop)(void *data), void *data)
{
	struct offload_op *op = mem_zalloc(sizeof(*op));

	(void)o;
	(void)mb;
	if (working)
		work(data);
	*op = (struct offload_op){.done = done, .drop = drop, .data = data};
	defer_init(&op->later, loop, offload_now, op);
	defer_set(&op->later);
	return op;
}

void offload_cancel(struct offload_op *op)
{
	defer_clear(&op->later);
	op->drop(op->data);
	free(op);
}
