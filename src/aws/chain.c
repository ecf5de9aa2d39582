/* Every member calls back outside its start, so a chain does as well, and asking the next from within a
 * callback never nests. When none is configured the answer lists why, one reason a member: that is the whole
 * diagnosis a user needs. */
#include "aws/chain.h"

#include <assert.h>
#include <stdlib.h>
#include <strings.h>
#include "aws/provider_profile.h"
#include "base/buf.h"
#include "base/mem.h"

struct chain {
	struct provider base;
	struct provider **member;
	size_t count;
	struct provider *gave; /* the member whose credentials were the last; NULL: none yet */
	bool named; /* somebody asked for its one member, which is configured thereby */
};

struct chain_op {
	struct provider_op base;
	struct provider_op *asking; /* the member's */
	size_t next;
	provider_cb cb;
	void *arg;
	struct err reasons; /* for when none is configured */
	struct buf skipped;
};

/* Of provider_answer.skipped. */
#define SKIPPED_MAX 4096

static void chain_ask(struct chain_op *op);

static void op_free(struct chain_op *op)
{
	buf_free(&op->skipped);
	free(op);
}

static void chain_finish(struct chain_op *op, const struct provider_answer *a)
{
	struct provider_answer told = *a;

	if (a->skipped) /* a chain in the chain */
		buf_add_str(&op->skipped, a->skipped);
	told.skipped = buf_cstr(&op->skipped);
	op->cb(op->arg, &told);
	op_free(op);
}

static void chain_heard(void *arg, const struct provider_answer *a)
{
	struct chain_op *op = arg;
	struct chain *c = (struct chain *)op->base.provider;
	struct provider_answer none = {
		.result = PROVIDER_NOT_CONFIGURED, .e = &op->reasons, .cause = PROVIDER_CAUSE_ABSENT};

	op->asking = NULL;
	if (a->result == PROVIDER_CREDENTIALS)
		c->gave = c->member[op->next - 1];
	if (a->result != PROVIDER_NOT_CONFIGURED) {
		chain_finish(op, a);
		return;
	}
	err_detail(&op->reasons, "%s.", a->e->msg);
	buf_printf(&op->skipped, "%s\n", a->e->msg);
	if (op->next < c->count) {
		chain_ask(op);
		return;
	}
	if (c->named) {
		none.result = PROVIDER_FAILED;
		none.cause = a->cause;
		none.retry_after_us = a->retry_after_us;
	}
	chain_finish(op, &none);
}

static void chain_ask(struct chain_op *op)
{
	struct chain *c = (struct chain *)op->base.provider;

	op->asking = provider_start(c->member[op->next++], chain_heard, op);
}

static struct provider_op *chain_start(struct provider *base, provider_cb cb, void *arg)
{
	struct chain_op *op = mem_zalloc(sizeof(*op));

	op->base.provider = base;
	op->cb = cb;
	op->arg = arg;
	buf_init(&op->skipped, SKIPPED_MAX);
	if (((struct chain *)base)->named)
		err_set(&op->reasons, ERR_CREDENTIALS, "no AWS credentials found where credential_provider has them looked for");
	else
		err_set(&op->reasons, ERR_CREDENTIALS, "no AWS credentials found");
	chain_ask(op);
	return &op->base;
}

static void chain_cancel(struct provider_op *base)
{
	struct chain_op *op = (struct chain_op *)base;

	provider_cancel(op->asking);
	op_free(op);
}

static void chain_free(struct provider *base)
{
	struct chain *c = (struct chain *)base;

	for (size_t i = 0; i < c->count; i++)
		provider_free(c->member[i]);
	free(c->member);
	free(c);
}

static bool chain_changed(struct provider *base)
{
	const struct chain *c = (struct chain *)base;

	return c->gave && provider_changed(c->gave);
}

static const struct provider_ops chain_ops = {
	.name = "chain",
	.start = chain_start,
	.cancel = chain_cancel,
	.free = chain_free,
	.changed = chain_changed,
};

struct provider *chain_new(struct provider *const *providers, size_t count)
{
	struct chain *c = mem_zalloc(sizeof(*c));

	c->base.ops = &chain_ops;
	c->member = mem_array(count, sizeof(struct provider *));
	c->count = count;
	for (size_t i = 0; i < count; i++)
		c->member[i] = providers[i];
	return &c->base;
}

static struct provider *profile_of_environment(const struct provider_deps *d)
{
	return provider_profile_new(d, NULL);
}

static const struct {
	const char *name;
	struct provider *(*make)(const struct provider_deps *d);
} members[] = {
	{"env",          provider_env_new      },
	{"web-identity", provider_web_new      },
	{"profile",      profile_of_environment},
	{"container",    provider_container_new},
	{"imds",         provider_imds_new     },
};
#define MEMBERS (sizeof(members) / sizeof(members[0]))

struct provider *chain_default(const struct provider_deps *d)
{
	struct provider *made[MEMBERS];

	for (size_t i = 0; i < MEMBERS; i++)
		made[i] = members[i].make(d);
	return chain_new(made, MEMBERS);
}

struct provider *chain_only(const struct provider_deps *d, const char *name)
{
	struct provider *made, *chain;
	size_t i = 0;

	while (strcasecmp(members[i].name, name) != 0) {
		i++;
		assert(i < MEMBERS); /* the loader takes no other */
	}
	made = members[i].make(d);
	chain = chain_new(&made, 1); /* its words, where there are no credentials */
	((struct chain *)chain)->named = true;
	return chain;
}
