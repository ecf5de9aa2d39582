/* A role that a database's settings name, assumed with another provider's credentials. The source is asked
 * anew each time, so that a role is never assumed with credentials that were replaced long ago. A source that
 * nothing configures is a failure here: the role was asked for. */
#include <stdlib.h>
#include "aws/identity.h"
#include "aws/service.h"
#include "aws/sts.h"
#include "base/mem.h"

#define NAME "role"

struct provider_role {
	struct provider base;
	struct provider_deps deps;
	struct provider *source;
	char *role_arn, *external_id, *session_name;
};

struct provider_role_op {
	struct provider_op base;
	/* one of the two is under way */
	struct provider_op *asking; /* the source's */
	struct sts *sts;
	char *skipped; /* as the source told, or NULL */
	provider_cb cb;
	void *arg;
};

static void op_free(struct provider_role_op *op)
{
	free(op->skipped);
	free(op);
}

static void finish(struct provider_role_op *op, const struct provider_answer *a)
{
	op->cb(op->arg, a);
	op_free(op);
}

static void assumed(void *arg, const struct sts_answer *s)
{
	struct provider_role_op *op = arg;
	struct provider_answer told = sts_to_provider(s);

	op->sts = NULL;
	told.skipped = op->skipped;
	finish(op, &told);
}

static void assume(struct provider_role_op *op, struct credentials *source)
{
	const struct provider_role *p = (const struct provider_role *)op->base.provider;
	struct sts_request rq = {
		.action = STS_ASSUME_ROLE,
		.provider = NAME,
		.region = service_region_else(p->deps.env, p->deps.region_else),
		.source = source,
		.role_arn = p->role_arn,
		.session_name = p->session_name,
		.external_id = p->external_id,
	};

	op->sts = sts_start(&p->deps, &rq, assumed, op);
}

static void source_heard(void *arg, const struct provider_answer *a)
{
	struct provider_role_op *op = arg;
	const struct provider_role *p = (const struct provider_role *)op->base.provider;
	struct provider_answer told = *a;
	struct err e;

	op->asking = NULL;
	if (a->result == PROVIDER_CREDENTIALS) {
		op->skipped = mem_strdup(a->skipped);
		assume(op, a->creds);
		return;
	}
	e = *a->e;
	err_prefix(&e, NAME ": nothing to assume %.150s with", p->role_arn);
	if (a->result == PROVIDER_NOT_CONFIGURED)
		told.cause = PROVIDER_CAUSE_ABSENT;
	told.result = PROVIDER_FAILED;
	told.e = &e;
	finish(op, &told);
}

static struct provider_op *start(struct provider *base, provider_cb cb, void *arg)
{
	struct provider_role *p = (struct provider_role *)base;
	struct provider_role_op *op = mem_zalloc(sizeof(*op));

	op->base.provider = base;
	op->cb = cb;
	op->arg = arg;
	op->asking = provider_start(p->source, source_heard, op);
	return &op->base;
}

static void cancel(struct provider_op *base)
{
	struct provider_role_op *op = (struct provider_role_op *)base;

	provider_cancel(op->asking);
	sts_cancel(op->sts);
	op_free(op);
}

static void free_role(struct provider *base)
{
	struct provider_role *p = (struct provider_role *)base;

	provider_free(p->source);
	free(p->role_arn);
	free(p->external_id);
	free(p->session_name);
	free(p);
}

static const struct provider_ops ops = {.name = NAME, .start = start, .cancel = cancel, .free = free_role};

struct provider *provider_role_new(const struct provider_deps *d, struct provider *source,
				   const struct aws_identity *who)
{
	struct provider_role *p = mem_zalloc(sizeof(*p));

	p->base.ops = &ops;
	p->deps = *d;
	p->source = source;
	p->role_arn = mem_strdup(who->role_arn);
	p->external_id = mem_strdup(who->external_id);
	p->session_name = mem_strdup(who->role_session_name);
	return &p->base;
}
