/* A reading is a walk over the stages, begun with credentials; it ends with the first version that was not turned
 * down of late. Whoever asks meanwhile waits for its end and gets what it brought: nobody starts a second one. As in
 * aws/cache.c, answers are given a turn after the fact, from what there is then. */
#include "aws/secret_store.h"

#include <stdlib.h>
#include <string.h>
#include "aws/secrets_manager.h"
#include "base/list.h"
#include "base/mem.h"

/* In the order of the walk. */
static const char *const stages[] = {"AWSCURRENT", "AWSPENDING", "AWSPREVIOUS"};
#define STAGES (sizeof(stages) / sizeof(stages[0]))

struct secret_store {
	struct provider_deps deps;
	struct cache *cache;
	char *id, *region;
	/* the walk */
	struct cache_op *asking;      /* at most one of the two is not NULL: none, no walk is under way */
	struct secrets_manager *call;
	size_t stage;                 /* whose version is being read */
	struct credentials *signer;   /* of the walk */
	struct secret_value *current; /* that it has read; NULL: not yet */
	/* what it leaves */
	struct secret_value *value;    /* what is given out; NULL: none yet */
	struct credentials *doubted;   /* the service turned these down; NULL: none */
	char tried[STAGES][SECRET_VALUE_VERSION_MAX + 1]; /* versions that servers turned down, newest first; "" */
	uint64_t tried_us;             /* when the last of them was, monotonic */
	uint64_t walked_us;            /* when somebody last demanded a walk; 0: never */
	uint64_t retry_us;             /* none before without a value, monotonic */
	unsigned failures;             /* in a row */
	struct err last_err;           /* of the last of them */
	struct list waiters;           /* secret_store_op.node */
};

struct secret_store_op {
	struct list node;
	struct defer defer;
	struct secret_store *store;
	secret_store_cb cb;
	void *arg;
};

static void read_stage(struct secret_store *s);

static uint64_t now_us(const struct secret_store *s)
{
	return loop_now_us(s->deps.loop);
}

static void answer(void *arg)
{
	struct secret_store_op *op = arg;
	struct secret_value *v = secret_value_ref(op->store->value);

	list_del(&op->node);
	op->cb(op->arg, v, v ? NULL : &op->store->last_err);
	secret_value_unref(v);
	free(op);
}

/* ---- the walk ---- */

static bool is_walking(const struct secret_store *s)
{
	return s->asking || s->call;
}

static void end_walk(struct secret_store *s)
{
	credentials_unref(s->signer);
	secret_value_unref(s->current);
	s->signer = NULL;
	s->current = NULL;
	list_each(node, tmp, &s->waiters) defer_set(&container_of(node, struct secret_store_op, node)->defer);
}

static void give(struct secret_store *s, struct secret_value *v)
{
	bool news = !s->value || strcmp(s->value->version, v->version) != 0;

	secret_value_ref(v);
	secret_value_unref(s->value);
	s->value = v;
	s->failures = 0;
	credentials_unref(s->doubted);
	s->doubted = NULL;
	if (news)
		log_info(loop_log(s->deps.loop), "secret read", LS("secret", s->id), LS("version", v->version),
			 LS("stage", v->stage));
	end_walk(s);
}

static void fail(struct secret_store *s, const struct err *e, uint64_t wish_us)
{
	uint64_t us = SECRET_STORE_BACKOFF_US << (s->failures < 6 ? s->failures : 6);

	us = us < wish_us ? wish_us : us;
	us = us > SECRET_STORE_BACKOFF_MAX_US ? SECRET_STORE_BACKOFF_MAX_US : us;
	s->failures++;
	s->retry_us = now_us(s) + us;
	s->last_err = *e;
	err_prefix(&s->last_err, "secret_id %s", s->id);
	log_warning(loop_log(s->deps.loop), "secret not read", LU("failures", s->failures), LERR(&s->last_err));
	end_walk(s);
}

static bool was_tried(const struct secret_store *s, const struct secret_value *v)
{
	for (size_t i = 0; i < STAGES; i++)
		if (strcmp(s->tried[i], v->version) == 0)
			return true;
	return false;
}

/* Who may have asked with credentials that AWS no longer takes asks with others next time. */
static void doubt(struct secret_store *s, enum provider_cause cause)
{
	if (cause != PROVIDER_CAUSE_EXPIRED && cause != PROVIDER_CAUSE_REFUSED)
		return;
	credentials_unref(s->doubted);
	s->doubted = credentials_ref(s->signer);
}

