/* Web identity from the environment, as EKS puts it into a pod (IRSA): a role, and a file with the pod's own
 * token. The kubelet replaces that file every hour or so, so it is read at each refresh. */
#include <stdlib.h>
#include "aws/env.h"
#include "aws/file.h"
#include "aws/provider.h"
#include "aws/sts.h"
#include "base/mem.h"
#include "io/loop.h"

#define NAME           "web-identity"
#define TOKEN_FILE_MAX 20000 /* STS takes no longer one */

struct provider_web {
	struct provider base;
	struct provider_deps deps;
};

struct provider_web_op {
	struct provider_op base;
	/* one of the two is under way */
	struct sts *sts;
	struct defer defer;
	enum provider_result early; /* answered by defer */
	struct err err;
	provider_cb cb;
	void *arg;
};

static void finish(struct provider_web_op *op, const struct provider_answer *a)
{
	op->cb(op->arg, a);
	defer_clear(&op->defer);
	free(op);
}

static void answer_early(void *arg)
{
	struct provider_web_op *op = arg;
	struct provider_answer a = {.result = op->early, .e = &op->err};

	finish(op, &a);
}

static void heard(void *arg, const struct sts_answer *s)
{
	struct provider_web_op *op = arg;
	struct provider_answer a = {
		.result = s->creds ? PROVIDER_CREDENTIALS : PROVIDER_FAILED,
		.creds = s->creds,
		.e = s->e,
		.cause = s->cause,
		.retry_after_us = s->retry_after_us,
	};

	op->sts = NULL;
	finish(op, &a);
}

/* PROVIDER_CREDENTIALS: the question to STS is on its way. */
static enum provider_result ask(struct provider_web *p, struct provider_web_op *op)
{
	const char *const *env = p->deps.env;
	const char *file = env_get(env, "AWS_WEB_IDENTITY_TOKEN_FILE");
	struct sts_request rq = {
		.action = STS_WEB_IDENTITY,
		.provider = NAME,
		.role_arn = env_get(env, "AWS_ROLE_ARN"),
		.session_name = env_get(env, "AWS_ROLE_SESSION_NAME"),
	};
	enum provider_result result = PROVIDER_FAILED;
	struct buf token;

	if (!file) {
		err_set(&op->err, ERR_CREDENTIALS, NAME ": AWS_WEB_IDENTITY_TOKEN_FILE is not set");
		return PROVIDER_NOT_CONFIGURED;
	}
	if (!rq.role_arn) {
		err_set(&op->err, ERR_CREDENTIALS,
			NAME ": AWS_WEB_IDENTITY_TOKEN_FILE is set, but AWS_ROLE_ARN is not");
		err_hint(&op->err,
			 "On EKS, annotate the service account with eks.amazonaws.com/role-arn and restart "
			 "the pod.");
		return PROVIDER_FAILED;
	}
	buf_init_secret(&token, TOKEN_FILE_MAX);
	if (file_read_token(file, NAME ": AWS_WEB_IDENTITY_TOKEN_FILE", &token, &op->err) == 0) {
		rq.web_token = buf_slice(&token);
		op->sts = sts_start(&p->deps, &rq, heard, op);
		result = PROVIDER_CREDENTIALS;
	}
	buf_free(&token);
	return result;
}

static struct provider_op *start(struct provider *base, provider_cb cb, void *arg)
{
	struct provider_web *p = (struct provider_web *)base;
	struct provider_web_op *op = mem_zalloc(sizeof(*op));

	op->base.provider = base;
	op->cb = cb;
	op->arg = arg;
	defer_init(&op->defer, p->deps.loop, answer_early, op);
	op->early = ask(p, op);
	if (!op->sts)
		defer_set(&op->defer);
	return &op->base;
}

static void cancel(struct provider_op *base)
{
	struct provider_web_op *op = (struct provider_web_op *)base;

	sts_cancel(op->sts);
	defer_clear(&op->defer);
	free(op);
}

static void free_web(struct provider *p)
{
	free(p);
}

static const struct provider_ops ops = {.name = NAME, .start = start, .cancel = cancel, .free = free_web};

struct provider *provider_web_new(const struct provider_deps *d)
{
	struct provider_web *p = mem_zalloc(sizeof(*p));

	p->base.ops = &ops;
	p->deps = *d;
	return &p->base;
}
