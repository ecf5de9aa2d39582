/* Puts the parts together: for each identity provider -> cache -> desk on the control loop, and
 * sources on the workers'. */
#include "aws/aws.h"

#include <stdlib.h>
#include <string.h>
#include "aws/cache.h"
#include "aws/desk.h"
#include "aws/kit.h"
#include "aws/region_finder.h"
#include "aws/secret_store.h"
#include "aws/secret_walk.h"
#include "aws/source_secret.h"
#include "aws/source_token.h"
#include "base/mem.h"

#define NAME_MAX_BYTES 2048

struct member {
	char *name; /* no other's */
	struct cache *cache;
	struct desk *desk;
	char *profile; /* whose region is taken, or NULL */
	char *region;  /* of what it is for, or NULL */
	struct region_seat seat;
	struct desk *region_desk;
	struct list secrets; /* struct secret_kept.node */
};

/* A secret that databases name. */
struct secret_kept {
	struct list node;
	char *key; /* what is read; no other's of this identity */
	char *label; /* of metrics: what it is, numbered where two are told of alike */
	struct secret_store *store;
	struct desk *desk;
};

struct aws {
	struct kit *kit;
	struct mailbox *mail;  /* of the control loop */
	struct member *member; /* by the identity's index */
	size_t count;
};

/* Owned. Those that differ in what is not told, or come close to it, are numbered. */
static char *number(const char *text, bool (*taken)(const void *among, const char *name), const void *among)
{
	char *name = mem_strdup(text);

	for (unsigned n = 2; taken(among, name); n++) {
		free(name);
		name = mem_printf("%s #%u", text, n);
	}
	return name;
}

static bool name_taken(const void *among, const char *name)
{
	const struct aws *a = among;

	for (size_t i = 0; i < a->count; i++)
		if (strcmp(a->member[i].name, name) == 0)
			return true;
	return false;
}

static char *make_name(const struct aws *a, const struct aws_identity *who)
{
	struct buf text;
	char *name;

	buf_init(&text, NAME_MAX_BYTES);
	identity_text(who, &text);
	name = number(buf_cstr(&text), name_taken, a);
	buf_free(&text);
	return name;
}

static bool label_taken(const void *among, const char *label)
{
	const struct member *m = among;

	list_each(node, tmp, &m->secrets)
		if (strcmp(container_of(node, struct secret_kept, node)->label, label) == 0)
			return true;
	return false;
}

static void add_member(struct aws *a, const struct aws_opts *o, const struct aws_identity *who)
{
	struct member *m = &a->member[a->count];
	struct aws_identity kept = *who;

	kept.region = m->region = mem_strdup(who->region);
	m->name = make_name(a, who);
	list_init(&m->secrets);
	m->cache = cache_new(o->control, identity_provider(&a->kit->deps, &kept, o->only_provider), &a->kit->skew);
	if (o->identity_count > 1)
		cache_set_name(m->cache, m->name);
	m->desk = desk_new(m->cache, o->mail);
	m->profile = mem_strdup(who->profile);
	m->seat = (struct region_seat){a->kit->deps.region, m->profile};
	m->region_desk = region_finder_desk(&m->seat, o->mail);
	a->count++;
}

struct aws *aws_new(const struct aws_opts *o, struct err *e)
{
	struct kit *kit = kit_new(o->control, o->env, o->offload, o->mail, e);
	struct aws *a;

	if (!kit)
		return NULL;
	a = mem_zalloc(sizeof(*a));
	a->kit = kit;
	a->mail = o->mail;
	a->member = mem_array(o->identity_count, sizeof(struct member));
	for (size_t i = 0; i < o->identity_count; i++)
		add_member(a, o, &o->identities[i]);
	return a;
}

static void free_secret(struct secret_kept *k)
{
	list_del(&k->node);
	desk_close(k->desk);
	secret_store_free(k->store);
	free(k->key);
	free(k->label);
	free(k);
}

static void free_member(struct member *m)
{
	list_each(node, tmp, &m->secrets) free_secret(container_of(node, struct secret_kept, node));
	desk_close(m->region_desk);
	desk_close(m->desk);
	cache_free(m->cache);
	free(m->profile);
	free(m->region);
	free(m->name);
}

void aws_free(struct aws *a)
{
	if (!a)
		return;
	for (size_t i = 0; i < a->count; i++)
		free_member(&a->member[i]);
	free(a->member);
	kit_free(a->kit);
	free(a);
}

int64_t aws_skew_us(const struct aws *a)
{
	return atomic_load_explicit(&a->kit->skew.measured_us, memory_order_relaxed);
}

struct secret_source *aws_source_new(struct aws *a, const struct aws_source_opts *o, struct loop *worker,
				     struct mailbox *worker_mail)
{
	struct source_token_opts opts = {
		.source = {.desk = a->member[o->identity].desk,
			   .skew = &a->kit->skew,
			   .worker = worker,
			   .worker_mail = worker_mail},
		.region_desk = a->member[o->identity].region_desk,
		.env = a->kit->deps.env,
		.token = o->token,
		.region = o->region,
	};

	return source_token_new(&opts);
}

/* ---- users and passwords ---- */

static struct desk *find_secret(const struct member *m, const char *key)
{
	list_each(node, tmp, &m->secrets)
	{
		struct secret_kept *k = container_of(node, struct secret_kept, node);

		if (strcmp(k->key, key) == 0)
			return k->desk;
	}
	return NULL;
}

static struct desk *keep_secret(struct aws *a, struct member *m, const char *key, const struct secret_store_opts *o)
{
	struct secret_kept *k = mem_zalloc(sizeof(*k));

