/* The files are read, the plan is made anew at each refresh: somebody who mends ~/.aws/config need not
 * restart anything. One after the other: the base's credentials, then each role with the credentials of the
 * one before. */
#include "aws/provider_profile.h"

#include <stdlib.h>
#include <string.h>
#include "aws/file.h"
#include "aws/later.h"
#include "aws/profile_load.h"
#include "aws/service.h"
#include "aws/sts.h"
#include "base/mem.h"

#define NAME           "profile"
#define TOKEN_FILE_MAX 20000

struct provider_profile {
	struct provider base;
	struct provider_deps deps;
	char *name; /* NULL: nobody named one */
	struct profile_marks read; /* the files as they were at the last refresh */
	/* What remembers something between refreshes (a metadata token); NULL before the first need. */
	struct provider *kept[PROFILE_PLAN_BASE_COUNT];
};

struct provider_profile_op {
	struct later later;
	struct profile_file *files;
	struct profile_plan plan;
	size_t next_role;
	/* at most one of the two is under way; neither: the answer is known */
	struct provider_op *asking;
	struct sts *sts;
	struct provider *inner;    /* of this operation, or NULL */
	struct credentials *creds; /* of the last step */
};

static void fini(struct later *l)
{
	struct provider_profile_op *op = (struct provider_profile_op *)l;

	provider_free(op->inner);
	credentials_unref(op->creds);
	profile_file_free(op->files);
}

static struct provider_profile *of(struct provider_profile_op *op)
{
	return (struct provider_profile *)op->later.base.provider;
}

/* ---- steps ---- */

static void assume(struct provider_profile_op *op, enum sts_action action, struct slice token);

/* There are credentials. Is there a role to assume with them? It is being assumed then. */
static bool assume_next(struct provider_profile_op *op)
{
	if (op->next_role == op->plan.role_count)
		return false;
	assume(op, STS_ASSUME_ROLE, slice_of(NULL, 0));
	return true;
}

static void role_assumed(void *arg, const struct sts_answer *s)
{
	struct provider_profile_op *op = arg;
	struct provider_answer told = sts_to_provider(s);

	op->sts = NULL;
	if (s->creds) {
		credentials_unref(op->creds);
		op->creds = credentials_ref(s->creds);
		op->next_role++;
		if (assume_next(op))
			return;
	}
	later_finish(&op->later, &told);
}

/* As the SDKs have it: the environment's, then that of the profile that was asked for, whichever role it is. They know no
 * other, and fail, or ask a global endpoint; but here somebody wants to log in to something that is in a region. */
static const char *region_of(struct provider_profile_op *op, const struct profile_plan_role *role)
{
	const struct provider_deps *d = &of(op)->deps;
	const struct profile_plan_role *asked_for = &op->plan.roles[op->plan.role_count - 1];
	const char *own = asked_for->region ? asked_for->region : role->region;

	return service_region_else(d->env, own ? own : d->region_else);
}

static void assume(struct provider_profile_op *op, enum sts_action action, struct slice token)
{
	const struct profile_plan_role *role = &op->plan.roles[op->next_role];
	struct sts_request rq = {
		.action = action,
		.provider = NAME,
		.region = region_of(op, role),
		.endpoint_url = role->sts_endpoint,
		.source = op->creds,
		.role_arn = role->role_arn,
		.session_name = role->session_name,
		.external_id = role->external_id,
		.duration_sec = role->duration_sec,
		.web_token = token,
	};

	op->sts = sts_start(&of(op)->deps, &rq, role_assumed, op);
}

/* The base has answered. */
static void base_heard(void *arg, const struct provider_answer *a)
{
	struct provider_profile_op *op = arg;
	struct provider_answer told = *a;

	op->asking = NULL;
	if (a->result == PROVIDER_CREDENTIALS) {
		op->creds = credentials_ref(a->creds);
		if (!assume_next(op))
			later_give(&op->later, credentials_ref(op->creds));
		return;
	}
	op->later.err = *a->e;
	err_prefix(&op->later.err, NAME " \"%.100s\"", profile_file_name(op->plan.profile));
	told.result = PROVIDER_FAILED; /* the profile asks for it */
	told.e = &op->later.err;
	told.skipped = NULL;
	later_finish(&op->later, &told);
}

/* ---- bases ---- */

static void base_keys(struct provider_profile_op *op)
{
	const struct profile_section *s = op->plan.profile;
	struct credentials_parts parts = {
		.provider = NAME,
		.access_key = slice_str(profile_file_get(s, "aws_access_key_id")),
		.secret_key = slice_str(profile_file_get(s, "aws_secret_access_key")),
		.session_token = slice_str(profile_file_get(s, "aws_session_token")),
		.account_id = slice_str(profile_file_get(s, "aws_account_id")),
		.renewable = true, /* somebody may write others into the file */
	};

	op->creds = credentials_new(&parts, &op->later.err);
	if (!op->creds)
		err_prefix(&op->later.err, NAME " \"%.100s\"", profile_file_name(s));
	if (!op->creds || !assume_next(op))
		later_answer(&op->later, PROVIDER_FAILED, credentials_ref(op->creds));
}

