/* Where sources on workers' loops ask what is kept on the control loop, credentials or a secret: a question
 * travels there by mail and comes back with the answer. */
#ifndef PGIAM_AWS_DESK_H
#define PGIAM_AWS_DESK_H

#include "aws/cache.h"
#include "io/mailbox.h"

struct desk;
struct desk_op;

/* Exactly one of value and e is not NULL; both borrowed. */
typedef void (*desk_cb)(void *arg, void *value, const struct err *e);

/* Who keeps values, counted and the same for all threads, on the control loop. */
struct desk_keeper {
	/* Asks for one, in place of `refused` if that is not NULL: desk_heard is called once, never inside get,
	 * never after cancel. */
	void *(*get)(void *keeper, void *refused, struct desk_op *op);
	void (*cancel)(void *get);
	void *(*ref)(void *value);  /* thread-safe; NULL gives NULL */
	void (*unref)(void *value); /* thread-safe; NULL is fine */
};

/* On the control loop. keeper is borrowed until desk_close. One reference is the caller's. */
struct desk *desk_new_for(const struct desk_keeper *how, void *keeper, struct mailbox *control_mail)
	__attribute__((returns_nonnull));
/* Of credentials. */
struct desk *desk_new(struct cache *c, struct mailbox *control_mail) __attribute__((returns_nonnull));

/* The keeper's answer: as desk_cb. */
void desk_heard(struct desk_op *op, void *value, const struct err *e);

/* On the control loop: answers what is open, and all that may still come, with ERR_SHUTDOWN, and lets go of
 * the caller's reference. */
void desk_close(struct desk *d);
struct desk *desk_ref(struct desk *d); /* thread-safe */
void desk_unref(struct desk *d);       /* thread-safe */

/* Of the values that are kept here, as the keeper's ref and unref. */
void *desk_value_ref(const struct desk *d, void *value);
void desk_value_unref(const struct desk *d, void *value);

/* On a worker's loop; as the keeper's get, answered on that loop. refused may be NULL. The answer does not come
 * once worker_mail is closed. */
struct desk_op *desk_ask(struct desk *d, struct mailbox *worker_mail, void *refused, desk_cb cb, void *arg);
void desk_cancel(struct desk_op *op); /* on the worker's loop */

#endif
