/* Tokens are minted when they are asked for and kept nowhere: five HMACs cost less than a cache's mistakes.
 * What is kept is the credentials; the desk is asked when there are none with life enough, or when a server
 * refused them. Another desk is asked for the region where nothing here tells it. */
#include "aws/source.h"

#include <stdlib.h>
#include "aws/aws.h"
#include "aws/source_explain.h"
#include "aws/token.h"
#include "base/list.h"
#include "base/mem.h"

/* Refusals are answered with at most one demand for new credentials in this time. */
#define REFUSED_EVERY_US UINT64_C(10000000)
/* Credentials this near their end are still used, but the desk is asked for others meanwhile ... */
#define AHEAD_US CACHE_AHEAD_US
/* ... that often. */
#define ASK_EVERY_US UINT64_C(10000000)

struct source {
	struct secret_source base;
	struct loop *loop;
	struct mailbox *mail;
	struct desk *desk;
	struct desk *region_desk; /* or NULL */
	const char *const *env;
	const struct skew *skew;
	enum aws_token token;
	char *region;                /* explicit or found, or NULL */
	struct credentials *creds;   /* the last ones heard of, or NULL */
	struct credentials *refused; /* given out and turned down by a server; or NULL */
	struct credentials *given;   /* signed the last token; or NULL */
	struct desk_op *asking;      /* non-NULL exactly while the desk is asked */
	struct desk_op *asking_region; /* the same of the region's desk */
	uint64_t asked_us;           /* when, monotonic; 0: never */
	uint64_t demanded_us;        /* the last time on account of a refusal; 0: never */
	struct list ops;             /* secret_op.node */
};

/* What an operation waits for; nothing: its answer comes at the end of the turn. */
enum { WAIT_CREDENTIALS = 1, WAIT_REGION = 2 };

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

static struct source *source_of(struct secret_source *s)
{
	return (struct source *)s; /* its first member */
}

static int64_t wall_us(const struct source *s)
{
	return skew_wall_us(s->skew, loop_clock(s->loop));
}

static bool lives_for(const struct source *s, int64_t us)
{
	return s->creds && credentials_valid_at(s->creds, wall_us(s) + us);
}

static void replace(struct credentials **slot, struct credentials *c)
{
	credentials_ref(c);
	credentials_unref(*slot);
	*slot = c;
}

static int mint(struct secret_op *op, struct buf *token, struct err *e)
{
	struct source *s = op->source;
	char region[64];
	struct token_request rq = {
		.host = op->host,
		.port = op->port,
		.user = op->user,
		.region = region,
		.creds = s->creds,
		.wall_us = wall_us(s),
	};

	if (aws_region(s->region, op->host, s->env, region, NULL, e) != 0)
		return -1;
	return s->token == AWS_TOKEN_DSQL ? token_dsql(&rq, token, e) : token_rds(&rq, token, e);
}

static void answer(void *arg)
{
	struct secret_op *op = arg;
	struct source *s = op->source;
	struct secret_answer a = {.user = NULL};
	struct buf token;

	list_del(&op->node);
	buf_init_secret(&token, TOKEN_MAX);
	if (!op->failed && mint(op, &token, &op->err) != 0)
		op->failed = true;
	if (!op->failed)
		replace(&s->given, s->creds);
	a.secret = buf_slice(&token);
	op->cb(op->arg, op->failed ? NULL : &a, op->failed ? &op->err : NULL);
	buf_free(&token);
	free(op->host);
	free(op->user);
	free(op);
}

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

static void heard(void *arg, void *creds, const struct err *e)
{
	struct source *s = arg;

	s->asking = NULL;
	if (creds)
		replace(&s->creds, creds);
	/* The desk's failure does not matter while what is here still lives. */
	heard_for(s, WAIT_CREDENTIALS, lives_for(s, 0) ? NULL : e);
}

static void heard_region(void *arg, void *region, const struct err *e)
{
	struct source *s = arg;

	s->asking_region = NULL;
	s->region = mem_strdup(region);
	heard_for(s, WAIT_REGION, e);
}

