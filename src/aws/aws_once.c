/* For commands that need credentials once and have no loop: the same chain, run on a loop of its own. */
#include "aws/aws.h"
#include "aws/chain.h"
#include "aws/kit.h"
#include "io/offload.h"

#define ONCE_TIMEOUT_US UINT64_C(30000000)
#define OFFLOAD_QUEUE   8

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

/* Waits for the chain to answer. */
static void ask(struct once *o, struct loop *l, struct provider *chain)
{
	uint64_t begin = loop_now_us(l);

	o->op = provider_start(chain, heard, o);
	while (o->op && loop_now_us(l) - begin < ONCE_TIMEOUT_US)
		loop_turn(l, 100000);
	if (o->op) {
		provider_cancel(o->op);
		err_set(o->e, ERR_CREDENTIALS, "no credentials came within %u s",
			(unsigned)(ONCE_TIMEOUT_US / 1000000));
	}
}

struct credentials *aws_credentials_once(const char *const *env, struct err *e)
{
	struct loop *l = loop_new(clock_system(), NULL, e);
	struct mailbox *mail = l ? mailbox_new(l, NULL, e) : NULL;
	struct offload *offload = mail ? offload_new(OFFLOAD_QUEUE, e) : NULL;
	struct kit *kit = offload ? kit_new(l, env, offload, mail, e) : NULL;
	struct once o = {.e = e};

	if (kit) {
		struct provider *chain = chain_default(&kit->deps);

		ask(&o, l, chain);
		provider_free(chain);
	}
	kit_free(kit);
	offload_free(offload);
	if (mail) {
		mailbox_close(mail);
		mailbox_unref(mail);
	}
	loop_free(l);
	return o.creds;
}