	k->key = mem_strdup(key);
	k->label = number(strncmp(o->name, "the ", 4) == 0 ? o->name + 4 : o->name, label_taken, m);
	k->store = secret_store_new(o);
	k->desk = secret_store_desk(k->store, a->mail);
	list_add_tail(&m->secrets, &k->node);
	return k->desk;
}

/* A source is wanted of what the reader, which is taken, brings: kept once for all who come with this key. */
struct wanted {
	size_t identity;
	const char *key, *from, *hint; /* from, hint: source_secret_opts' */
	struct secret_reader *reader;
};

static struct secret_source *share_secret(struct aws *a, const struct wanted *w, struct loop *worker,
					  struct mailbox *worker_mail)
{
	struct member *m = &a->member[w->identity];
	struct desk *desk = find_secret(m, w->key);

	if (desk)
		w->reader->ops->free(w->reader);
	else
		desk = keep_secret(a, m, w->key,
				   &(struct secret_store_opts){.deps = &a->kit->deps,
							       .cache = m->cache,
							       .reader = w->reader,
							       .name = w->from});
	return source_secret_new(&(struct source_secret_opts){
		.source = {.desk = desk, .skew = &a->kit->skew, .worker = worker, .worker_mail = worker_mail},
		.from = w->from,
		.hint = w->hint,
	});
}

struct secret_source *aws_secret_source_new(struct aws *a, const struct aws_secret_opts *o, struct loop *worker,
					    struct mailbox *worker_mail)
{
	char *name = mem_printf("the secret %s in %s", o->id, region_finder_text(o->region));
	const struct wanted w = {
		.identity = o->identity,
		.key = name,
		.from = name,
		.hint = "If the secret was changed a moment ago, the next logins read it again; see also its rotation in "
			"Secrets Manager.",
		.reader = secret_walk_new(&a->kit->deps,
					  &(struct secret_walk_opts){.id = o->id,
								     .region = o->region,
								     .profile = a->member[o->identity].profile}),
	};
	struct secret_source *s = share_secret(a, &w, worker, worker_mail);

	free(name);
	return s;
}

struct secret_source *aws_redshift_source_new(struct aws *a, size_t identity, const struct redshift_request *rq,
					      struct loop *worker, struct mailbox *worker_mail)
{
	struct secret_source *s;
	struct buf key, name;
	struct wanted w = {
		.identity = identity,
		.hint = "Redshift hands out passwords of users it does not have as well: does the database have this "
			"one, and may it log in to this database?",
		.reader = redshift_reader_new(&a->kit->deps, rq, a->member[identity].profile),
	};

	buf_init(&key, REDSHIFT_KEY_MAX);
	buf_init(&name, NAME_MAX_BYTES);
	redshift_key(rq, &key);
	redshift_text(rq, &name);
	w.key = buf_cstr(&key);
	w.from = buf_cstr(&name);
	s = share_secret(a, &w, worker, worker_mail);
	buf_free(&key);
	buf_free(&name);
	return s;
}

static void count_causes(const uint64_t *n, struct aws_count *out)
{
	_Static_assert(AWS_CAUSES == PROVIDER_CAUSE_COUNT, "a cause without a name");

	for (size_t i = 0; i < AWS_CAUSES; i++)
		out[i] = (struct aws_count){provider_cause_label((enum provider_cause)i), n[i]};
}

void aws_collect(const struct aws *a, size_t identity, struct aws_stats *out)
{
	struct cache_stats s = {0};

	cache_collect(a->member[identity].cache, &s);
	out->identity = a->member[identity].name;
	out->provider = s.creds ? s.creds->provider : NULL;
	out->expires_wall_us = s.creds ? s.creds->expires_wall_us : 0;
	if (out->expires_wall_us)
		out->left_us =
			out->expires_wall_us - skew_wall_us(&a->kit->skew, loop_clock(a->kit->deps.loop));
	out->refreshes = s.refreshes;
	count_causes(s.failures, out->failures);
	out->valid = s.valid;
	out->why = s.why;
}

size_t aws_secret_count(const struct aws *a)
{
	size_t n = 0;

	for (size_t i = 0; i < a->count; i++)
		list_each(node, tmp, &a->member[i].secrets) n++;
	return n;
}

static void collect_secret(const struct member *m, const struct secret_kept *k, struct aws_secret_stats *out)
{
	struct secret_store_stats s;

	secret_store_collect(k->store, &s);
	*out = (struct aws_secret_stats){
		.identity = m->name,
		.name = k->label,
		.valid = s.valid,
		.reads = s.reads,
		.read_wall_us = s.read_wall_us,
		.age_us = s.age_us,
		.expires_wall_us = s.expires_wall_us,
		.lacking = s.lacking_now,
		.why = s.why,
	};
	count_causes(s.failures, out->failures);
	out->failures[AWS_CAUSES] = (struct aws_count){"no_credentials", s.lacking};
}

void aws_collect_secrets(const struct aws *a, struct aws_secret_stats *out)
{
	for (size_t i = 0; i < a->count; i++)
		list_each(node, tmp, &a->member[i].secrets)
			collect_secret(&a->member[i], container_of(node, struct secret_kept, node), out++);
}

size_t aws_secret_place(const struct aws *a, struct secret_source *s)
{
	size_t n = 0;

	for (size_t i = 0; i < a->count; i++)
		list_each(node, tmp, &a->member[i].secrets)
		{
			if (container_of(node, struct secret_kept, node)->desk == source_of(s)->desk)
				return n;
			n++;
		}
	return n;
}
