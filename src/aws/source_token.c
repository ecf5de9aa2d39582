/* Tokens are minted when they are asked for and kept nowhere: five HMACs cost less than a cache's mistakes. What is kept
 * is the credentials. Another desk is asked for the region where nothing here tells it. */
#include "aws/source_token.h"

#include <stdlib.h>
#include "aws/source_explain.h"
#include "aws/token_kind.h"
#include "base/mem.h"

_Static_assert(SOURCE_ANSWER_MAX >= TOKEN_MAX, "a token is an answer");

struct source_token {
	struct source source; /* first */
	const char *const *env;
	enum aws_token token;
	struct desk *region_desk;      /* or NULL */
	struct desk_op *asking_region; /* non-NULL exactly while it is asked */
	char *region;                  /* explicit or found, or NULL */
};

static struct source_token *token_of(struct source *s)
{
	return (struct source_token *)s; /* its first member */
}

static const struct source_token *const_token_of(const struct source *s)
{
	return (const struct source_token *)s;
}

static struct source_life life(const void *value)
{
	const struct credentials *c = value;

	return (struct source_life){.expires_wall_us = c->expires_wall_us, .renewable = c->renewable};
}

static int mint(const struct source *s, const struct secret_request *rq, struct buf *made, struct secret_answer *a,
		struct err *e)
{
	const struct source_token *t = const_token_of(s);
	char region[64];
	struct token_request token = {
		.host = rq->host,
		.port = rq->port,
		.user = rq->user,
		.region = region,
		.creds = s->value,
		.wall_us = source_wall_us(s),
	};

	if (aws_region(t->region, rq->host, t->env, region, NULL, e) != 0 ||
	    token_kind_get(t->token)->mint(&token, made, e) != 0)
		return -1;
	a->secret = buf_slice(made);
	return 0;
}

/* ---- the region ---- */

static void heard_region(void *arg, void *region, const struct err *e)
{
	struct source_token *t = arg;

	t->asking_region = NULL;
	t->region = mem_strdup(region);
	source_go_on(&t->source, e);
}

/* Nobody waits for what the host's name or the settings tell. */
static bool lacks_region(struct source *s, const struct secret_request *rq)
{
	struct source_token *t = token_of(s);
	char region[64];

	if (!t->region_desk || aws_region(t->region, rq->host, t->env, region, NULL, NULL) <= 0)
		return false;
	if (!t->asking_region)
		t->asking_region = desk_ask(t->region_desk, s->mail, NULL, heard_region, t);
	return true;
}

/* ---- the kind ---- */

static void explain(struct secret_source *base, const struct secret_request *rq, uint64_t no, struct err *e)
{
	const struct source *s = source_of(base);
	const struct source_token *t = const_token_of(s);
	const struct credentials *creds = source_value(s, no);
	char region[64] = "";

	if (aws_region(t->region, rq->host, t->env, region, NULL, NULL) != 0 || !creds)
		return;
	source_explain_refusal(rq, t->token, region, creds, source_wall_us(s), e);
	skew_hint(s->skew, e);
}

static void token_free(struct secret_source *base)
{
	struct source_token *t = token_of(source_of(base));

	if (t->asking_region)
		desk_cancel(t->asking_region);
	if (t->region_desk)
		desk_unref(t->region_desk);
	source_fini(&t->source);
	free(t->region);
	free(t);
}

static const struct source_kind kind = {
	.ops = {.kind = SECRET_IAM_TOKEN,
		.first = source_first,
		.start = source_start,
		.cancel = source_cancel,
		.refused = source_refused,
		.explain = explain,
		.free = token_free},
	.life = life,
	.answer = mint,
	.lacks = lacks_region,
};

struct secret_source *source_token_new(const struct source_token_opts *o)
{
	struct source_token *t = mem_zalloc(sizeof(*t));

	source_init(&t->source, &kind, &o->source);
	t->region_desk = o->region_desk ? desk_ref(o->region_desk) : NULL;
	t->env = o->env;
	t->token = o->token;
	t->region = mem_strdup(o->region);
	return &t->source.base;
}
