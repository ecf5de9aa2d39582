/* What operations of providers have in common: one callback, which ends them and may not come inside start. What is
 * known there already, that a variable is not set, say, is answered a turn later. On the control loop. */
#ifndef PGIAM_AWS_LATER_H
#define PGIAM_AWS_LATER_H

#include "aws/provider.h"
#include "io/loop.h"

/* Operations embed this as their first member. */
struct later {
	struct provider_op base;
	struct err err; /* the operation's: why there are no credentials, ... */
	enum provider_cause cause; /* ... and, as later_answer tells it; at first the settings of this machine */
	/* later.c's */
	enum provider_result result;
	struct credentials *creds;
	struct defer defer;
	void (*fini)(struct later *l);
	provider_cb cb;
	void *arg;
};

/* An operation of p, of that many bytes, zero behind its first member. fini frees what it holds besides; NULL: nothing. */
void *later_new(size_t size, struct provider *p, struct loop *loop, void (*fini)(struct later *l), provider_cb cb,
		void *arg) __attribute__((returns_nonnull));

/* At the end of the turn it is over: with creds (taken), or, if that is NULL, with result, err and cause. */
void later_answer(struct later *l, enum provider_result result, struct credentials *creds);

/* It is over: the callback comes now, the operation is freed. */
void later_finish(struct later *l, const struct provider_answer *a);
void later_give(struct later *l, struct credentials *creds); /* takes creds */

/* It is over without a callback: cancel's last step. */
void later_free(struct later *l);

#endif
