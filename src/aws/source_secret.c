/* Gives what it holds: what the stages of a secret mean is the store's. */
#include "aws/source_secret.h"

#include <stdlib.h>
#include "aws/secret_value.h"
#include "base/enc.h"
#include "base/mem.h"

struct source_secret {
	struct source source; /* first */
	char *id;
};

static struct source_life life(const void *value)
{
	(void)value;
	return (struct source_life){.renewable = true};
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

static void explain(struct secret_source *base, const struct secret_request *rq, struct err *e)
{
	const struct source_secret *s = (const struct source_secret *)source_of(base);
	const struct secret_value *given = s->source.given;
	struct buf user;

	if (!given)
		return;
	buf_init(&user, 256);
	enc_printable(&user, slice_str(rq->user), 128);
	err_detail(e, "The password of user \"%s\" is from the secret %s, version %s, read as %s.", buf_cstr(&user),
		   s->id, given->version, given->stage);
	buf_free(&user);
	if (given->host)
		err_detail(e, "The secret says it is for %s, port %u, database %s; the login was at %s:%u.", given->host,
			   given->port ? given->port : 5432, given->dbname ? given->dbname : "postgres", rq->host,
			   rq->port);
	err_hint(e, "If the secret was changed a moment ago, the next logins read it again; see also its rotation in "
		    "Secrets Manager.");
}

static void secret_free(struct secret_source *base)
{
	struct source_secret *s = (struct source_secret *)source_of(base);

	source_fini(&s->source);
	free(s->id);
	free(s);
}

static const struct source_kind kind = {
	.ops = {.kind = SECRET_PASSWORD,
		.names_user = true,
		.start = source_start,
		.cancel = source_cancel,
		.refused = source_refused,
		.explain = explain,
		.free = secret_free},
	.life = life,
	.answer = give,
};

struct secret_source *source_secret_new(const struct source_secret_opts *o)
{
	struct source_secret *s = mem_zalloc(sizeof(*s));

	source_init(&s->source, &kind, &o->source);
	s->id = mem_strdup(o->id);
	return &s->source.base;
}
