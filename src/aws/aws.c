/* Puts the parts together: environment -> chain -> cache on the control loop, the desk, and sources on the
 * workers'. */
#include "aws/aws.h"

#include <stdlib.h>
#include "aws/cache.h"
#include "aws/chain.h"
#include "aws/desk.h"
#include "aws/kit.h"
#include "aws/source.h"
#include "base/mem.h"

struct aws {
	struct kit *kit;
	struct cache *cache;
	struct desk *desk;
};

struct aws *aws_new(const struct aws_opts *o, struct err *e)
{
	struct kit *kit = kit_new(o->control, o->env, o->offload, o->mail, e);
	struct aws *a;

	if (!kit)
		return NULL;
	a = mem_zalloc(sizeof(*a));
	a->kit = kit;
	a->cache = cache_new(o->control, chain_default(&kit->deps), &kit->skew);
	a->desk = desk_new(a->cache, o->mail);
	return a;
}

void aws_free(struct aws *a)
{
	if (!a)
		return;
	desk_close(a->desk);
	cache_free(a->cache);
	kit_free(a->kit);
	free(a);
}

struct secret_source *aws_source_new(struct aws *a, const struct aws_source_opts *o, struct loop *worker,
				     struct mailbox *worker_mail)
{
	struct source_opts opts = {
		.desk = a->desk,
		.env = a->kit->deps.env,
		.skew = &a->kit->skew,
		.token = o->token,
		.region = o->region,
		.worker = worker,
		.worker_mail = worker_mail,
	};

	return source_new(&opts);
}

void aws_collect(const struct aws *a, struct aws_stats *out)
{
	static const char *const causes[] = {
#define X(cause, label) [cause] = label,
		PROVIDER_CAUSE_TABLE(X)
#undef X
	};
	_Static_assert(AWS_CAUSES == PROVIDER_CAUSE_COUNT, "a cause without a name");
	struct cache_stats s = {0};

	cache_collect(a->cache, &s);
	out->provider = s.creds ? s.creds->provider : NULL;
	out->expires_wall_us = s.creds ? s.creds->expires_wall_us : 0;
	out->refreshes = s.refreshes;
	for (size_t i = 0; i < AWS_CAUSES; i++)
		out->failures[i] = (struct aws_count){causes[i], s.failures[i]};
	out->skew_us = atomic_load_explicit(&a->kit->skew.measured_us, memory_order_relaxed);
	out->valid = s.valid;
	out->why = s.why;
}
