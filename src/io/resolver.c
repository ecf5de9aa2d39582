/* getaddrinfo blocks and cannot be cancelled, so it runs on threads of its own; everything else here is
 * bookkeeping under one lock.
 *
 * An entry is a name: its last answer, its last failure, and who waits for the lookup under way. An
 * operation (resolve_op) belongs to the loop that started it. It is answered in one of two ways: what is
 * known at once by a deferred call on its own loop, what a thread finds by mail. Only its own loop frees it,
 * except when the mail comes back undeliverable after it was cancelled. */
#include "config.h"
#include "io/resolver_private.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "base/mem.h"

/* Names come from the configuration, but one that changes often must not let the cache grow. */
#define RESOLVER_MAX_ENTRIES 1024

/* A lookup that takes this long is as good as failed, if an old answer can stand in. */
#define RESOLVER_PATIENCE_US (2 * CLOCK_US_PER_SEC)

#define RESOLVER_FREE_WAIT_SEC 1

enum entry_state { ENTRY_IDLE, ENTRY_QUEUED, ENTRY_RUNNING };

struct entry {
	struct list node; /* entries in the order of their last use, or of the queue */
	struct list queue;
	struct list waiters; /* resolve_op.node */
	char *name;
	enum entry_state state;
	struct resolver_answer answer; /* the last good one; count 0: none yet */
	struct err err;                /* the last failure, while failed_until_us is ahead */
	uint64_t fresh_until_us, stale_until_us, failed_until_us;
};

struct resolver {
	pthread_mutex_t lock;
	pthread_cond_t work; /* a lookup is queued, or closing */
	pthread_cond_t gone; /* a thread ended */
	const struct clock *clock;
	struct resolver_opts opts;
	struct map *map;     /* name -> struct entry */
	struct list entries; /* least recently used first */
	struct list queue;
	unsigned queued;
	unsigned threads; /* alive */
	unsigned refs;    /* the owner, each thread, each operation */
	bool closing;
};

enum op_state {
	OP_DEFERRED, /* answered on its own loop at the end of the turn */
	OP_WAITING,  /* on its entry's list */
	OP_POSTED,   /* in the mail */
	OP_LOST,     /* the mailbox closed; the owner does not know yet */
	OP_CANCELLED /* in the mail, nobody waits for it */
};

struct resolve_op {
	struct mail mail;
	struct list node;
	struct defer defer;
	struct timer patience;
	struct resolver *r;
	struct mailbox *mb;
	struct entry *entry; /* while OP_WAITING */
	enum op_state state; /* under the lock */
	resolve_cb cb;
	void *arg;
	struct resolver_answer answer;
	bool stale;
	struct err err; /* if answer.count is 0 */
};

/* ---- reference counting ---- */

static void resolver_forget(struct resolver *r, struct entry *e)
{
	map_del(r->map, slice_str(e->name));
	list_del(&e->node);
	free(e->name);
	free(e);
}

/* With the lock held, which it releases. */
static void resolver_unref_unlock(struct resolver *r)
{
	bool last = --r->refs == 0;

	pthread_mutex_unlock(&r->lock);
	if (!last)
		return;
	list_each(it, tmp, &r->entries) resolver_forget(r, container_of(it, struct entry, node));
	map_free(r->map);
	pthread_cond_destroy(&r->work);
	pthread_cond_destroy(&r->gone);
	pthread_mutex_destroy(&r->lock);
	free(r);
}

static void resolve_release(struct resolve_op *op)
{
	struct resolver *r = op->r;

	mailbox_unref(op->mb);
	free(op);
	pthread_mutex_lock(&r->lock);
	resolver_unref_unlock(r);
}

/* ---- what is known (all with the lock held) ---- */

static bool entry_usable(const struct entry *e, uint64_t now_us)
{
	return e->answer.count > 0 && now_us < e->stale_until_us;
}

static void op_take(struct resolve_op *op, const struct entry *e, uint64_t now_us)
{
	op->answer = e->answer;
	op->stale = now_us >= e->fresh_until_us;
}

