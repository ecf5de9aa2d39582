/* For commands that need credentials once and have no loop: the same chain, run on a loop of its own. */
#include "aws/aws.h"
#include "aws/chain.h"
#include "aws/env.h"

#define ONCE_TIMEOUT_US UINT64_C(30000000)

struct once {
	struct provider_op *op;
	struct credentials *creds;
	struct err *e;
};

static void heard(void *arg, const struct provider_answer *a)
{
	struct once *o = arg;

	o->op = NULL;
	o->creds = credentials_ref(a->creds);
	if (a->e)
		*o->e = *a->e;
}

struct credentials *aws_credentials_once(const char *const *env, struct err *e)
{
	struct loop *l = loop_new(clock_system(), NULL, e);
	struct once o = {.e = e};
	struct provider *chain;
	uint64_t begin;

	if (!l)
		return NULL;
	chain = chain_default(l, env);
	begin = loop_now_us(l);
	o.op = provider_start(chain, heard, &o);
	while (o.op && loop_now_us(l) - begin < ONCE_TIMEOUT_US)
		loop_turn(l, 100000);
	if (o.op) {
		provider_cancel(o.op);
		err_set(e, ERR_CREDENTIALS, "no credentials came within %u s",
			(unsigned)(ONCE_TIMEOUT_US / 1000000));
	}
	provider_free(chain);
	loop_free(l);
	return o.creds;
}
