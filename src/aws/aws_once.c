/* For commands that need credentials once and have no loop: the same providers, run on a loop of their own. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "aws/aws.h"
#include "aws/endpoint.h"
#include "aws/kit.h"
#include "aws/region_finder.h"
#include "aws/sts.h"
#include "base/mem.h"
#include "io/offload.h"

/* Beyond what each step has for itself (a credential_process a minute, a call of a service half of one): that says why. */
#define ONCE_TIMEOUT_US UINT64_C(120000000)
#define OFFLOAD_QUEUE   8

/* A loop, and what providers want beside it. */
struct workshop {
	struct loop *loop;
	struct mailbox *mail;
	struct offload *offload;
	struct kit *kit;
};

static int workshop_open(struct workshop *w, const char *const *env, struct err *e)
{
	memset(w, 0, sizeof(*w));
	w->loop = loop_new(clock_system(), NULL, e);
	w->mail = w->loop ? mailbox_new(w->loop, NULL, e) : NULL;
	w->offload = w->mail ? offload_new(OFFLOAD_QUEUE, e) : NULL;
	w->kit = w->offload ? kit_new(w->loop, env, w->offload, w->mail, e) : NULL;
	return w->kit ? 0 : -1;
}

static void workshop_close(struct workshop *w)
{
	kit_free(w->kit);
	offload_free(w->offload);
	if (w->mail) {
		mailbox_close(w->mail);
		mailbox_unref(w->mail);
	}
	loop_free(w->loop);
}

static int64_t measured_skew(const struct workshop *w)
{
	int64_t us = atomic_load(&w->kit->skew.measured_us);

	return llabs(us) < SKEW_IGNORED_US ? 0 : us;
}

/* ---- the credentials ---- */

struct once {
	struct provider_op *op;
	struct aws_who *who;
};

static void heard(void *arg, const struct provider_answer *a)
{
	struct once *o = arg;

	o->op = NULL;
	o->who->creds = credentials_ref(a->creds);
	free(o->who->skipped);
	o->who->skipped = mem_strdup(a->skipped ? a->skipped : "");
	if (a->e)
		o->who->why = *a->e;
}

static void ask_provider(struct workshop *w, const struct aws_whose *whose, struct aws_who *who)
{
	struct provider *provider = identity_provider(&w->kit->deps, &whose->identity, whose->only_provider);
	struct once o = {.who = who};
	uint64_t begin = loop_now_us(w->loop);

	o.op = provider_start(provider, heard, &o);
	while (o.op && loop_now_us(w->loop) - begin < ONCE_TIMEOUT_US)
		loop_turn(w->loop, 100000);
	if (o.op) {
		provider_cancel(o.op);
		err_set(&who->why, ERR_CREDENTIALS, "no credentials came within %u s",
			(unsigned)(ONCE_TIMEOUT_US / 1000000));
	}
	provider_free(provider);
}

/* ---- STS ---- */

struct identity {
	struct sts *sts;
	struct aws_who *who;
};

static void identified(void *arg, const struct sts_answer *a)
{
	struct identity *i = arg;

	i->sts = NULL;
	if (a->e)
		i->who->why = *a->e;
	i->who->arn = mem_strdup(a->arn);
	i->who->account = mem_strdup(a->account);
}

static void ask_sts(struct workshop *w, const char *region, struct aws_who *who)
{
	struct sts_request rq = {
		.action = STS_CALLER_IDENTITY, .provider = "sts", .region = region, .source = who->creds};
	struct identity i = {.who = who};
	uint64_t begin = loop_now_us(w->loop);

	i.sts = sts_start(&w->kit->deps, &rq, identified, &i);
	while (i.sts && loop_now_us(w->loop) - begin < ONCE_TIMEOUT_US)
		loop_turn(w->loop, 100000);
	if (i.sts) {
		sts_cancel(i.sts);
		err_set(&who->why, ERR_CREDENTIALS, "STS did not answer within %u s",
			(unsigned)(ONCE_TIMEOUT_US / 1000000));
	}
}

/* ---- the region ---- */

struct region_once {
	struct region_finder_op *op;
	char *out;
	struct err *e;
	int rc;
};

static void region_heard(void *arg, const char *region, const struct err *e)
{
	struct region_once *o = arg;

	o->op = NULL;
	if (region) {
		snprintf(o->out, ENDPOINT_REGION_SIZE, "%s", region);
		o->rc = 0;
	} else if (o->e) {
		*o->e = *e;
	}
}

static int ask_region(struct workshop *w, const char *profile, char out[64], struct err *e)
{
	struct region_once o = {.out = out, .e = e, .rc = -1};
	uint64_t begin = loop_now_us(w->loop);

	o.op = region_finder_get(w->kit->deps.region, profile, region_heard, &o);
	while (o.op && loop_now_us(w->loop) - begin < ONCE_TIMEOUT_US)
		loop_turn(w->loop, 100000);
	if (o.op) {
		region_finder_cancel(o.op);
		err_set(e, ERR_REGION, "nobody told the region within %u s",
			(unsigned)(ONCE_TIMEOUT_US / 1000000));
	}
	return o.rc;
}

/* ---- commands ---- */

int aws_region_once(const struct aws_region_from *from, char out[64], char warning[256], struct err *e)
{
	int rc = aws_region_find(from, out, warning, e);
	struct workshop w;

	if (rc <= 0)
		return rc;
	if (workshop_open(&w, from->env, e) == 0)
		rc = ask_region(&w, from->profile, out, e);
	workshop_close(&w);
	return rc == 0 ? 0 : -1;
}

struct credentials *aws_credentials_once(const struct aws_whose *whose, int64_t *skew_us, struct err *e)
{
	struct aws_who who = {.skipped = mem_strdup("")};
	struct credentials *creds;
	struct workshop w;

	*skew_us = 0;
	if (workshop_open(&w, whose->env, &who.why) == 0) {
		ask_provider(&w, whose, &who);
		*skew_us = measured_skew(&w);
	}
	workshop_close(&w);
	if (!who.creds)
		*e = who.why;
	creds = credentials_ref(who.creds);
	aws_who_free(&who);
	return creds;
}

int aws_who_once(const struct aws_whose *whose, struct aws_who *who)
{
	struct workshop w;

	memset(who, 0, sizeof(*who));
	who->skipped = mem_strdup("");
	if (workshop_open(&w, whose->env, &who->why) == 0) {
		ask_provider(&w, whose, who);
		if (who->creds)
			ask_sts(&w, whose->identity.region, who);
		who->skew_us = measured_skew(&w);
	}
	workshop_close(&w);
	return who->arn ? 0 : -1;
}

void aws_who_free(struct aws_who *who)
{
	credentials_unref(who->creds);
	free(who->arn);
	free(who->account);
	free(who->skipped);
}
