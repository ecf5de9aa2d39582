/* One thread is enough: what comes here is rare and bounded, and a database's logins are limited anyway.
 * Whether an operation was cancelled is known on its loop's thread only, where start, cancel and delivery all
 * happen; the helper knows just its queue. */
#include "io/offload.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include "base/list.h"
#include "base/mem.h"

struct offload {
	pthread_t thread;
	unsigned max_queue;
	pthread_mutex_t lock; /* of all that follows */
	pthread_cond_t wake;
	struct list queue;
	unsigned queued;
	bool stop;
};

struct offload_op {
	struct mail mail; /* first: what is posted */
	struct list node; /* linked while queued; under the lock */
	struct offload *o;
	struct mailbox *mb; /* a reference */
	void (*work)(void *data);
	void (*done)(void *data);
	void (*drop)(void *data);
	void *data;
	bool cancelled; /* the loop thread's */
};

static void op_free(struct offload_op *op)
{
	mailbox_unref(op->mb);
	free(op);
}

/* The mailbox closed first. Then the operation was cancelled before, or its owner still has the data. */
static void op_undelivered(struct mail *m)
{
	struct offload_op *op = (struct offload_op *)m;

	if (op->cancelled)
		op->drop(op->data);
	op_free(op);
}

static void op_deliver(struct mail *m, void *receiver)
{
	struct offload_op *op = (struct offload_op *)m;
	void (*then)(void *data) = op->cancelled ? op->drop : op->done;
	void *data = op->data;

	(void)receiver;
	op_free(op);
	then(data);
}

static void *run(void *arg)
{
	struct offload *o = arg;
	struct list *first;

	pthread_mutex_lock(&o->lock);
	while (!o->stop) {
		first = list_first(&o->queue);
		if (!first) {
			pthread_cond_wait(&o->wake, &o->lock);
			continue;
		}
		struct offload_op *op = container_of(first, struct offload_op, node);
		struct mailbox *mb = mailbox_ref(op->mb);

		list_del(first);
		o->queued--;
		pthread_mutex_unlock(&o->lock);
		op->work(op->data);
		mailbox_post(mb, &op->mail);
		mailbox_unref(mb);
		pthread_mutex_lock(&o->lock);
	}
	pthread_mutex_unlock(&o->lock);
	return NULL;
}

struct offload *offload_new(unsigned max_queue, struct err *e)
{
	struct offload *o = mem_zalloc(sizeof(*o));
	sigset_t all, before;
	int rc;

	o->max_queue = max_queue;
	list_init(&o->queue);
	pthread_mutex_init(&o->lock, NULL);
	pthread_cond_init(&o->wake, NULL);
	sigfillset(&all); /* signals are the control thread's */
	pthread_sigmask(SIG_SETMASK, &all, &before);
	rc = pthread_create(&o->thread, NULL, run, o);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (rc == 0)
		return o;
	errno = rc;
	err_set(e, ERR_IO, "cannot start a helper thread: %m");
	pthread_cond_destroy(&o->wake);
	pthread_mutex_destroy(&o->lock);
	free(o);
	return NULL;
}

void offload_free(struct offload *o)
{
	if (!o)
		return;
	pthread_mutex_lock(&o->lock);
	assert(list_empty(&o->queue));
	o->stop = true;
	pthread_cond_signal(&o->wake);
	pthread_mutex_unlock(&o->lock);
	pthread_join(o->thread, NULL);
	pthread_cond_destroy(&o->wake);
	pthread_mutex_destroy(&o->lock);
	free(o);
}

struct offload_op *offload_start(struct offload *o, struct mailbox *mb, void (*work)(void *data),
				 void (*done)(void *data), void (*drop)(void *data), void *data)
{
	struct offload_op *op = NULL;

	pthread_mutex_lock(&o->lock);
	if (o->queued < o->max_queue) {
		op = mem_zalloc(sizeof(*op));
		op->mail.deliver = op_deliver;
		op->mail.drop = op_undelivered;
		op->o = o;
		op->mb = mailbox_ref(mb);
		op->work = work;
		op->done = done;
		op->drop = drop;
		op->data = data;
		list_init(&op->node);
		list_add_tail(&o->queue, &op->node);
		o->queued++;
		pthread_cond_signal(&o->wake);
	}
	pthread_mutex_unlock(&o->lock);
	return op;
}

void offload_cancel(struct offload_op *op)
{
	struct offload *o = op->o;
	bool queued;

	pthread_mutex_lock(&o->lock);
	queued = list_linked(&op->node);
	if (queued) {
		list_del(&op->node);
		o->queued--;
	}
	pthread_mutex_unlock(&o->lock);
	op->cancelled = true;
	if (!queued)
		return; /* the helper has it: delivery drops the data */
	op->drop(op->data);
	op_free(op);
}
