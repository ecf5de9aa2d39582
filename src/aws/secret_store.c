/* A reading begins with credentials to sign it, and goes on in the reader. Whoever asks meanwhile waits for its end and gets
 * what it brought: nobody starts a second one. As in aws/cache.c, answers are given a turn after the fact, from what there
 * is then; but nothing that was read once is read again that nobody asks for: a database without logins costs no calls. */
#include "aws/secret_store.h"

#include <stdlib.h>
#include <string.h>
#include "aws/date.h"
#include "base/list.h"
#include "base/mem.h"

struct secret_store {
	struct provider_deps deps;
	struct cache *cache;
	struct secret_reader *reader;
	char *name;
	/* a reading: at most one of the two is not NULL */
	struct cache_op *asking;    /* for credentials */
	struct credentials *signer; /* ... which the reader has */
	bool urgent;                /* who asks waits for its end; else it is only ahead of time */
	/* what it leaves */
	struct secret_value *value;  /* the last read, perhaps expired by now; NULL: none yet */
	int64_t due_wall_us;         /* to be read again from then on; 0: never */
	struct credentials *doubted; /* the service turned these down; NULL: none */
	uint64_t demanded_us;        /* when somebody last demanded a reading; 0: never */
	uint64_t retry_us;           /* none before unless demanded, monotonic, after a failure */
	struct timer again;          /* after one that failed: the next, whether somebody asks or not (secret_store.h) */
	unsigned failures;           /* in a row */
	struct err last_err;         /* of the last of them */
	uint64_t told_us;            /* when one was last logged */
	uint64_t read_us;            /* when value was read, monotonic */
	uint64_t reads, failures_by[PROVIDER_CAUSE_COUNT], lacking; /* counted */
	struct list waiters;         /* secret_store_op.node */
};

struct secret_store_op {
	struct list node;
	struct defer defer;
	struct secret_store *store;
	secret_store_cb cb;
	void *arg;
};

static uint64_t now_us(const struct secret_store *s)
{
	return loop_now_us(s->deps.loop);
}

static int64_t wall_us(const struct secret_store *s)
{
	return skew_wall_us(s->deps.skew, loop_clock(s->deps.loop));
}

static bool lives_for(const struct secret_store *s, int64_t us)
{
	return s->value && secret_value_valid_at(s->value, wall_us(s) + us);
}

#define FOR_EVER UINT64_MAX

/* What is left of the life of what there is to give out; 0: there is nothing. */
static uint64_t left_us(const struct secret_store *s)
{
	if (!lives_for(s, 0))
		return 0;
	return s->value->expires_wall_us ? (uint64_t)(s->value->expires_wall_us - wall_us(s)) : FOR_EVER;
}

static void answer(void *arg)
{
	struct secret_store_op *op = arg;
	struct secret_value *v = lives_for(op->store, 0) ? secret_value_ref(op->store->value) : NULL;

	list_del(&op->node);
	op->cb(op->arg, v, v ? NULL : &op->store->last_err);
	secret_value_unref(v);
	free(op);
}

/* ---- a reading ---- */

static bool is_reading(const struct secret_store *s)
{
	return s->asking || s->signer;
}

static void end_reading(struct secret_store *s)
{
	credentials_unref(s->signer);
	s->signer = NULL;
	list_each(node, tmp, &s->waiters) defer_set(&container_of(node, struct secret_store_op, node)->defer);
}

static uint64_t growing_us(const struct secret_store *s)
{
	return SECRET_STORE_BACKOFF_US << (s->failures < 6 ? s->failures : 6);
}

static uint64_t at_most_max(uint64_t us)
{
	return us > SECRET_STORE_BACKOFF_MAX_US ? SECRET_STORE_BACKOFF_MAX_US : us;
}

/* With a value that lives nobody is in a hurry; its end is worth an attempt. */
static uint64_t backoff_us(const struct secret_store *s)
{
	uint64_t left = left_us(s);

	if (left == 0)
		return SECRET_STORE_BACKOFF_US;
	return left < growing_us(s) ? left : growing_us(s);
}

