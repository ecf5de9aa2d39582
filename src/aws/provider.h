/* One way to come by AWS credentials: the environment, a file, an HTTP endpoint, or a chain of them. Lives on
 * the control loop. */
#ifndef PGIAM_AWS_PROVIDER_H
#define PGIAM_AWS_PROVIDER_H

#include "aws/credentials.h"

struct loop;

enum provider_result {
	PROVIDER_CREDENTIALS,
	PROVIDER_NOT_CONFIGURED, /* nothing asks for this provider: the next one's turn */
	PROVIDER_FAILED, /* something asks for it, and it did not work: no other may stand in, or a login
			    would silently run under another identity */
};

/* Borrowed: valid during the callback. */
struct provider_answer {
	enum provider_result result;
	struct credentials *creds; /* PROVIDER_CREDENTIALS; ref to keep */
	const struct err *e;       /* the other two: why */
};

/* Comes once, never inside start, never after cancel. */
typedef void (*provider_cb)(void *arg, const struct provider_answer *a);

struct provider;
struct provider_op;

struct provider_ops {
	const char *name; /* "env" */
	struct provider_op *(*start)(struct provider *p, provider_cb cb, void *arg);
	void (*cancel)(struct provider_op *op);
	void (*free)(struct provider *p); /* with no operation pending */
};

/* Implementations embed this as their first member. */
struct provider {
	const struct provider_ops *ops;
};

/* Implementations embed this as the first member of their operation. */
struct provider_op {
	struct provider *provider;
};

static inline struct provider_op *provider_start(struct provider *p, provider_cb cb, void *arg)
{
	return p->ops->start(p, cb, arg);
}

/* NULL is fine. */
static inline void provider_cancel(struct provider_op *op)
{
	if (op)
		op->provider->ops->cancel(op);
}

/* NULL is fine. */
static inline void provider_free(struct provider *p)
{
	if (p)
		p->ops->free(p);
}

/* The providers there are, each in its own file. env is borrowed for the provider's life. */
struct provider *provider_env_new(struct loop *l, const char *const *env);

/* What provider_env answers, at once: 0 with *out owned, 0 with *out NULL and e saying why (not configured),
 * -1 with e (failed). Pure. */
int provider_env_read(const char *const *env, struct credentials **out, struct err *e);

#endif
