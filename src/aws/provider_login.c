/* `aws login`: credentials that somebody got in a browser, with a life of 15 minutes, in a file of the AWS CLI's. For up
 * to 12 hours they are renewed without anybody, with a proof that pgiam holds the session's key; when that fails, the
 * old ones are used while they live. No browser is ever started from here.
 *
 * The threshold is botocore's: with more life left than that, somebody else may just have renewed them.
 * Source: botocore's credentials.py, LoginProvider; its model of the sign-in service. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "aws/call.h"
#include "aws/dpop.h"
#include "aws/file.h"
#include "aws/later.h"
#include "aws/login_cache.h"
#include "aws/provider_profile.h"
#include "aws/region_finder.h"
#include "aws/service.h"
#include "aws/skew.h"
#include "base/mem.h"

#define NAME            "login"
#define RENEW_BEFORE_US (INT64_C(5) * 60 * 1000000)
#define PROOF_MAX       8192
#define REQUEST_MAX     65536

struct provider_login {
	struct provider base;
	struct provider_deps deps;
	/* borrowed */
	const struct profile_section *profile;
	const char *endpoint; /* the profile's, or NULL */
};

struct provider_login_op {
	struct later later;
	char *path;
	struct login_token token;
	struct credentials *creds; /* of the file, while they live, or NULL */
	/* at most one of the two is under way; neither: the answer is known */
	struct region_finder_op *finding;
	struct call *call;
};

static struct provider_login *of(struct provider_login_op *op)
{
	return (struct provider_login *)op->later.base.provider;
}

static int64_t now(const struct provider_login *p)
{
	return skew_wall_us(p->deps.skew, loop_clock(p->deps.loop));
}

static void fini(struct later *l)
{
	struct provider_login_op *op = (struct provider_login_op *)l;

	login_cache_free(&op->token);
	credentials_unref(op->creds);
	free(op->path);
}

/* It is the session that is missing, or over. */
static void blame_session(struct provider_login_op *op, const char *why)
{
	const char *profile = profile_file_name(of(op)->profile);

	op->later.cause = PROVIDER_CAUSE_SESSION;
	if (strcmp(profile, "default") == 0)
		err_hint(&op->later.err, "Run: aws login%s", why);
	else
		err_hint(&op->later.err, "Run: aws login --profile %.100s%s", profile, why);
}

/* ---- renewing ---- */

/* The operation's err says why; the old ones are used while they live. */
static void not_renewed(struct provider_login_op *op, enum provider_cause cause, uint64_t retry_after_us)
{
	err_prefix(&op->later.err, NAME ": the credentials of `aws login` could not be renewed");
	if (op->creds) {
		log_warning(loop_log(of(op)->deps.loop), "credentials are used while they live",
			    LERR(&op->later.err));
		later_give(&op->later, credentials_ref(op->creds));
		return;
	}
	later_finish(&op->later, &(struct provider_answer){.result = PROVIDER_FAILED,
							   .e = &op->later.err,
							   .cause = cause,
							   .retry_after_us = retry_after_us});
}

static int take_new(struct provider_login_op *op, struct slice body)
{
	struct credentials *creds;
	struct err e;

	if (login_cache_renew(&op->token, body, now(of(op))) != 0)
		return err_set(&op->later.err, ERR_CREDENTIALS,
			       "CreateOAuth2Token: the answer has not the form of credentials");
	creds = login_cache_credentials(&op->token, &op->later.err);
	if (!creds)
		return -1;
	credentials_unref(op->creds);
	op->creds = creds;
	if (cache_file_write(op->path, op->token.json, &e) != 0) /* they serve us all the same */
		log_warning(loop_log(of(op)->deps.loop), "credentials of aws login", LERR(&e));
	return 0;
}

static void heard(void *arg, const struct call_answer *a)
{
	struct provider_login_op *op = arg;
	enum provider_cause cause = a->cause;

	op->call = NULL;
	if (a->reply && take_new(op, a->reply->body) == 0) {
		later_give(&op->later, credentials_ref(op->creds));
		return;
	}
	if (!a->reply) {
		op->later.err = *a->e;
		if (a->status == 403)
			blame_session(op, " (if that does not help, the identity may not do signin:CreateOAuth2Token)");
		else if (a->status >= 400 && a->status <= 499)
			blame_session(op, " (the session has ended, or who logged in has changed)");
		if (cause == PROVIDER_CAUSE_REFUSED && a->status != 403)
			cause = op->later.cause;
	}
	not_renewed(op, cause, a->retry_after_us);
}

static void make_body(const struct login_token *t, struct buf *body)
{
	buf_add_char(body, '{');
	json_add_member(body, "clientId", t->client_id);
	json_add_member(body, "refreshToken", t->refresh);
	json_add_member(body, "grantType", slice_str("refresh_token"));
	buf_add_char(body, '}');
}

