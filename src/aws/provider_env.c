/* Keys in the environment. Half a pair of keys is an error and not "not configured": whoever set one variable
 * meant this provider. AWS_SESSION_TOKEN is read before its forerunner AWS_SECURITY_TOKEN (botocore does it
 * the other way round): where both are set, it is the old one that was left over. */
#include <stdlib.h>
#include "aws/date.h"
#include "aws/env.h"
#include "aws/later.h"
#include "base/mem.h"

struct provider_env {
	struct provider base;
	struct loop *loop;
	const char *const *env;
};

static int expiration(const char *const *env, int64_t *wall_us, struct err *e)
{
	const char *text = env_get(env, "AWS_CREDENTIAL_EXPIRATION");

	*wall_us = 0;
	if (text && date_parse_rfc3339(slice_str(text), wall_us) != 0)
		return err_set(
			e, ERR_CREDENTIALS,
			"env: AWS_CREDENTIAL_EXPIRATION is not an RFC 3339 date like 2026-01-15T12:34:56Z");
	return 0;
}

int provider_env_read(const char *const *env, struct credentials **out, struct err *e)
{
	const char *key = env_get(env, "AWS_ACCESS_KEY_ID");
	const char *secret = env_get(env, "AWS_SECRET_ACCESS_KEY");
	const char *token = env_get(env, "AWS_SESSION_TOKEN");
	struct credentials_parts parts = {.provider = "env"};

	*out = NULL;
	if (!key && !secret) {
		err_set(e, ERR_CREDENTIALS, "env: AWS_ACCESS_KEY_ID is not set");
		return 0;
	}
	if (!key || !secret)
		return err_set(e, ERR_CREDENTIALS, "env: %s is set, but %s is not",
			       key ? "AWS_ACCESS_KEY_ID" : "AWS_SECRET_ACCESS_KEY",
			       key ? "AWS_SECRET_ACCESS_KEY" : "AWS_ACCESS_KEY_ID");
	if (!token)
		token = env_get(env, "AWS_SECURITY_TOKEN");
	parts.access_key = slice_str(key);
	parts.secret_key = slice_str(secret);
	parts.session_token = slice_str(token);
	parts.account_id = slice_str(env_get(env, "AWS_ACCOUNT_ID"));
	if (expiration(env, &parts.expires_wall_us, e) != 0)
		return -1;
	*out = credentials_new(&parts, e);
	return *out ? 0 : -1;
}

static struct provider_op *start(struct provider *base, provider_cb cb, void *arg)
{
	struct provider_env *p = (struct provider_env *)base;
	struct later *op = later_new(sizeof(*op), base, p->loop, NULL, cb, arg);
	struct credentials *creds = NULL;
	int rc = provider_env_read(p->env, &creds, &op->err);

	later_answer(op, rc == 0 ? PROVIDER_NOT_CONFIGURED : PROVIDER_FAILED, creds);
	return &op->base;
}

static void cancel(struct provider_op *op)
{
	later_free((struct later *)op);
}

static void free_env(struct provider *p)
{
	free(p);
}

static const struct provider_ops ops = {.name = "env", .start = start, .cancel = cancel, .free = free_env};

struct provider *provider_env_new(const struct provider_deps *d)
{
	struct provider_env *p = mem_zalloc(sizeof(*p));

	p->base.ops = &ops;
	p->loop = d->loop;
	p->env = d->env;
	return &p->base;
}
