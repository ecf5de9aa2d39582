/* Web identity from the environment, as EKS puts it into a pod (IRSA): a role, and a file with the pod's own
 * token. The kubelet replaces that file every hour or so, so it is read at each refresh. */
#include <stdlib.h>
#include "aws/env.h"
#include "aws/file.h"
#include "aws/later.h"
#include "aws/service.h"
#include "aws/sts.h"
#include "base/mem.h"

#define NAME           "web-identity"
#define TOKEN_FILE_MAX 20000 /* STS takes no longer one */

struct provider_web {
	struct provider base;
	struct provider_deps deps;
};

struct provider_web_op {
	struct later later;
	struct sts *sts;
};

static void heard(void *arg, const struct sts_answer *s)
{
	struct provider_web_op *op = arg;
	struct provider_answer a = sts_to_provider(s);

	op->sts = NULL;
	later_finish(&op->later, &a);
}

/* PROVIDER_CREDENTIALS: the question to STS is on its way. */
static enum provider_result ask(struct provider_web *p, struct provider_web_op *op)
{
	const char *const *env = p->deps.env;
	struct err *e = &op->later.err;
	const char *file = env_get(env, "AWS_WEB_IDENTITY_TOKEN_FILE");
	struct sts_request rq = {
		.action = STS_WEB_IDENTITY,
		.provider = NAME,
		.region = service_region_else(env, p->deps.region_else),
		.role_arn = env_get(env, "AWS_ROLE_ARN"),
		.session_name = env_get(env, "AWS_ROLE_SESSION_NAME"),
	};
	enum provider_result result = PROVIDER_FAILED;
	struct buf token;

	if (!file) {
		err_set(e, ERR_CREDENTIALS, NAME ": AWS_WEB_IDENTITY_TOKEN_FILE is not set");
		return PROVIDER_NOT_CONFIGURED;
	}
	if (!rq.role_arn) {
		err_set(e, ERR_CREDENTIALS,
			NAME ": AWS_WEB_IDENTITY_TOKEN_FILE is set, but AWS_ROLE_ARN is not");
		err_hint(e,
			 "On EKS, annotate the service account with eks.amazonaws.com/role-arn and restart "
			 "the pod.");
		return PROVIDER_FAILED;
	}
	buf_init_secret(&token, TOKEN_FILE_MAX);
	if (file_read_token(file, NAME ": AWS_WEB_IDENTITY_TOKEN_FILE", &token, e) == 0) {
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
	struct provider_web_op *op = later_new(sizeof(*op), base, p->deps.loop, NULL, cb, arg);
	enum provider_result result = ask(p, op);

	if (!op->sts)
		later_answer(&op->later, result, NULL);
	return &op->later.base;
}

static void cancel(struct provider_op *base)
{
	struct provider_web_op *op = (struct provider_web_op *)base;

	sts_cancel(op->sts);
	later_free(&op->later);
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
