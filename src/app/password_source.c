/* The file's password is not kept: what was given last is remembered by its digest only, to tell after a
 * refusal whether the file says something else by now. */
#include <stdlib.h>
#include "app/password_source.h"
#include "base/digest.h"
#include "base/mem.h"
#include "base/regular.h"
#include "base/secret.h"

struct source {
	struct secret_source base; /* first */
	struct loop *loop;
	char *file;
	struct secret password;
	uint64_t no; /* of what was given last; 0: nothing */
	bool failed; /* the last time nothing could be given */
	unsigned char digest[DIGEST_SHA256_BYTES]; /* of that */
};

struct secret_op {
	struct source *source;
	struct defer defer;
	secret_cb cb;
	void *arg;
};

int password_source_read(const char *file, struct buf *out, struct err *e)
{
	if (regular_read(file, ERR_IO, out, NULL, e) != 0)
		return err_prefix(e, "password_file");
	if (out->n > 0 && out->p[out->n - 1] == '\n')
		out->n--;
	if (out->n > 0 && out->p[out->n - 1] == '\r')
		out->n--;
	if (out->n == 0)
		return err_set(e, ERR_IO, "password_file: %s is empty", file);
	if (memchr(out->p, '\0', out->n))
		return err_set(e, ERR_IO, "password_file: there is a NUL in %s", file);
	return 0;
}

static int current(const struct source *s, struct buf *out, struct err *e)
{
	buf_init_secret(out, PASSWORD_SOURCE_MAX);
	if (s->file)
		return password_source_read(s->file, out, e);
	buf_add_slice(out, secret_slice(&s->password));
	return 0;
}

/* digest: of the secret. */
static bool is_other(const struct source *s, struct slice secret, unsigned char digest[DIGEST_SHA256_BYTES])
{
	digest_sha256(secret, digest);
	return s->no == 0 || memcmp(digest, s->digest, DIGEST_SHA256_BYTES) != 0;
}

static void note_given(struct source *s, struct slice secret)
{
	unsigned char digest[DIGEST_SHA256_BYTES];

	if (!is_other(s, secret, digest))
		return;
	memcpy(s->digest, digest, sizeof(digest));
	s->no++;
}

static void answer(void *arg)
{
	struct secret_op *op = arg;
	struct source *s = op->source;
	secret_cb cb = op->cb;
	void *cb_arg = op->arg;
	struct err e;
	struct buf secret;
	int rc;

	free(op); /* nothing is pending when the callback comes */
	rc = current(s, &secret, &e);
	s->failed = rc != 0;
	if (rc == 0) {
		note_given(s, buf_slice(&secret));
		cb(cb_arg, &(struct secret_answer){.secret = buf_slice(&secret), .no = s->no}, NULL);
	} else {
		cb(cb_arg, NULL, &e);
	}
	buf_free(&secret);
}

/* A server that lets everybody in needs no password: a file is looked at when one is asked for. */
static bool first(struct secret_source *base, const struct secret_request *rq)
{
	(void)rq;
	return ((const struct source *)base)->failed;
}

static struct secret_op *start(struct secret_source *base, const struct secret_request *rq, secret_cb cb,
			       void *arg)
{
	struct source *s = (struct source *)base;
	struct secret_op *op = mem_zalloc(sizeof(*op));

	(void)rq;
	op->source = s;
	op->cb = cb;
	op->arg = arg;
	defer_init(&op->defer, s->loop, answer, op);
	defer_set(&op->defer);
	return op;
}

static void cancel(struct secret_op *op)
{
	defer_clear(&op->defer);
	free(op);
}

/* Does the file hold another password than the one refused? */
static bool refused(struct secret_source *base, uint64_t no)
{
	const struct source *s = (const struct source *)base;
	unsigned char digest[DIGEST_SHA256_BYTES];
	struct buf secret;
	bool changed;

	if (no != s->no)
		return true;
	if (!s->file)
		return false;
	changed = current(s, &secret, NULL) == 0 && is_other(s, buf_slice(&secret), digest);
	buf_free(&secret);
	return changed;
}

static void explain(struct secret_source *base, const struct secret_request *rq, uint64_t no, struct err *e)
{
	const struct source *s = (const struct source *)base;

	(void)no;
	if (s->file)
		err_detail(e, "The password of user \"%s\" is from %s.", rq->user, s->file);
	else
		err_detail(e, "The password of user \"%s\" is from the configuration.", rq->user);
}

static void source_free(struct secret_source *base)
{
	struct source *s = (struct source *)base;

	free(s->file);
	secret_clear(&s->password);
	mem_free_wipe(s, sizeof(*s));
}

static const struct secret_source_ops ops = {.kind = SECRET_PASSWORD,
					     .first = first,
					     .start = start,
					     .cancel = cancel,
					     .refused = refused,
					     .explain = explain,
					     .free = source_free};

struct secret_source *password_source_new(const struct conf_secret *conf, struct loop *l)
{
	struct source *s = mem_zalloc(sizeof(*s));

	s->base.ops = &ops;
	s->loop = l;
	s->file = mem_strdup(conf->password_file);
	if (conf->password)
		secret_set(&s->password, slice_str(conf->password));
	return &s->base;
}
