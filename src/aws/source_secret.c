/* Holds the last value it heard of, and asks the desk when there is none, or when a server refused it: what the
 * stages of a secret mean is the store's. */
#include "aws/source_secret.h"

#include <stdlib.h>
#include "aws/secret_value.h"
#include "base/enc.h"
#include "base/list.h"
#include "base/mem.h"

/* Refusals are answered with at most one demand for another value in this time. */
#define REFUSED_EVERY_US UINT64_C(10000000)

struct source {
	struct secret_source base; /* first */
	struct loop *loop;
	struct mailbox *mail;
	struct desk *desk;
	char *id;
	struct secret_value *value;   /* the last heard of; NULL: none yet */
	struct secret_value *refused; /* given out and turned down by a server; or NULL */
	struct secret_value *given;   /* answered with last; or NULL */
	struct desk_op *asking;       /* non-NULL exactly while the desk is asked */
	uint64_t demanded_us;         /* the last time on account of a refusal; 0: never */
	struct list ops;              /* secret_op.node */
};

struct secret_op {
	struct list node;
	struct defer defer;
	struct source *source;
	bool waits;  /* for the desk; else its answer comes at the end of the turn */
	bool failed; /* answered with err */
	struct err err;
	secret_cb cb;
	void *arg;
};

static struct source *source_of(struct secret_source *s)
{
	return (struct source *)s; /* its first member */
}

static void replace(struct secret_value **slot, struct secret_value *v)
{
	secret_value_ref(v);
	secret_value_unref(*slot);
	*slot = v;
}

static void answer(void *arg)
{
	struct secret_op *op = arg;
	struct source *s = op->source;
	struct secret_value *v = op->failed ? NULL : secret_value_ref(s->value);
	struct secret_answer a = {.user = NULL};

	list_del(&op->node);
	if (v) {
		replace(&s->given, v);
		a = (struct secret_answer){.secret = secret_slice(&v->password), .user = v->user};
	}
	op->cb(op->arg, v ? &a : NULL, v ? NULL : &op->err);
	secret_value_unref(v);
	free(op);
}

static void heard(void *arg, void *value, const struct err *e)
{
	struct source *s = arg;

	s->asking = NULL;
	if (value)
		replace(&s->value, value);
	list_each(node, tmp, &s->ops)
	{
		struct secret_op *op = container_of(node, struct secret_op, node);

		if (!op->waits)
			continue;
		op->waits = false;
		/* The desk's failure does not matter where there is a value. */
		op->failed = !s->value;
		if (op->failed)
			op->err = *e;
		defer_set(&op->defer);
	}
}

static void ask(struct source *s)
{
	if (!s->asking)
		s->asking = desk_ask(s->desk, s->mail, s->refused, heard, s);
}

static struct secret_op *source_start(struct secret_source *base, const struct secret_request *rq, secret_cb cb,
				      void *arg)
{
	struct source *s = source_of(base);
	struct secret_op *op = mem_zalloc(sizeof(*op));

	(void)rq;
	op->source = s;
	op->cb = cb;
	op->arg = arg;
	list_add_tail(&s->ops, &op->node);
	defer_init(&op->defer, s->loop, answer, op);
	if (!s->value)
		ask(s);
	op->waits = !s->value || (s->value == s->refused && s->asking);
	if (!op->waits)
		defer_set(&op->defer);
	return op;
}

static void source_cancel(struct secret_op *op)
{
	list_del(&op->node);
	defer_clear(&op->defer);
	free(op);
}

static bool source_refused(struct secret_source *base)
{
	struct source *s = source_of(base);
	uint64_t now = loop_now_us(s->loop);

	if (!s->given)
		return false;
	if (s->value != s->given || (s->asking && s->refused == s->given))
		return true;
	if (s->demanded_us && now < s->demanded_us + REFUSED_EVERY_US)
		return false;
	s->demanded_us = now;
	replace(&s->refused, s->given);
	ask(s);
	return true;
}

static void source_explain(struct secret_source *base, const struct secret_request *rq, struct err *e)
{
	const struct source *s = source_of(base);
	struct buf user;

	if (!s->given)
		return;
	buf_init(&user, 256);
	enc_printable(&user, slice_str(rq->user), 128);
	err_detail(e, "The password of user \"%s\" is from the secret %s, version %s, read as %s.", buf_cstr(&user),
		   s->id, s->given->version, s->given->stage);
	buf_free(&user);
	if (s->given->host)
		err_detail(e, "The secret says it is for %s, port %u, database %s; the login was at %s:%u.",
			   s->given->host, s->given->port ? s->given->port : 5432,
			   s->given->dbname ? s->given->dbname : "postgres", rq->host, rq->port);
	err_hint(e, "If the secret was changed a moment ago, the next logins read it again; see also its rotation in "
		    "Secrets Manager.");
}

static void source_free(struct secret_source *base)
{
	struct source *s = source_of(base);

	if (s->asking)
		desk_cancel(s->asking);
	secret_value_unref(s->value);
	secret_value_unref(s->refused);
	secret_value_unref(s->given);
	desk_unref(s->desk);
	mailbox_unref(s->mail);
	free(s->id);
	free(s);
}

struct secret_source *source_secret_new(const struct source_secret_opts *o)
{
	static const struct secret_source_ops ops = {
		.kind = SECRET_PASSWORD,
		.names_user = true,
		.start = source_start,
		.cancel = source_cancel,
		.refused = source_refused,
		.explain = source_explain,
		.free = source_free,
	};
	struct source *s = mem_zalloc(sizeof(*s));

	s->base.ops = &ops;
	s->loop = o->worker;
	s->mail = mailbox_ref(o->worker_mail);
	s->desk = desk_ref(o->desk);
	s->id = mem_strdup(o->id);
	list_init(&s->ops);
	return &s->base;
}