static void ask(struct source *s)
{
	if (s->asking)
		return;
	s->asked_us = loop_now_us(s->loop);
	s->asking = desk_ask(s->desk, s->mail, s->refused, heard, s);
}

/* Has this operation to wait for the desk? Asks it where that is due. */
static bool must_wait(struct source *s)
{
	bool refused = s->creds && s->creds == s->refused;
	bool recently = s->asked_us && loop_now_us(s->loop) < s->asked_us + ASK_EVERY_US;

	if (!lives_for(s, CACHE_RESERVE_US)) {
		/* Little life left and asked a moment ago: there are no others. None left: the desk bounds
		 * the rate. */
		if (lives_for(s, 0) && recently)
			return s->asking != NULL;
		ask(s);
		return true;
	}
	if (!lives_for(s, AHEAD_US) && !recently)
		ask(s);
	return refused && s->asking;
}

/* Has this operation to wait for the region? Nobody waits for what the host's name or the settings tell. */
static bool must_wait_for_region(struct source *s, const char *host)
{
	char region[64];

	if (!s->region_desk || aws_region(s->region, host, s->env, region, NULL, NULL) <= 0)
		return false;
	if (!s->asking_region)
		s->asking_region = desk_ask(s->region_desk, s->mail, NULL, heard_region, s);
	return true;
}

static struct secret_op *source_start(struct secret_source *base, const struct secret_request *rq,
				      secret_cb cb, void *arg)
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
	op->waits = (must_wait(s) ? WAIT_CREDENTIALS : 0) |
		    (must_wait_for_region(s, rq->host) ? WAIT_REGION : 0);
	if (!op->waits)
		defer_set(&op->defer);
	return op;
}

static void source_cancel(struct secret_op *op)
{
	list_del(&op->node);
	defer_clear(&op->defer);
	free(op->host);
	free(op->user);
	free(op);
}

/* One more try makes sense only with other credentials: tokens are never old here. */
static bool source_refused(struct secret_source *base)
{
	struct source *s = source_of(base);
	uint64_t now = loop_now_us(s->loop);

	if (!s->given)
		return false;
	if (s->creds != s->given)
		return true;
	if (s->asking && s->refused == s->given)
		return true;
	if (!s->given->renewable || (s->demanded_us && now < s->demanded_us + REFUSED_EVERY_US))
		return false;
	replace(&s->refused, s->given);
	s->demanded_us = now;
	if (s->asking) {
		/* What is under way was asked without knowing of the refusal. */
		desk_cancel(s->asking);
		s->asking = NULL;
	}
	ask(s);
	return true;
}

static void source_explain(struct secret_source *base, const struct secret_request *rq, struct err *e)
{
	struct source *s = source_of(base);
	char region[64] = "";

	if (aws_region(s->region, rq->host, s->env, region, NULL, NULL) != 0 || !s->given)
		return;
	source_explain_refusal(rq, s->token, region, s->given, wall_us(s), e);
}

static void source_free(struct secret_source *base)
{
	struct source *s = source_of(base);

	if (s->asking)
		desk_cancel(s->asking);
	if (s->asking_region)
		desk_cancel(s->asking_region);
	if (s->region_desk)
		desk_unref(s->region_desk);
	credentials_unref(s->creds);
	credentials_unref(s->refused);
	credentials_unref(s->given);
	desk_unref(s->desk);
	mailbox_unref(s->mail);
	free(s->region);
	free(s);
}

static const struct secret_source_ops ops = {
	.kind = SECRET_IAM_TOKEN,
	.start = source_start,
	.cancel = source_cancel,
	.refused = source_refused,
	.explain = source_explain,
	.free = source_free,
};

struct secret_source *source_new(const struct source_opts *o)
{
	struct source *s = mem_zalloc(sizeof(*s));

	s->base.ops = &ops;
	s->loop = o->worker;
	s->mail = mailbox_ref(o->worker_mail);
	s->desk = desk_ref(o->desk);
	s->region_desk = o->region_desk ? desk_ref(o->region_desk) : NULL;
	s->env = o->env;
	s->skew = o->skew;
	s->token = o->token;
	s->region = mem_strdup(o->region);
	list_init(&s->ops);
	return &s->base;
}
