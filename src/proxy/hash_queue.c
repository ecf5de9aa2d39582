/* The queue's own bound is far below the helper's; where that is full all the same, of other workers' work, what waits is
 * tried again when one of ours ends or a moment later. */
#include "proxy/hash_queue.h"

#include <assert.h>
#include <stdlib.h>
#include "base/digest.h"
#include "base/list.h"
#include "base/mem.h"

#define RETRY_US (50 * CLOCK_US_PER_MS)

struct hash_op {
	struct list node;         /* of the queue's lists: while it waits, or once it is abandoned */
	struct hash_queue *queue; /* NULL: it is gone */
	struct offload_op *work;  /* NULL while it waits */
	struct buf password;      /* as it came */
	struct scram_secret how;  /* its keys are the result */
	hash_cb cb;
	void *arg;
};

static void pump(void *arg);

void hash_queue_init(struct hash_queue *q, struct loop *l, struct offload *o, struct mailbox *mail)
{
	*q = (struct hash_queue){.offload = o, .mail = mail};
	list_init(&q->waiting);
	list_init(&q->abandoned);
	timer_init(&q->retry, l, pump, q);
}

void hash_queue_fini(struct hash_queue *q)
{
	assert(list_empty(&q->waiting));
	list_each (n, tmp, &q->abandoned) {
		list_del(n);
		container_of(n, struct hash_op, node)->queue = NULL;
	}
	timer_clear(&q->retry);
}

static void op_free(struct hash_op *op)
{
	buf_free(&op->password);
	mem_free_wipe(op, sizeof(*op));
}

static void work(void *data)
{
	struct hash_op *op = data;
	unsigned char salted[SCRAM_KEY_BYTES];
	struct buf prepared;

	buf_init_secret(&prepared, 20 * op->password.n + 64);
	if (scram_prepare_password(buf_slice(&op->password), &prepared, NULL) != 0)
		buf_clear(&prepared); /* nobody's; the work is done all the same */
	digest_pbkdf2_sha256(buf_slice(&prepared), slice_of(op->how.salt, op->how.salt_bytes), op->how.iterations,
			     salted);
	scram_keys_make(salted, &op->how.keys);
	mem_wipe(salted, sizeof(salted));
	buf_free(&prepared);
}

static void done(void *data)
{
	struct hash_op *op = data;
	struct hash_queue *q = op->queue;

	q->running--;
	op->cb(op->arg, &op->how.keys);
	op_free(op);
	pump(q);
}

/* The helper is through with one that was cancelled, or never began it. If the queue is gone this may be the helper's
 * thread (the mailbox is closed); then nothing but the operation is touched. */
static void drop(void *data)
{
	struct hash_op *op = data;
	struct hash_queue *q = op->queue;

	if (q) {
		list_del(&op->node);
		q->running--;
	}
	op_free(op);
	if (q)
		pump(q);
}

static void pump(void *arg)
{
	struct hash_queue *q = arg;
	struct list *first;

	while (q->running < HASH_QUEUE_RUNNING && (first = list_first(&q->waiting))) {
		struct hash_op *op = container_of(first, struct hash_op, node);

		op->work = offload_start(q->offload, q->mail, work, done, drop, op);
		if (!op->work) {
			timer_set(&q->retry, RETRY_US);
			return;
		}
		list_del(&op->node);
		q->running++;
	}
}

struct hash_op *hash_queue_start(struct hash_queue *q, struct slice password, const struct scram_secret *how, hash_cb cb,
			   void *arg)
{
	struct hash_op *op = mem_zalloc(sizeof(*op));

	*op = (struct hash_op){.queue = q, .how = *how, .cb = cb, .arg = arg};
	buf_init_secret(&op->password, password.n);
	buf_add_slice(&op->password, password);
	list_init(&op->node);
	list_add_tail(&q->waiting, &op->node);
	q->started++;
	pump(q);
	return op;
}

/* The helper may still be at it: it is not waited for, and keeps its place until then. Otherwise whoever logs in and
 * vanishes could have as many computed as he likes. */
void hash_queue_cancel(struct hash_op *op)
{
	if (!op->work) {
		list_del(&op->node);
		op_free(op);
		return;
	}
	list_add_tail(&op->queue->abandoned, &op->node);
	offload_cancel(op->work);
}