/* Takes the answer an old one or a failure can give. False if there is neither. */
static bool op_take_known(struct resolve_op *op, const struct entry *e, uint64_t now_us)
{
	bool failed = now_us < e->failed_until_us;

	if (e->answer.count > 0 && now_us < e->fresh_until_us)
		op_take(op, e, now_us);
	else if (failed && entry_usable(e, now_us))
		op_take(op, e, now_us);
	else if (failed)
		op->err = e->err;
	else
		return false;
	return true;
}

static struct entry *resolver_entry(struct resolver *r, const char *name)
{
	struct entry *e = map_get(r->map, slice_str(name));

	if (e) {
		list_del(&e->node);
	} else {
		e = mem_zalloc(sizeof *e);
		e->name = mem_strdup(name);
		list_init(&e->node);
		list_init(&e->queue);
		list_init(&e->waiters);
		map_put(r->map, slice_str(name), e);
	}
	list_add_tail(&r->entries, &e->node);
	if (map_count(r->map) > RESOLVER_MAX_ENTRIES) {
		list_each(it, tmp, &r->entries)
		{
			struct entry *old = container_of(it, struct entry, node);

			if (old != e && old->state == ENTRY_IDLE) {
				resolver_forget(r, old);
				break;
			}
		}
	}
	return e;
}

/* ---- answering ---- */

static void resolve_finish(struct resolve_op *op)
{
	struct resolve_result res = {op->answer.addr, op->answer.count, op->stale};
	bool good = op->answer.count > 0;

	timer_clear(&op->patience);
	/* The callback may cancel or start anything but this operation, which is over. */
	op->cb(op->arg, good ? &res : NULL, good ? NULL : &op->err);
	resolve_release(op);
}

static void resolve_on_defer(void *arg)
{
	resolve_finish(arg);
}

static void resolve_deliver(struct mail *m, void *receiver)
{
	struct resolve_op *op = container_of(m, struct resolve_op, mail);
	bool cancelled;

	(void)receiver;
	pthread_mutex_lock(&op->r->lock);
	cancelled = op->state == OP_CANCELLED;
	pthread_mutex_unlock(&op->r->lock);
	if (cancelled)
		resolve_release(op);
	else
		resolve_finish(op);
}

/* On any thread. */
static void resolve_drop(struct mail *m)
{
	struct resolve_op *op = container_of(m, struct resolve_op, mail);
	bool cancelled;

	pthread_mutex_lock(&op->r->lock);
	cancelled = op->state == OP_CANCELLED;
	op->state = OP_LOST;
	pthread_mutex_unlock(&op->r->lock);
	if (cancelled)
		resolve_release(op);
}

/* Takes e's waiters off it into out, each with its answer: what was just found, or, after a failure, what was
 * known before, or the failure. Times to live of zero make no difference to who already waits. */
static void entry_answer(struct entry *e, bool found, uint64_t now_us, struct list *out)
{
	struct list *it;

	while ((it = list_first(&e->waiters))) {
		struct resolve_op *op = container_of(it, struct resolve_op, node);

		list_del(it);
		if (found || entry_usable(e, now_us))
			op->answer = e->answer;
		else
			op->err = e->err;
		op->stale = !found;
		op->entry = NULL;
		op->state = OP_POSTED;
		list_add_tail(out, it);
	}
}

/* Without the lock: a closed mailbox hands the mail back at once. */
static void resolver_post(struct list *ops)
{
	struct list *it;

	while ((it = list_first(ops))) {
		struct resolve_op *op = container_of(it, struct resolve_op, node);
		struct mailbox *mb = mailbox_ref(op->mb);

		list_del(it);
		mailbox_post(mb, &op->mail); /* op may be gone now */
		mailbox_unref(mb);
	}
}

/* ---- the threads ---- */

static void entry_store(struct entry *e, const struct resolver_opts *o, uint64_t now_us,
			const struct resolver_answer *a, const struct err *err)
{
	if (a->count > 0) {
		e->answer = *a;
		e->fresh_until_us = now_us + o->ttl_us;
		e->stale_until_us = e->fresh_until_us + o->stale_us;
		e->failed_until_us = 0;
	} else {
		e->err = *err;
		e->failed_until_us = now_us + o->neg_ttl_us;
	}
}

