#include "app/none_source.h"

#include <stdlib.h>
#include "base/mem.h"

struct none_source {
	struct secret_source base; /* first */
	struct loop *loop;
};

struct secret_op {
	struct defer answer;
	secret_cb cb;
	void *arg;
};

static void on_answer(void *arg)
{
	struct secret_op *op = arg;
	struct err e;

	err_set(&e, ERR_AUTH_METHOD, "the server asks for a password, and this database has auth=none");
	err_hint(&e, "Set auth=password or auth=iam for this database.");
	op->cb(op->arg, NULL, &e);
	free(op);
}

static struct secret_op *start(struct secret_source *s, const struct secret_request *rq, secret_cb cb,
			       void *arg)
{
	struct none_source *n = container_of(s, struct none_source, base);
	struct secret_op *op = mem_zalloc(sizeof *op);

	(void)rq;
	op->cb = cb;
	op->arg = arg;
	defer_init(&op->answer, n->loop, on_answer, op);
	defer_set(&op->answer);
	return op;
}

static void cancel(struct secret_op *op)
{
	defer_clear(&op->answer);
	free(op);
}

static bool refused(struct secret_source *s, uint64_t no)
{
	(void)s;
	(void)no;
	return false; /* trying again would say the same */
}

static void explain(struct secret_source *s, const struct secret_request *rq, uint64_t no, struct err *e)
{
	(void)s;
	(void)rq;
	(void)no;
	(void)e; /* nothing was signed or sent */
}

static void none_free(struct secret_source *s)
{
	free(container_of(s, struct none_source, base));
}

struct secret_source *none_source_new(struct loop *l)
{
	static const struct secret_source_ops ops = {
		.kind = SECRET_NONE,
		.start = start,
		.cancel = cancel,
		.refused = refused,
		.explain = explain,
		.free = none_free,
	};
	struct none_source *n = mem_zalloc(sizeof *n);

	n->base.ops = &ops;
	n->loop = l;
	return &n->base;
}
