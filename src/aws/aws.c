/* Puts the parts together: environment -> chain -> cache on the control loop, the desk, and sources on the
 * workers'. */
#include "aws/aws.h"

#include <stdlib.h>
#include <string.h>
#include "aws/cache.h"
#include "aws/chain.h"
#include "aws/desk.h"
#include "aws/kit.h"
#include "aws/secret_store.h"
#include "aws/source.h"
#include "aws/source_secret.h"
#include "base/mem.h"

struct aws {
	struct kit *kit;
	struct cache *cache;
	struct desk *desk;
	struct mailbox *mail; /* of the control loop */
	struct list secrets;  /* struct secret_kept.node */
};

/* A secret that databases name. */
struct secret_kept {
	struct list node;
	char *id, *region;
	struct secret_store *store;
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
	a->mail = o->mail;
	list_init(&a->secrets);
	return a;
}

static void free_secret(struct secret_kept *k)
{
	list_del(&k->node);
	desk_close(k->desk);
	secret_store_free(k->store);
	free(k->id);
	free(k->region);
	free(k);
}

void aws_free(struct aws *a)
{
	if (!a)
		return;
	list_each(node, tmp, &a->secrets) free_secret(container_of(node, struct secret_kept, node));
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

static struct secret_kept *keep_secret(struct aws *a, const struct aws_secret_opts *o)
{
	struct secret_kept *k;

	list_each(node, tmp, &a->secrets)
	{
		k = container_of(node, struct secret_kept, node);
		if (strcmp(k->id, o->id) == 0 && strcmp(k->region, o->region) == 0)
			return k;
	}
	k = mem_zalloc(sizeof(*k));
	k->id = mem_strdup(o->id);
	k->region = mem_strdup(o->region);
	k->store = secret_store_new(&(struct secret_store_opts){
		.deps = &a->kit->deps, .cache = a->cache, .id = o->id, .region = o->region});
	k->desk = secret_store_desk(k->store, a->mail);
	list_add_tail(&a->secrets, &k->node);
	return k;
}

struct secret_source *aws_secret_source_new(struct aws *a, const struct aws_secret_opts *o, struct loop *worker,
					    struct mailbox *worker_mail)
{
	struct source_secret_opts opts = {
		.desk = keep_secret(a, o)->desk, .id = o->id, .worker = worker, .worker_mail = worker_mail};

	return source_secret_new(&opts);
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
