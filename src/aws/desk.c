/* One message makes both ways. Its fields belong to the loop it is on; only the callback stays behind with
 * the asker, who may cancel while the message is away: so the two share it by a count, and neither needs to
 * know whether a closed mailbox dropped it. */
#include "aws/desk.h"

#include <stdatomic.h>
#include <stdlib.h>
#include "base/mem.h"

struct desk {
	atomic_int refs;
	struct mailbox *mail;
	const struct desk_keeper *how;
	void *keeper;        /* control loop only; NULL once closed */
	struct list open;    /* control loop only: desk_op.node */
};

struct desk_op {
	struct mail mail; /* first: it is posted */
	atomic_int refs;  /* the message's own and the asker's */
	/* the asker's, on the worker's loop */
	desk_cb cb; /* NULL: cancelled, or answered */
	void *arg;
	/* the message's */
	struct desk *desk;
	struct mailbox *back;
	struct list node;
	void *asking; /* the keeper's operation */
	void *refused, *value;
	struct err err; /* when value is NULL */
};

struct desk *desk_new_for(const struct desk_keeper *how, void *keeper, struct mailbox *control_mail)
{
	struct desk *d = mem_zalloc(sizeof(*d));

	atomic_init(&d->refs, 1);
	d->mail = mailbox_ref(control_mail);
	d->how = how;
	d->keeper = keeper;
	list_init(&d->open);
	return d;
}

struct desk *desk_ref(struct desk *d)
{
	atomic_fetch_add_explicit(&d->refs, 1, memory_order_relaxed);
	return d;
}

void desk_unref(struct desk *d)
{
	if (atomic_fetch_sub_explicit(&d->refs, 1, memory_order_acq_rel) != 1)
		return;
	mailbox_unref(d->mail);
	free(d);
}

void *desk_value_ref(const struct desk *d, void *value)
{
	return d->how->ref(value);
}

void desk_value_unref(const struct desk *d, void *value)
{
	d->how->unref(value);
}

static void op_unref(struct desk_op *op)
{
	if (atomic_fetch_sub_explicit(&op->refs, 1, memory_order_acq_rel) != 1)
		return;
	op->desk->how->unref(op->refused);
	op->desk->how->unref(op->value);
	mailbox_unref(op->back);
	desk_unref(op->desk);
	free(op);
}

static struct desk_op *op_of(struct mail *m)
{
	return container_of(m, struct desk_op, mail);
}

/* ---- the way back ---- */

static void back_deliver(struct mail *m, void *receiver)
{
	struct desk_op *op = op_of(m);
	desk_cb cb = op->cb;

	(void)receiver;
	if (cb) {
		op->cb = NULL;
		cb(op->arg, op->value, op->value ? NULL : &op->err);
		op_unref(op); /* the asker's: its pointer is void now */
	}
	op_unref(op);
}

static void back_drop(struct mail *m)
{
	op_unref(op_of(m));
}

static void send_back(struct desk_op *op)
{
	struct mailbox *back =
		mailbox_ref(op->back); /* the answer may be read, and op gone, before the post returns */

	op->mail.deliver = back_deliver;
	op->mail.drop = back_drop;
	mailbox_post(back, &op->mail); /* on failure it drops */
	mailbox_unref(back);
}

/* ---- at the desk ---- */

void desk_heard(struct desk_op *op, void *value, const struct err *e)
{
	op->asking = NULL;
	list_del(&op->node);
	op->value = op->desk->how->ref(value);
	if (e)
		op->err = *e;
	send_back(op);
}

static void refuse(struct desk_op *op)
{
	err_set(&op->err, ERR_SHUTDOWN, "pgiam is stopping");
	send_back(op);
}

static void there_deliver(struct mail *m, void *receiver)
{
	struct desk_op *op = op_of(m);
	struct desk *d = op->desk;

	(void)receiver;
	if (!d->keeper) {
		refuse(op);
		return;
	}
	list_add_tail(&d->open, &op->node);
	op->asking = d->how->get(d->keeper, op->refused, op);
}

static void there_drop(struct mail *m)
{
	refuse(op_of(m));
}

void desk_close(struct desk *d)
{
	list_each(node, tmp, &d->open)
	{
		struct desk_op *op = container_of(node, struct desk_op, node);

		d->how->cancel(op->asking);
		op->asking = NULL;
		list_del(&op->node);
		refuse(op);
	}
	d->keeper = NULL;
	desk_unref(d);
}

/* ---- the asker's side ---- */

struct desk_op *desk_ask(struct desk *d, struct mailbox *worker_mail, void *refused, desk_cb cb, void *arg)
{
	struct desk_op *op = mem_zalloc(sizeof(*op));

	atomic_init(&op->refs, 2);
	op->cb = cb;
	op->arg = arg;
	op->desk = desk_ref(d);
	op->back = mailbox_ref(worker_mail);
	op->refused = d->how->ref(refused);
	list_init(&op->node);
	op->mail.deliver = there_deliver;
	op->mail.drop = there_drop;
	mailbox_post(d->mail, &op->mail);
	return op;
}

void desk_cancel(struct desk_op *op)
{
	op->cb = NULL;
	op_unref(op);
}

/* ---- of credentials ---- */

static void heard_credentials(void *arg, struct credentials *c, const struct err *e)
{
	desk_heard(arg, c, e);
}

static void *get_credentials(void *keeper, void *refused, struct desk_op *op)
{
	return cache_get(keeper, refused, heard_credentials, op);
}

static void cancel_credentials(void *get)
{
	cache_cancel(get);
}

static void *ref_credentials(void *value)
{
	return credentials_ref(value);
}

static void unref_credentials(void *value)
{
	credentials_unref(value);
}

struct desk *desk_new(struct cache *c, struct mailbox *control_mail)
{
	static const struct desk_keeper how = {get_credentials, cancel_credentials, ref_credentials,
					       unref_credentials};

	return desk_new_for(&how, c, control_mail);
}