static int ask(struct provider_login_op *op, const char *region)
{
	const struct provider_login *p = of(op);
	struct http_header headers[2] = {
		{"content-type", slice_str("application/json")},
                {"dpop",         slice_of(NULL, 0)            },
	};
	struct service_place place;
	struct buf body, proof;
	int rc = service_find(p->deps.env, SERVICE_SIGNIN, region, p->endpoint, &place, &op->later.err);

	if (rc != 0)
		return rc;
	snprintf(place.url + strlen(place.url), sizeof(place.url) - strlen(place.url), "v1/token");
	buf_init_secret(&body, REQUEST_MAX);
	buf_init_secret(&proof, PROOF_MAX);
	make_body(&op->token, &body);
	rc = dpop_proof(op->token.dpop_key, place.url, now(p), &proof, &op->later.err);
	headers[1].value = buf_slice(&proof);
	if (rc != 0)
		blame_session(op, "");
	else
		op->call = call_start(&p->deps,
				      &(struct call_request){
					      .who = "CreateOAuth2Token",
					      .method = "POST",
					      .url = place.url,
					      .headers = headers,
					      .header_count = 2,
					      .body = buf_slice(&body),
					      .secrets = {op->token.refresh},
					      .attempts = call_attempts(&p->deps),
					      .connect_us = CALL_CONNECT_US,
					      .total_us = CALL_TOTAL_US,
					      .cleartext = place.cleartext,
				      },
				      heard, op);
	buf_free(&body);
	buf_free(&proof);
	return rc;
}

static void region_heard(void *arg, const char *region, const struct err *e)
{
	struct provider_login_op *op = arg;

	op->finding = NULL;
	if (!region)
		op->later.err = *e;
	if (region && ask(op, region) == 0)
		return;
	not_renewed(op, op->later.cause, 0);
}

/* ---- the file ---- */

static int read_token(struct provider_login_op *op)
{
	const struct provider_login *p = of(op);
	struct buf text;
	int rc = -1;

	op->path = login_cache_path(p->deps.env, profile_file_get(p->profile, "login_session"), &op->later.err);
	if (!op->path)
		return err_prefix(&op->later.err, NAME);
	buf_init_secret(&text, CACHE_FILE_MAX);
	if (file_read(op->path, NAME, &text, &op->later.err) == 0) {
		rc = login_cache_parse(buf_slice(&text), &op->token, &op->later.err);
		if (rc == 0)
			op->creds = login_cache_credentials(&op->token, &op->later.err);
		if (!op->creds)
			rc = err_prefix(&op->later.err, NAME ": %s", op->path);
	}
	buf_free(&text);
	return rc;
}

/* 0: they are being renewed, or those in the file will do. */
static int begin(struct provider_login_op *op)
{
	const struct provider_login *p = of(op);
	int64_t left;

	if (read_token(op) != 0) {
		blame_session(op, "");
		return -1;
	}
	left = op->token.expires_wall_us - now(p);
	if (left <= 0) {
		credentials_unref(op->creds);
		op->creds = NULL;
	}
	if (left <= RENEW_BEFORE_US && login_cache_can_renew(&op->token)) {
		op->finding = region_finder_get(p->deps.region, profile_file_name(p->profile), region_heard, op);
		return 0;
	}
	if (op->creds) {
		later_answer(&op->later, PROVIDER_CREDENTIALS, credentials_ref(op->creds));
		return 0;
	}
	err_set(&op->later.err, ERR_CREDENTIALS,
		NAME ": the credentials of `aws login` have expired, and what renews them is not in %s", op->path);
	blame_session(op, "");
	return -1;
}

/* ---- the provider ---- */

static struct provider_op *start(struct provider *base, provider_cb cb, void *arg)
{
	struct provider_login *p = (struct provider_login *)base;
	struct provider_login_op *op = later_new(sizeof(*op), base, p->deps.loop, fini, cb, arg);

	if (begin(op) != 0)
		later_answer(&op->later, PROVIDER_FAILED, NULL);
	return &op->later.base;
}

static void cancel(struct provider_op *base)
{
	struct provider_login_op *op = (struct provider_login_op *)base;

	region_finder_cancel(op->finding);
	call_cancel(op->call);
	later_free(&op->later);
}

static void free_login(struct provider *p)
{
	free(p);
}

static const struct provider_ops ops = {.name = NAME, .start = start, .cancel = cancel, .free = free_login};

struct provider *provider_login_new(const struct provider_deps *d, const struct profile_file *f,
				    const struct profile_plan *plan)
{
	struct provider_login *p = mem_zalloc(sizeof(*p));

	p->base.ops = &ops;
	p->deps = *d;
	p->profile = plan->profile;
	p->endpoint = profile_plan_endpoint(f, plan->profile, "signin");
	return &p->base;
}