static void base_web_identity(struct provider_profile_op *op)
{
	const char *path = profile_file_get(op->plan.profile, "web_identity_token_file");
	struct buf token;

	buf_init_secret(&token, TOKEN_FILE_MAX);
	if (file_read_token(path, NAME ": web_identity_token_file", &token, &op->later.err) == 0)
		assume(op, STS_WEB_IDENTITY, buf_slice(&token));
	else
		later_answer(&op->later, PROVIDER_FAILED, NULL);
	buf_free(&token);
}

static void ask(struct provider_profile_op *op, struct provider *inner)
{
	op->asking = provider_start(inner, base_heard, op);
}

static void base_sso(struct provider_profile_op *op)
{
	op->inner = provider_sso_new(&of(op)->deps, op->files, &op->plan);
	ask(op, op->inner);
}

static void base_login(struct provider_profile_op *op)
{
	op->inner = provider_login_new(&of(op)->deps, op->files, &op->plan);
	ask(op, op->inner);
}

static void base_process(struct provider_profile_op *op)
{
	op->inner =
		provider_process_new(&of(op)->deps, profile_file_get(op->plan.profile, "credential_process"));
	ask(op, op->inner);
}

/* credential_source: another provider, which is kept. */
static void base_source(struct provider_profile_op *op)
{
	static struct provider *(*const makers[])(const struct provider_deps *) = {
		[PROFILE_ENVIRONMENT] = provider_env_new,
		[PROFILE_CONTAINER] = provider_container_new,
		[PROFILE_IMDS] = provider_imds_new,
	};
	struct provider **kept = &of(op)->kept[op->plan.base];

	if (!*kept)
		*kept = makers[op->plan.base](&of(op)->deps);
	ask(op, *kept);
}

static void (*const bases[])(struct provider_profile_op *op) = {
	[PROFILE_SSO] = base_sso,
	[PROFILE_KEYS] = base_keys,
	[PROFILE_LOGIN] = base_login,
	[PROFILE_PROCESS] = base_process,
	[PROFILE_WEB_IDENTITY] = base_web_identity,
	[PROFILE_ENVIRONMENT] = base_source,
	[PROFILE_CONTAINER] = base_source,
	[PROFILE_IMDS] = base_source,
};

/* ---- the provider ---- */

static enum profile_plan_result make_plan(struct provider_profile *p, struct provider_profile_op *op)
{
	enum profile_plan_result made;

	if (profile_load(p->deps.env, p->name != NULL, op->files, &op->later.err) != 0) {
		err_prefix(&op->later.err, NAME);
		return PROFILE_PLAN_WRONG;
	}
	made = profile_plan_make(op->files, p->name ? p->name : "default", p->name != NULL, &op->plan,
				 &op->later.err);
	if (made != PROFILE_PLAN_MADE)
		err_prefix(&op->later.err, NAME);
	return made;
}

static struct provider_op *start(struct provider *base, provider_cb cb, void *arg)
{
	struct provider_profile *p = (struct provider_profile *)base;
	struct provider_profile_op *op = later_new(sizeof(*op), base, p->deps.loop, fini, cb, arg);

	op->files = profile_file_new();
	profile_load_look(p->deps.env, &p->read);
	switch (make_plan(p, op)) {
	case PROFILE_PLAN_MADE: bases[op->plan.base](op); break;
	case PROFILE_PLAN_NONE: later_answer(&op->later, PROVIDER_NOT_CONFIGURED, NULL); break;
	case PROFILE_PLAN_WRONG: later_answer(&op->later, PROVIDER_FAILED, NULL); break;
	}
	return &op->later.base;
}

static void cancel(struct provider_op *base)
{
	struct provider_profile_op *op = (struct provider_profile_op *)base;

	provider_cancel(op->asking);
	sts_cancel(op->sts);
	later_free(&op->later);
}

static void free_profile(struct provider *base)
{
	struct provider_profile *p = (struct provider_profile *)base;

	for (int i = 0; i < PROFILE_PLAN_BASE_COUNT; i++)
		provider_free(p->kept[i]);
	free(p->name);
	free(p);
}

static bool changed(struct provider *base)
{
	const struct provider_profile *p = (struct provider_profile *)base;

	return profile_load_changed(p->deps.env, &p->read);
}

static const struct provider_ops ops = {
	.name = NAME, .start = start, .cancel = cancel, .free = free_profile, .changed = changed};

struct provider *provider_profile_new(const struct provider_deps *d, const char *name)
{
	struct provider_profile *p = mem_zalloc(sizeof(*p));

	p->base.ops = &ops;
	p->deps = *d;
	p->name = mem_strdup(profile_load_name(d->env, name));
	return &p->base;
}