/* us: what who asks has to wait for. Whoever keeps clients away from the end of a value on, since the last reading failed, asks
 * for no other. */
static void read_again(struct secret_store *s, uint64_t us)
{
	uint64_t left = left_us(s), least = left > 0 ? left : at_most_max(growing_us(s));

	if (left != FOR_EVER)
		timer_set(&s->again, us > least ? us : least);
}

static void log_failed(struct secret_store *s)
{
	const struct secret_value *kept = lives_for(s, 0) ? s->value : NULL;
	char when[DATE_RFC3339_SIZE];

	log_warning(loop_log(s->deps.loop), "secret not read", LU("failures", s->failures), LERR(&s->last_err),
		    LS("kept", kept ? kept->how : NULL), LS("expires", kept ? date_of_end(kept->expires_wall_us, when) : NULL));
}

static void fail(struct secret_store *s, const struct err *e, uint64_t wish_us)
{
	uint64_t us = backoff_us(s);
	struct err why = *e;
	bool news;

	us = us < wish_us ? wish_us : us;
	us = at_most_max(us);
	err_prefix(&why, "%s", s->name);
	news = err_is_news(&why, s->failures > 0 ? &s->last_err : NULL, now_us(s), &s->told_us);
	s->failures++;
	s->retry_us = now_us(s) + us;
	s->last_err = why;
	read_again(s, us);
	if (news)
		log_failed(s);
	end_reading(s);
}

static void log_read(struct secret_store *s, const struct secret_value *v)
{
	char when[DATE_RFC3339_SIZE];

	log_info(loop_log(s->deps.loop), "secret read", LS("secret", s->name), LS("by", v->how),
		 LS("version", v->version[0] ? v->version : NULL), LS("expires", date_of_end(v->expires_wall_us, when)));
}

/* From half of its life on, or ahead of its end as credentials are, whichever is later. */
static int64_t due_wall_us(const struct secret_store *s, const struct secret_value *v)
{
	int64_t ahead = (v->expires_wall_us - wall_us(s)) / 2;

	if (v->expires_wall_us == 0)
		return 0;
	return v->expires_wall_us - (ahead < CACHE_AHEAD_US ? ahead : CACHE_AHEAD_US);
}

static void take(struct secret_store *s, struct secret_value *v)
{
	bool news = !s->value || !secret_value_same(s->value, v);

	secret_value_ref(v);
	secret_value_unref(s->value);
	s->value = v;
	s->due_wall_us = due_wall_us(s, v);
	s->read_us = now_us(s);
	s->reads++;
	s->failures = 0;
	credentials_unref(s->doubted);
	s->doubted = NULL;
	if (news)
		log_read(s, v);
	end_reading(s);
}

/* Who may have asked with credentials that AWS no longer takes asks with others next time. */
static void doubt(struct secret_store *s, enum provider_cause cause)
{
	if (!provider_cause_is_of_signing(cause))
		return;
	credentials_unref(s->doubted);
	s->doubted = credentials_ref(s->signer);
}

static void on_read(void *arg, const struct secret_reader_answer *a)
{
	struct secret_store *s = arg;
	struct err e;

	if (!a->value) {
		e = *a->e;
		provider_cause_code(a->cause, &e);
		if (provider_cause_is_of_signing(a->cause))
			skew_hint(s->deps.skew, &e);
		s->failures_by[a->cause]++;
		doubt(s, a->cause);
		fail(s, &e, a->retry_after_us);
	} else if (!secret_value_valid_at(a->value, wall_us(s))) {
		err_set(&e, ERR_CREDENTIALS, "what was answered has expired already: is this machine's clock right?");
		skew_hint(s->deps.skew, &e);
		s->failures_by[PROVIDER_CAUSE_EXPIRED]++;
		fail(s, &e, 0);
	} else {
		take(s, a->value);
	}
}

