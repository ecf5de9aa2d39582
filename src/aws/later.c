#include "aws/later.h"

#include <stdlib.h>
#include "base/mem.h"

static void answer(void *arg)
{
	struct later *l = arg;
	struct provider_answer a = {
		.result = l->creds ? PROVIDER_CREDENTIALS : l->result,
		.creds = l->creds,
		.e = l->creds ? NULL : &l->err,
		.cause = l->result == PROVIDER_NOT_CONFIGURED ? PROVIDER_CAUSE_ABSENT : l->cause,
	};

	later_finish(l, &a);
}

void *later_new(size_t size, struct provider *p, struct loop *loop, void (*fini)(struct later *l), provider_cb cb,
		void *arg)
{
	struct later *l = mem_zalloc(size);

	l->base.provider = p;
	l->fini = fini;
	l->cause = PROVIDER_CAUSE_SETTINGS;
	l->cb = cb;
	l->arg = arg;
	defer_init(&l->defer, loop, answer, l);
	return l;
}

void later_answer(struct later *l, enum provider_result result, struct credentials *creds)
{
	l->result = result;
	l->creds = creds;
	defer_set(&l->defer);
}

void later_finish(struct later *l, const struct provider_answer *a)
{
	l->cb(l->arg, a);
	later_free(l);
}

void later_give(struct later *l, struct credentials *creds)
{
	later_finish(l, &(struct provider_answer){.result = PROVIDER_CREDENTIALS, .creds = creds});
	credentials_unref(creds);
}

void later_free(struct later *l)
{
	defer_clear(&l->defer);
	credentials_unref(l->creds);
	if (l->fini)
		l->fini(l);
	free(l);
}
