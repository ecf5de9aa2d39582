/* The role of the EC2 instance, by its metadata service: first the role's name, then its credentials.
 *
 * On a machine that is no EC2 instance nothing listens. Once it has given credentials it is known to be there, and
 * silence is a failure.
 *
 * Static stability: during an outage the service hands out credentials that have expired, or none, and AWS
 * goes on accepting the old ones. So expired ones, answered or remembered, are used on for a while. */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "aws/imds.h"
#include "aws/later.h"
#include "aws/reply.h"
#include "aws/skew.h"
#include "base/digest.h"
#include "base/mem.h"

#define NAME     "imds"
#define ROLES    "latest/meta-data/iam/security-credentials/"
#define ROLE_MAX 64
/* Expired credentials are used on for that long, and up to half as long again: then they are asked for anew.
 */
#define STABLE_US (INT64_C(10) * 60 * 1000000)

_Static_assert(sizeof(ROLES) + ROLE_MAX <= IMDS_PATH_MAX, "a path that is too long");

struct provider_imds {
	struct provider base;
	struct provider_deps deps;
	struct imds *imds;
	struct credentials *last; /* the last ones it gave, or NULL: it never answered */
};

struct provider_imds_op {
	struct later later;
	struct imds_op *asking;
	char role[ROLE_MAX + 1];
};

static struct provider_imds *imds_of(struct provider_imds_op *op)
{
	return (struct provider_imds *)op->later.base.provider;
}

static int64_t wall_us(const struct provider_imds *p)
{
	return skew_wall_us(p->deps.skew, loop_clock(p->deps.loop));
}

/* ---- ends ---- */

/* Takes creds. */
static void succeed(struct provider_imds_op *op, struct credentials *creds)
{
	struct provider_imds *p = imds_of(op);
	int64_t now = wall_us(p);

	credentials_unref(p->last);
	p->last = creds;
	if (!credentials_valid_at(creds, now)) {
		uint64_t r;

		digest_random(&r, sizeof(r));
		creds = credentials_with_expiry(creds, now + STABLE_US + (int64_t)(r % (STABLE_US / 2)));
		log_warning(loop_log(p->deps.loop), "imds has only expired credentials, used on");
	} else {
		credentials_ref(creds);
	}
	later_give(&op->later, creds);
}

/* The operation's err says why. */
static void fail(struct provider_imds_op *op, struct provider_answer a)
{
	struct provider_imds *p = imds_of(op);

	a.e = &op->later.err;
	if (p->last && !credentials_valid_at(p->last, wall_us(p))) {
		log_warning(loop_log(p->deps.loop), "imds does not answer", LERR(&op->later.err));
		succeed(op, credentials_ref(p->last));
		return;
	}
	if (p->last)
		a.result = PROVIDER_FAILED; /* it is there: nobody else may stand in */
	later_finish(&op->later, &a);
}

static void fail_answer(struct provider_imds_op *op)
{
	fail(op, (struct provider_answer){.result = PROVIDER_FAILED, .cause = PROVIDER_CAUSE_ANSWER});
}

static void fail_asking(struct provider_imds_op *op, const struct imds_answer *i)
{
	op->later.err = *i->e;
	fail(op, (struct provider_answer){
			 .result = i->result, .cause = i->cause, .retry_after_us = i->retry_after_us});
}

/* ---- answers ---- */

/* The first line. It will be in messages: the session's token said back is none. */
static bool take_role(struct provider_imds_op *op, const struct imds_answer *a)
{
	struct slice body = a->body;
	size_t n = 0;

	while (n < body.n && body.p[n] != '\n' && body.p[n] != '\r')
		n++;
	if (n == 0 || n > ROLE_MAX || mask_finds(a->mask, slice_of(body.p, n)))
		return false;
	for (size_t i = 0; i < n; i++) {
		if (!isalnum(body.p[i]) && !strchr("_+=,.@-", body.p[i]))
			return false;
	}
	snprintf(op->role, sizeof(op->role), "%.*s", (int)n, (const char *)body.p);
	return true;
}

/* Owned, or NULL with the operation's err set. A status of 200 may carry a failure. */
static struct credentials *take_keys(struct provider_imds_op *op, const struct imds_answer *a)
{
	struct json *j = json_parse(a->body);
	struct slice code = json_string(j, "Code");
	struct credentials *c = NULL;
	struct reply_error said;

	if (code.n > 0 && !slice_eq_str(code, "Success")) {
		reply_error_read(a->body, slice_of(NULL, 0), a->mask, &said);
		err_set(&op->later.err, ERR_CREDENTIALS, NAME ": no credentials for role %s: %s", op->role,
			said.code);
		err_detail(&op->later.err, "%s", said.message);
	} else {
		c = reply_credentials(j, REPLY_INSTANCE, NAME, &op->later.err);
	}
	json_free(j);
	return c;
}

static void keys_heard(void *arg, const struct imds_answer *i)
{
	struct provider_imds_op *op = arg;
	struct credentials *creds;

	op->asking = NULL;
	if (i->e) {
		fail_asking(op, i);
		return;
	}
	creds = take_keys(op, i);
	if (creds)
		succeed(op, creds);
	else
		fail_answer(op);
}

static void role_heard(void *arg, const struct imds_answer *i)
{
	struct provider_imds_op *op = arg;
	char path[IMDS_PATH_MAX];

	op->asking = NULL;
	if (i->e && i->status == 404) {
		err_set(&op->later.err, ERR_CREDENTIALS, NAME ": this instance has no role");
		err_hint(&op->later.err, "Attach an instance profile to it.");
		fail(op, (struct provider_answer){.result = PROVIDER_NOT_CONFIGURED, .cause = i->cause});
	} else if (i->e) {
		fail_asking(op, i);
	} else if (!take_role(op, i)) {
		err_set(&op->later.err, ERR_CREDENTIALS, NAME ": what the metadata service gave is no role's name");
		fail_answer(op);
	} else {
		snprintf(path, sizeof(path), "%s%s", ROLES, op->role);
		op->asking = imds_get(imds_of(op)->imds, path, keys_heard, op);
	}
}

/* ---- the provider ---- */

static struct provider_op *start(struct provider *base, provider_cb cb, void *arg)
{
	struct provider_imds *p = (struct provider_imds *)base;
	struct provider_imds_op *op = later_new(sizeof(*op), base, p->deps.loop, NULL, cb, arg);

	op->asking = imds_get(p->imds, ROLES, role_heard, op);
	return &op->later.base;
}

static void cancel(struct provider_op *base)
{
	struct provider_imds_op *op = (struct provider_imds_op *)base;

	imds_cancel(op->asking);
	later_free(&op->later);
}

static void free_imds(struct provider *base)
{
	struct provider_imds *p = (struct provider_imds *)base;

	imds_free(p->imds);
	credentials_unref(p->last);
	free(p);
}

static const struct provider_ops ops = {.name = NAME, .start = start, .cancel = cancel, .free = free_imds};

struct provider *provider_imds_new(const struct provider_deps *d)
{
	struct provider_imds *p = mem_zalloc(sizeof(*p));

	p->base.ops = &ops;
	p->deps = *d;
	p->imds = imds_new(d);
	return &p->base;
}
