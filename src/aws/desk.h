/* Where sources on workers' loops ask the cache on the control loop: a question travels there by mail and
 * comes back with the answer. */
#ifndef PGIAM_AWS_DESK_H
#define PGIAM_AWS_DESK_H

#include "aws/cache.h"
#include "io/mailbox.h"

struct desk;
struct desk_op;

/* On the control loop. cache is borrowed until desk_close. One reference is the caller's. */
struct desk *desk_new(struct cache *c, struct mailbox *control_mail) __attribute__((returns_nonnull));

/* On the control loop: answers what is open, and all that may still come, with ERR_SHUTDOWN, and lets go of
 * the caller's reference. */
void desk_close(struct desk *d);
struct desk *desk_ref(struct desk *d); /* thread-safe */
void desk_unref(struct desk *d);       /* thread-safe */

/* On a worker's loop; as cache_get, answered on that loop. refused may be NULL. The answer does not come once
 * worker_mail is closed. */
struct desk_op *desk_ask(struct desk *d, struct mailbox *worker_mail, struct credentials *refused,
			 cache_cb cb, void *arg);
void desk_cancel(struct desk_op *op); /* on the worker's loop */

#endif