static void on_credentials(void *arg, struct credentials *c, const struct err *e)
{
	struct secret_store *s = arg;

	s->asking = NULL;
	if (!c) {
		s->lacking++;
		fail(s, e, 0);
		return;
	}
	s->signer = credentials_ref(c);
	s->reader->ops->read(s->reader, s->signer, s->value, on_read, s);
}

static void begin_reading(struct secret_store *s)
{
	timer_clear(&s->again);
	s->asking = cache_get(s->cache, s->doubted, on_credentials, s);
}

static void on_again(void *arg)
{
	struct secret_store *s = arg;

	s->urgent = true;
	begin_reading(s);
}

/* ---- asking ---- */

/* Has somebody been turned down with what is here? Else there is another already. */
static bool is_refused(const struct secret_store *s, const struct secret_value *refused)
{
	return refused && s->value && secret_value_same(refused, s->value);
}

/* May it be read again for that? */
static bool may_demand(struct secret_store *s, const struct secret_value *refused)
{
	if (!is_refused(s, refused))
		return false;
	if (s->reader->ops->refused)
		s->reader->ops->refused(s->reader, refused);
	if (s->demanded_us && now_us(s) < s->demanded_us + SECRET_STORE_DEMAND_US)
		return false;
	s->demanded_us = now_us(s);
	return true;
}

/* Has it life enough left that nobody needs to wait for another? */
static bool is_comfortable(const struct secret_store *s)
{
	return lives_for(s, CACHE_RESERVE_US);
}

static bool is_due(const struct secret_store *s)
{
	bool due = !is_comfortable(s) || (s->due_wall_us && wall_us(s) >= s->due_wall_us);

	return due && (s->failures == 0 || now_us(s) >= s->retry_us);
}

static void begin_if_due(struct secret_store *s, const struct secret_value *refused)
{
	bool demanded = may_demand(s, refused);

	if (!demanded && !is_due(s))
		return;
	s->urgent = demanded || !is_comfortable(s);
	begin_reading(s);
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
	if (!is_reading(s))
		begin_if_due(s, refused);
	if (!is_reading(s) || !(s->urgent || is_refused(s, refused) || !is_comfortable(s)))
		defer_set(&op->defer);
	return op;
}

void secret_store_cancel(struct secret_store_op *op)
{
	list_del(&op->node);
	defer_clear(&op->defer);
	free(op);
}

void secret_store_collect(const struct secret_store *s, struct secret_store_stats *out)
{
	*out = (struct secret_store_stats){.valid = lives_for(s, 0), .reads = s->reads, .lacking = s->lacking};
	memcpy(out->failures, s->failures_by, sizeof(out->failures));
	if (s->failures > 0) {
		out->why = s->last_err;
	} else {
		err_set(&out->why, ERR_CREDENTIALS, "%s: it has not been read yet", s->name);
		err_hint(&out->why, "The AWS credentials for it, or the service that has it, have not answered yet.");
	}
	out->lacking_now = !out->valid && (s->failures > 0 || s->reads == 0);
	if (!s->value)
		return;
	out->age_us = now_us(s) - s->read_us;
	out->read_wall_us = clock_wall_us(loop_clock(s->deps.loop)) - (int64_t)out->age_us;
	out->expires_wall_us = s->value->expires_wall_us;
}

/* ---- life ---- */

struct secret_store *secret_store_new(const struct secret_store_opts *o)
{
	struct secret_store *s = mem_zalloc(sizeof(*s));

	s->deps = *o->deps;
	s->cache = o->cache;
	s->reader = o->reader;
	s->name = mem_strdup(o->name);
	list_init(&s->waiters);
	timer_init(&s->again, s->deps.loop, on_again, s);
	begin_if_due(s, NULL);
	return s;
}

void secret_store_free(struct secret_store *s)
{
	if (s->asking)
		cache_cancel(s->asking);
	timer_clear(&s->again);
	s->reader->ops->cancel(s->reader);
	s->reader->ops->free(s->reader);
	credentials_unref(s->signer);
	credentials_unref(s->doubted);
	secret_value_unref(s->value);
	free(s->name);
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
