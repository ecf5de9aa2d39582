/* What the secret sources of AWS have in common. A value is kept on the control loop: credentials, a secret. A source, on a
 * worker's loop, holds the last one it heard of and answers from it; it asks the desk for another when there is none, now and
 * then when there is, and, at a bounded rate, when a server refused what came of it. */
#ifndef PGIAM_AWS_SOURCE_H
#define PGIAM_AWS_SOURCE_H

#include "aws/desk.h"
#include "aws/skew.h"
#include "base/buf.h"
#include "base/list.h"
#include "base/secret_source.h"

/* The longest answer: PostgreSQL takes no longer password (token.h). */
#define SOURCE_ANSWER_MAX 65530

struct source;

struct source_life {
	int64_t expires_wall_us; /* 0: not known to end */
	bool renewable;          /* asking can bring another */
};

/* A kind of source. Constant; its `ops` begin with source_first, source_start, source_cancel and source_refused. */
struct source_kind {
	struct secret_source_ops ops; /* first */
	struct source_life (*life)(const void *value);
	/* What s->value, which lives, has to say to a request: into *a, where it points into the value, or into
	 * `made`, which is wiped. 0, or -1 with e set. */
	int (*answer)(const struct source *s, const struct secret_request *rq, struct buf *made,
		      struct secret_answer *a, struct err *e);
	/* Does a request lack something besides a value? Then the kind asks for it, and calls source_go_on once it is
	 * there. May be NULL. */
	bool (*lacks)(struct source *s, const struct secret_request *rq);
	bool names_user; /* its answers do */
};

/* The first member of every kind's own struct. */
struct source {
	struct secret_source base; /* first */
	struct loop *loop;
	struct mailbox *mail;
	struct desk *desk;
	const struct skew *skew;
	void *value;             /* the last heard of, or NULL */
	uint64_t no;             /* its number, as in secret_answer */
	void *before;            /* number no - 1, until an answer comes of value: a secret, and soon of no use; or NULL */
	void *refused;           /* given out and turned down by a server; or NULL */
	struct desk_op *asking;  /* non-NULL exactly while the desk is asked */
	uint64_t asked_us;       /* when, monotonic; 0: never */
	uint64_t demanded_us;    /* the last time on account of a refusal; 0: never */
	bool failed;             /* the last operation that ended brought nothing */
	struct list ops;         /* secret_op.node */
};

/* References desk and worker_mail; borrows skew (NULL: the clock is right) for the source's life. On the worker's
 * loop from then on. */
struct source_opts {
	struct desk *desk;
	const struct skew *skew;
	struct loop *worker;
	struct mailbox *worker_mail;
};
void source_init(struct source *s, const struct source_kind *kind, const struct source_opts *o);
void source_fini(struct source *s); /* with no operation pending */

/* Members of secret_source_ops. */
bool source_first(struct secret_source *base, const struct secret_request *rq);
struct secret_op *source_start(struct secret_source *base, const struct secret_request *rq, secret_cb cb, void *arg);
void source_cancel(struct secret_op *op);
bool source_refused(struct secret_source *base, uint64_t no);

/* What `lacks` told of is there, or, with e, it does not come: who waited for it is answered. */
void source_go_on(struct source *s, const struct err *e);

/* The value of this number, borrowed; NULL: it is not here any more, or there is none. */
const void *source_value(const struct source *s, uint64_t no);

/* The time as AWS has it. */
int64_t source_wall_us(const struct source *s);

static inline struct source *source_of(struct secret_source *s)
{
	return (struct source *)s; /* its first member */
}

#endif