static void on_read(void *arg, const struct secrets_manager_answer *a)
{
	struct secret_store *s = arg;

	s->call = NULL;
	if (s->stage == 0 && !a->value) {
		doubt(s, a->cause);
		fail(s, a->e, a->retry_after_us);
		return;
	}
	if (s->stage == 0)
		s->current = secret_value_ref(a->value);
	/* There need not be any version in the other stages. */
	if (a->value && !was_tried(s, a->value)) {
		give(s, a->value);
	} else if (++s->stage < STAGES) {
		read_stage(s);
	} else {
		memset(s->tried, 0, sizeof(s->tried)); /* all were: from the beginning */
		give(s, s->current);
	}
}

static void read_stage(struct secret_store *s)
{
	s->call = secrets_manager_get(&s->deps,
				      &(struct secrets_manager_request){
					      .id = s->id,
					      .stage = stages[s->stage],
					      .region = s->region,
					      .signer = s->signer,
				      },
				      on_read, s);
}

static void on_credentials(void *arg, struct credentials *c, const struct err *e)
{
	struct secret_store *s = arg;

	s->asking = NULL;
	if (!c) {
		fail(s, e, 0);
		return;
	}
	s->signer = credentials_ref(c);
	s->stage = 0;
	read_stage(s);
}

static void walk(struct secret_store *s)
{
	s->asking = cache_get(s->cache, s->doubted, on_credentials, s);
}

/* ---- asking ---- */

static void note_refusal(struct secret_store *s, const struct secret_value *v)
{
	if (now_us(s) - s->tried_us > SECRET_STORE_TRIED_US)
		memset(s->tried, 0, sizeof(s->tried));
	s->tried_us = now_us(s);
	if (was_tried(s, v))
		return;
	memmove(s->tried[1], s->tried[0], (STAGES - 1) * sizeof(s->tried[0]));
	memcpy(s->tried[0], v->version, sizeof(v->version));
}

/* Is there something to read before this can be answered? */
static bool wants_walk(struct secret_store *s, const struct secret_value *refused)
{
	if (!s->value)
		return s->failures == 0 || now_us(s) >= s->retry_us;
	if (!refused || strcmp(refused->version, s->value->version) != 0)
		return false;
	note_refusal(s, refused);
	if (s->walked_us && now_us(s) < s->walked_us + SECRET_STORE_DEMAND_US)
		return false;
	s->walked_us = now_us(s);
	return true;
}

struct secret_store_op *secret_store_get(struct secret_store *s, const struct secret_value *refused,
					 secret_store_cb cb, void *arg)
{
	struct secret_store_op *op = mem_zalloc(sizeof(*op));

	op->store = s;
	op->cb = cb;
	op->arg = arg;
	defer_init(&op->defer, s->deps.loop, answer, op);
	list_add_tail(&s->waiters, &op->node);
	if (!is_walking(s) && wants_walk(s, refused))
		walk(s);
	if (!is_walking(s))
		defer_set(&op->defer);
	return op;
}

void secret_store_cancel(struct secret_store_op *op)
{
	list_del(&op->node);
	defer_clear(&op->defer);
	free(op);
}

/* ---- life ---- */

struct secret_store *secret_store_new(const struct secret_store_opts *o)
{
	struct secret_store *s = mem_zalloc(sizeof(*s));

	s->deps = *o->deps;
	s->cache = o->cache;
	s->id = mem_strdup(o->id);
	s->region = mem_strdup(o->region);
	list_init(&s->waiters);
	walk(s);
	return s;
}

void secret_store_free(struct secret_store *s)
{
	if (s->asking)
		cache_cancel(s->asking);
	secrets_manager_cancel(s->call);
	credentials_unref(s->signer);
	credentials_unref(s->doubted);
	secret_value_unref(s->current);
	secret_value_unref(s->value);
	free(s->id);
	free(s->region);
	free(s);
}

/* ---- the desk ---- */

static void heard(void *arg, struct secret_value *v, const struct err *e)
{
	desk_heard(arg, v, e);
}

static void *desk_get(void *keeper, void *refused, struct desk_op *op)
{
	return secret_store_get(keeper, refused, heard, op);
}

static void desk_cancel_get(void *get)
{
	secret_store_cancel(get);
}

static void *desk_ref_value(void *value)
{
	return secret_value_ref(value);
}

static void desk_unref_value(void *value)
{
	secret_value_unref(value);
}

struct desk *secret_store_desk(struct secret_store *s, struct mailbox *control_mail)
{
	static const struct desk_keeper how = {desk_get, desk_cancel_get, desk_ref_value, desk_unref_value};

	return desk_new_for(&how, s, control_mail);
}