/* With the lock held, also on return. */
static void resolver_work(struct resolver *r, struct entry *e)
{
	struct resolver_answer a = {0};
	struct err err = {0};
	struct list answered;
	uint64_t now_us;
	int n;

	list_init(&answered);
	list_del(&e->queue);
	r->queued--;
	e->state = ENTRY_RUNNING; /* so that nobody forgets it */
	pthread_mutex_unlock(&r->lock);
	n = r->opts.lookup(e->name, a.addr, RESOLVER_MAX_ADDRS, &err);
	if (n == 0 || n > RESOLVER_MAX_ADDRS)
		err_set(&err, ERR_RESOLVE, "cannot resolve host name \"%s\": it has no address", e->name);
	else if (n > 0)
		a.count = (size_t)n;
	pthread_mutex_lock(&r->lock);
	e->state = ENTRY_IDLE;
	if (r->closing) /* all were told, and what resolver_new was lent may be gone */
		return;
	now_us = clock_mono_us(r->clock);
	entry_store(e, &r->opts, now_us, &a, &err);
	entry_answer(e, a.count > 0, now_us, &answered);
	if (list_empty(&answered))
		return;
	pthread_mutex_unlock(&r->lock);
	resolver_post(&answered);
	pthread_mutex_lock(&r->lock);
}

static void *resolver_thread(void *arg)
{
	struct resolver *r = arg;
	struct list *next;

	pthread_mutex_lock(&r->lock);
	while (!r->closing) {
		next = list_first(&r->queue);
		if (next)
			resolver_work(r, container_of(next, struct entry, queue));
		else
			pthread_cond_wait(&r->work, &r->lock);
	}
	r->threads--;
	pthread_cond_signal(&r->gone);
	resolver_unref_unlock(r);
	return NULL;
}

