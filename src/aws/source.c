/* Whoever waits is answered a turn after the fact, from what there is then. The desk's failure does not matter while what
 * is here lives. */
#include "aws/source.h"

#include <stdlib.h>
#include "base/mem.h"

/* Refusals are answered with at most one demand for another value in this time. */
#define REFUSED_EVERY_US UINT64_C(10000000)
/* With somebody logging in the desk is asked that often whether there is another value: this one's end may be near, or
 * its file have changed. What is here is used meanwhile. */
#define ASK_EVERY_US UINT64_C(10000000)

/* What an operation waits for; nothing: its answer comes at the end of the turn. */
enum { WAIT_VALUE = 1, WAIT_LACKING = 2 };

struct secret_op {
	struct list node;
	struct defer defer;
	struct source *source;
	char *host, *user;
	uint16_t port;
	unsigned waits; /* WAIT_ ... */
	bool failed;    /* answered with err */
	struct err err;
	secret_cb cb;
	void *arg;
};

static const struct source_kind *kind_of(const struct source *s)
{
	return (const struct source_kind *)s->base.ops; /* its first member */
}

const void *source_value(const struct source *s, uint64_t no)
{
	return no == s->no ? s->value : no + 1 == s->no ? s->before : NULL;
}

int64_t source_wall_us(const struct source *s)
{
	return skew_wall_us(s->skew, loop_clock(s->loop));
}

static bool lives_for(const struct source *s, int64_t us)
{
	int64_t end = s->value ? kind_of(s)->life(s->value).expires_wall_us : 0;

	return s->value && (end == 0 || source_wall_us(s) + us < end);
}

static void replace(struct source *s, void **slot, void *value)
{
	desk_value_ref(s->desk, value);
	desk_value_unref(s->desk, *slot);
	*slot = value;
}

/* ---- answering ---- */

static void op_free(struct secret_op *op)
{
	free(op->host);
	free(op->user);
	free(op);
}

static void answer(void *arg)
{
	struct secret_op *op = arg;
	struct source *s = op->source;
	const struct secret_request rq = {.host = op->host, .port = op->port, .user = op->user};
	struct secret_answer a = {.user = NULL};
	void *value = NULL;
	struct buf made;

	list_del(&op->node);
	buf_init_secret(&made, SOURCE_ANSWER_MAX);
	if (!op->failed)
		op->failed = kind_of(s)->answer(s, &rq, &made, &a, &op->err) != 0;
	if (!op->failed) {
		value = desk_value_ref(s->desk, s->value);
		a.no = s->no;
		replace(s, &s->before, NULL);
	}
	s->failed = op->failed;
	op->cb(op->arg, op->failed ? NULL : &a, op->failed ? &op->err : NULL);
	desk_value_unref(s->desk, value);
	buf_free(&made);
	op_free(op);
}

/* ---- asking ---- */

/* Whoever waited for this does so no longer: it goes on, or fails with e. */
static void heard_for(struct source *s, unsigned what, const struct err *e)
{
	list_each(node, tmp, &s->ops)
	{
		struct secret_op *op = container_of(node, struct secret_op, node);

		if (!(op->waits & what))
			continue;
		op->waits &= ~what;
		if (e) {
			op->failed = true;
			op->err = *e;
			op->waits = 0;
		}
		if (!op->waits)
			defer_set(&op->defer);
	}
}

static void heard(void *arg, void *value, const struct err *e)
{
	struct source *s = arg;

	s->asking = NULL;
	if (value && value != s->value) {
		replace(s, &s->before, s->value);
		replace(s, &s->value, value);
		s->no++;
	}
	if (s->value != s->refused)
		replace(s, &s->refused, NULL); /* a secret, and nobody asks for it any more */
	heard_for(s, WAIT_VALUE, lives_for(s, 0) ? NULL : e);
}

void source_go_on(struct source *s, const struct err *e)
{
	heard_for(s, WAIT_LACKING, e);
}

static void ask(struct source *s)
{
	if (s->asking)
		return;
	s->asked_us = loop_now_us(s->loop);
	s->asking = desk_ask(s->desk, s->mail, s->refused, heard, s);
}

/* Has a new operation to wait for the desk? Asks it where that is due. */
static bool must_wait(struct source *s)
{
	bool refused = s->value && s->value == s->refused;
	bool recently = s->asked_us && loop_now_us(s->loop) < s->asked_us + ASK_EVERY_US;

	if (!lives_for(s, CACHE_RESERVE_US)) {
		/* Little life left and asked a moment ago: there is no other. None left: the desk bounds the
		 * rate. */
		if (lives_for(s, 0) && recently)
			return s->asking != NULL;
		ask(s);
		return true;
	}
	if (kind_of(s)->life(s->value).renewable && !recently)
		ask(s);
	return refused && s->asking;
}

/* Is there nothing to answer with at once? Or only what was of no use just now. */
bool source_first(struct secret_source *base, const struct secret_request *rq)
{
	struct source *s = source_of(base);

	return kind_of(s)->names_user || s->failed || !lives_for(s, 0) || (s->asking && s->value == s->refused) ||
	       (kind_of(s)->lacks && kind_of(s)->lacks(s, rq));
}

struct secret_op *source_start(struct secret_source *base, const struct secret_request *rq, secret_cb cb, void *arg)
{
	struct source *s = source_of(base);
	struct secret_op *op = mem_zalloc(sizeof(*op));

	op->source = s;
	op->host = mem_strdup(rq->host);
	op->port = rq->port;
	op->user = mem_strdup(rq->user);
	op->cb = cb;
	op->arg = arg;
	list_add_tail(&s->ops, &op->node);
	defer_init(&op->defer, s->loop, answer, op);
	op->waits = (must_wait(s) ? WAIT_VALUE : 0) |
		    (kind_of(s)->lacks && kind_of(s)->lacks(s, rq) ? WAIT_LACKING : 0);
	if (!op->waits)
		defer_set(&op->defer);
	return op;
}

void source_cancel(struct secret_op *op)
{
	list_del(&op->node);
	defer_clear(&op->defer);
	op_free(op);
}

/* One more try makes sense only with another value: what is made of one is never old here. */
bool source_refused(struct secret_source *base, uint64_t no)
{
	struct source *s = source_of(base);
	uint64_t now = loop_now_us(s->loop);

	if (no != s->no || (s->asking && s->refused == s->value))
		return true;
	if (!kind_of(s)->life(s->value).renewable || (s->demanded_us && now < s->demanded_us + REFUSED_EVERY_US))
		return false;
	replace(s, &s->refused, s->value);
	s->demanded_us = now;
	if (s->asking) {
		/* What is under way was asked without knowing of the refusal. */
		desk_cancel(s->asking);
		s->asking = NULL;
	}
	ask(s);
	return true;
}

/* ---- life ---- */

void source_init(struct source *s, const struct source_kind *kind, const struct source_opts *o)
{
	s->base.ops = &kind->ops;
	s->loop = o->worker;
	s->mail = mailbox_ref(o->worker_mail);
	s->desk = desk_ref(o->desk);
	s->skew = o->skew;
	list_init(&s->ops);
}

void source_fini(struct source *s)
{
	if (s->asking)
		desk_cancel(s->asking);
	desk_value_unref(s->desk, s->value);
	desk_value_unref(s->desk, s->before);
	desk_value_unref(s->desk, s->refused);
	desk_unref(s->desk);
	mailbox_unref(s->mail);
}
