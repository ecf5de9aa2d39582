/* Gives what it holds: how it is read, and what the stages of a secret mean, is the store's and its reader's. */
#include "aws/source_secret.h"

#include <stdlib.h>
#include "aws/date.h"
#include "aws/secret_value.h"
#include "base/enc.h"
#include "base/mem.h"

struct source_secret {
	struct source source; /* first */
	char *from;
	const char *hint;
};

static struct source_life life(const void *value)
{
	const struct secret_value *v = value;

	return (struct source_life){.expires_wall_us = v->expires_wall_us, .renewable = true};
}

static int give(const struct source *s, const struct secret_request *rq, struct buf *made, struct secret_answer *a,
		struct err *e)
{
	const struct secret_value *v = s->value;

	(void)rq;
	(void)made;
	(void)e;
	*a = (struct secret_answer){.secret = secret_slice(&v->password), .user = v->user};
	return 0;
}

static void explain_expiry(const struct source *s, const struct secret_value *v, struct err *e)
{
	char clock[DATE_RFC3339_SIZE], span[DATE_SPAN_SIZE];
	int64_t now = source_wall_us(s);
	bool alive = secret_value_valid_at(v, now);

	if (v->expires_wall_us == 0)
		return;
	date_format_rfc3339(now, clock);
	date_format_span(v->expires_wall_us - now, span);
	err_detail(e, "It %s %s%s; this machine's clock shows %s.", alive ? "expires in" : "expired", span,
		   alive ? "" : " ago", clock);
}

static void explain(struct secret_source *base, const struct secret_request *rq, uint64_t no, struct err *e)
{
	const struct source_secret *s = (const struct source_secret *)source_of(base);
	const struct secret_value *given = source_value(&s->source, no);
	struct buf user;

	if (!given)
		return;
	buf_init(&user, 256);
	enc_printable(&user, slice_str(rq->user), 128);
	err_detail(e, "The password of user \"%s\" is from %s (%s%s%s).", buf_cstr(&user), s->from, given->how,
		   given->version[0] ? ", version " : "", given->version);
	buf_free(&user);
	explain_expiry(&s->source, given, e);
	if (given->host)
		err_detail(e, "The secret says it is for %s, port %u, database %s; the login was at %s:%u.", given->host,
			   given->port ? given->port : 5432, given->dbname ? given->dbname : "postgres", rq->host,
			   rq->port);
	err_hint(e, "%s", s->hint);
}

static void secret_free(struct secret_source *base)
{
	struct source_secret *s = (struct source_secret *)source_of(base);

	source_fini(&s->source);
	free(s->from);
	free(s);
}

static const struct source_kind kind = {
	.ops = {.kind = SECRET_PASSWORD,
		.first = source_first,
		.start = source_start,
		.cancel = source_cancel,
		.refused = source_refused,
		.explain = explain,
		.free = secret_free},
	.life = life,
	.answer = give,
	.names_user = true,
};

struct secret_source *source_secret_new(const struct source_secret_opts *o)
{
	struct source_secret *s = mem_zalloc(sizeof(*s));

	source_init(&s->source, &kind, &o->source);
	s->from = mem_strdup(o->from);
	s->hint = o->hint;
	return &s->source.base;
}