static int resolver_spawn(struct resolver *r, struct err *e)
{
	char text[128];
	pthread_t t;
	sigset_t all, old;
	int rc;

	/* Signals are the control thread's. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	pthread_mutex_lock(&r->lock);
	rc = pthread_create(&t, NULL, resolver_thread, r);
	if (rc == 0) {
		pthread_detach(t);
		r->threads++;
		r->refs++;
	}
	pthread_mutex_unlock(&r->lock);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (rc != 0)
		return err_set(e, ERR_IO, "cannot start a thread for name resolution: %s",
			       strerror_r(rc, text, sizeof text));
	return 0;
}

/* ---- life ---- */

struct resolver *resolver_new(const struct resolver_opts *o, const struct clock *clock, struct err *e)
{
	struct resolver *r = mem_zalloc(sizeof *r);
	pthread_condattr_t attr;

	pthread_mutex_init(&r->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&r->work, &attr);
	pthread_cond_init(&r->gone, &attr);
	pthread_condattr_destroy(&attr);
	r->clock = clock;
	r->opts = *o;
	if (!r->opts.lookup)
		r->opts.lookup = resolver_getaddrinfo;
	r->map = map_new();
	list_init(&r->entries);
	list_init(&r->queue);
	r->refs = 1;
	for (unsigned i = 0; i < (o->threads ? o->threads : 1); i++) {
		if (resolver_spawn(r, e) < 0) {
			resolver_free(r);
			return NULL;
		}
	}
	return r;
}

void resolver_free(struct resolver *r)
{
	uint64_t until_us = clock_mono_us(clock_system()) + RESOLVER_FREE_WAIT_SEC * CLOCK_US_PER_SEC;
	struct timespec ts = {(time_t)(until_us / CLOCK_US_PER_SEC),
			      (long)(until_us % CLOCK_US_PER_SEC) * 1000};
	struct list answered;

	if (!r)
		return;
	list_init(&answered);
	pthread_mutex_lock(&r->lock);
	r->closing = true;
	pthread_cond_broadcast(&r->work);
	list_each(it, tmp, &r->entries)
	{
		struct entry *e = container_of(it, struct entry, node);

		err_set(&e->err, ERR_RESOLVE, "cannot resolve host name \"%s\": shutting down", e->name);
		e->failed_until_us = UINT64_MAX;
		entry_answer(e, false, clock_mono_us(r->clock), &answered);
	}
	pthread_mutex_unlock(&r->lock);
	resolver_post(&answered);
	pthread_mutex_lock(&r->lock);
	while (r->threads > 0 && pthread_cond_timedwait(&r->gone, &r->lock, &ts) == 0)
		;
	resolver_unref_unlock(r);
}

/* ---- operations ---- */

/* The lookup takes long. */
static void resolve_on_patience(void *arg)
{
	struct resolve_op *op = arg;
	struct resolver *r = op->r;
	uint64_t now_us = clock_mono_us(r->clock);
	bool take;

	pthread_mutex_lock(&r->lock);
	take = op->state == OP_WAITING && entry_usable(op->entry, now_us);
	if (take) {
		op_take(op, op->entry, now_us);
		list_del(&op->node);
		op->entry = NULL;
		op->state = OP_DEFERRED;
	}
	pthread_mutex_unlock(&r->lock);
	if (take)
		resolve_finish(op);
}

/* With the lock held. */
static void resolve_ask(struct resolve_op *op, const char *name)
{
	struct resolver *r = op->r;
	uint64_t now_us = clock_mono_us(r->clock);
	struct entry *e;

	if (r->closing) {
		err_set(&op->err, ERR_RESOLVE, "cannot resolve host name \"%s\": shutting down", name);
		return;
	}
	e = resolver_entry(r, name);
	if (op_take_known(op, e, now_us))
		return;
	if (e->state == ENTRY_IDLE) {
		if (r->queued >= r->opts.max_pending) {
			if (entry_usable(e, now_us))
				op_take(op, e, now_us);
			else
				err_set(&op->err, ERR_RESOLVE,
					"cannot resolve host name \"%s\": too many lookups are waiting",
					name);
			return;
		}
		e->state = ENTRY_QUEUED;
		list_add_tail(&r->queue, &e->queue);
		r->queued++;
		pthread_cond_signal(&r->work);
	}
	if (entry_usable(e, now_us))
		timer_set(&op->patience, RESOLVER_PATIENCE_US);
	op->entry = e;
	op->state = OP_WAITING;
	list_add_tail(&e->waiters, &op->node);
}

struct resolve_op *resolve_start(struct resolver *r, struct loop *l, struct mailbox *mb, const char *name,
				 resolve_cb cb, void *arg)
{
	struct resolve_op *op = mem_zalloc(sizeof *op);

	op->mail.deliver = resolve_deliver;
	op->mail.drop = resolve_drop;
	list_init(&op->node);
	defer_init(&op->defer, l, resolve_on_defer, op);
	timer_init(&op->patience, l, resolve_on_patience, op);
	op->r = r;
	op->mb = mailbox_ref(mb);
	op->cb = cb;
	op->arg = arg;
	op->state = OP_DEFERRED;
	if (addr_parse(&op->answer.addr[0], name, 0) == 0)
		op->answer.count = 1;
	pthread_mutex_lock(&r->lock);
	r->refs++;
	if (op->answer.count == 0)
		resolve_ask(op, name);
	if (op->state == OP_DEFERRED)
		defer_set(&op->defer);
	pthread_mutex_unlock(&r->lock);
	return op;
}

void resolve_cancel(struct resolve_op *op)
{
	struct resolver *r;
	bool mine = true;

	if (!op)
		return;
	r = op->r;
	defer_clear(&op->defer);
	timer_clear(&op->patience);
	pthread_mutex_lock(&r->lock);
	switch (op->state) {
	case OP_WAITING: list_del(&op->node); break;
	case OP_POSTED:
		op->state = OP_CANCELLED;
		mine = false;
		break;
	case OP_DEFERRED:
	case OP_LOST:
	case OP_CANCELLED: break;
	}
	pthread_mutex_unlock(&r->lock);
	if (mine)
		resolve_release(op);
}
