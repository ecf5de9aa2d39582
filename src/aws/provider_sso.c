/* IAM Identity Center: the token somebody got in a browser by `aws sso login` is exchanged for a role's
 * credentials. A token of an [sso-session] is renewed before it ends, without anybody, for as long as the
 * session lasts; when that fails, the old one is used while it lives. No browser is ever started from here.
 */
#include <stdio.h>
#include <stdlib.h>
#include "aws/call.h"
#include "aws/file.h"
#include "aws/later.h"
#include "aws/provider_profile.h"
#include "aws/reply.h"
#include "aws/service.h"
#include "aws/skew.h"
#include "aws/sso_cache.h"
#include "base/enc.h"
#include "base/mem.h"

#define NAME            "sso"
#define RENEW_BEFORE_US (INT64_C(15) * 60 * 1000000)
#define REQUEST_MAX     65536

struct provider_sso {
	struct provider base;
	struct provider_deps deps;
	/* borrowed */
	const struct profile_section *profile, *session; /* session: NULL without one */
	const char *oidc_endpoint, *sso_endpoint;        /* the profile's, or NULL */
};

struct provider_sso_op {
	struct later later;
	char *path;
	struct sso_token token;
	struct call *call;
};

static struct provider_sso *of(struct provider_sso_op *op)
{
	return (struct provider_sso *)op->later.base.provider;
}

/* Of the session, or the profile. */
static const char *setting(const struct provider_sso *p, const char *key)
{
	const char *v = p->session ? profile_file_get(p->session, key) : NULL;

	return v ? v : profile_file_get(p->profile, key);
}

static int64_t now(const struct provider_sso *p)
{
	return skew_wall_us(p->deps.skew, loop_clock(p->deps.loop));
}

static void fini(struct later *l)
{
	struct provider_sso_op *op = (struct provider_sso_op *)l;

	sso_cache_free(&op->token);
	free(op->path);
}

/* It is the session that is missing, or over. */
static void blame_session(struct provider_sso_op *op)
{
	const struct provider_sso *p = of(op);

	op->later.cause = PROVIDER_CAUSE_SESSION;
	err_hint(&op->later.err, "Run: aws sso login --%s %.100s", p->session ? "sso-session" : "profile",
		 profile_file_name(p->session ? p->session : p->profile));
}

/* The call has failed, or its answer is of no use: err says why. */
static void call_failed(struct provider_sso_op *op, const struct call_answer *a)
{
	bool session = a->cause == PROVIDER_CAUSE_REFUSED && op->later.cause == PROVIDER_CAUSE_SESSION;

	later_finish(&op->later, &(struct provider_answer){.result = PROVIDER_FAILED,
							   .e = &op->later.err,
							   .cause = session ? PROVIDER_CAUSE_SESSION : a->cause,
							   .retry_after_us = a->retry_after_us});
}

/* ---- the role's credentials ---- */

static void portal_heard(void *arg, const struct call_answer *a)
{
	struct provider_sso_op *op = arg;
	struct credentials *creds = NULL;

	op->call = NULL;
	if (a->reply) {
		struct json *j = json_parse(a->reply->body);

		creds = reply_credentials(j, REPLY_PORTAL, NAME, &op->later.err);
		json_free(j);
	} else {
		op->later.err = *a->e;
		if (a->status == 401)
			blame_session(op);
		else if (a->status == 403)
			err_hint(&op->later.err, "This account and role (sso_account_id, sso_role_name) are not "
					   "assigned to who logged in.");
		err_prefix(&op->later.err, NAME);
	}
	if (creds)
		later_give(&op->later, creds);
	else
		call_failed(op, a);
}

static int find(const struct provider_sso *p, enum service_id id, const char *configured,
		struct service_place *place, struct err *e)
{
	return service_find(p->deps.env, id, setting(p, "sso_region"), configured, place, e);
}

/* 0: the portal is being asked. */
static int ask_portal(struct provider_sso_op *op)
{
	const struct provider_sso *p = of(op);
	const struct http_header header = {"x-amz-sso_bearer_token", op->token.access};
	struct service_place place;
	struct buf url;
	int rc = find(p, SERVICE_SSO, p->sso_endpoint, &place, &op->later.err);

	if (rc != 0)
		return rc;
	buf_init(&url, REQUEST_MAX);
	buf_printf(&url, "%sfederation/credentials?role_name=", place.url);
	enc_percent(&url, slice_str(profile_file_get(p->profile, "sso_role_name")));
	buf_add_str(&url, "&account_id=");
	enc_percent(&url, slice_str(profile_file_get(p->profile, "sso_account_id")));
	op->call = call_start(&p->deps,
			      &(struct call_request){
				      .who = "GetRoleCredentials",
				      .method = "GET",
				      .url = buf_cstr(&url),
				      .headers = &header,
				      .header_count = 1,
				      .attempts = call_attempts(&p->deps),
				      .connect_us = CALL_CONNECT_US,
				      .total_us = CALL_TOTAL_US,
				      .cleartext = place.cleartext,
			      },
			      portal_heard, op);
	buf_free(&url);
	return 0;
}

static void go_on(struct provider_sso_op *op)
{
	if (ask_portal(op) != 0) {
		err_prefix(&op->later.err, NAME);
		later_answer(&op->later, PROVIDER_FAILED, NULL);
	}
}

/* ---- the token ---- */

/* 0: the token is a new one, and the others' file too. */
static int take_new_token(struct provider_sso_op *op, struct slice answer)
{
	if (sso_cache_renew(&op->token, answer, now(of(op))) != 0)
		return -1;
	if (cache_file_write(op->path, op->token.json, &op->later.err) != 0) /* it serves us all the same */
		log_warning(loop_log(of(op)->deps.loop), "IAM Identity Center's token", LERR(&op->later.err));
	return 0;
}

static void oidc_heard(void *arg, const struct call_answer *a)
{
	struct provider_sso_op *op = arg;
	bool alive = op->token.expires_wall_us > now(of(op));

	op->call = NULL;
	if (a->reply && take_new_token(op, a->reply->body) == 0) {
		go_on(op);
		return;
	}
	if (a->reply)
		err_set(&op->later.err, ERR_CREDENTIALS, "CreateToken: the answer has not the form of a token");
	else
		op->later.err = *a->e;
	err_prefix(&op->later.err, NAME ": the token could not be renewed");
	if (alive) {
		log_warning(loop_log(of(op)->deps.loop), "IAM Identity Center's token is used while it lives",
			    LERR(&op->later.err));
		go_on(op);
		return;
	}
	blame_session(op);
	call_failed(op, a);
}

static int ask_oidc(struct provider_sso_op *op)
{
	const struct provider_sso *p = of(op);
	const struct http_header header = {"content-type", slice_str("application/json")};
	struct service_place place;
	struct buf body;
	int rc = find(p, SERVICE_SSO_OIDC, p->oidc_endpoint, &place, &op->later.err);

	if (rc != 0)
		return rc;
	buf_init_secret(&body, REQUEST_MAX);
	buf_add_char(&body, '{');
	json_add_member(&body, "clientId", op->token.client_id);
	json_add_member(&body, "clientSecret", op->token.client_secret);
	json_add_member(&body, "grantType", slice_str("refresh_token"));
	json_add_member(&body, "refreshToken", op->token.refresh);
	buf_add_char(&body, '}');
	snprintf(place.url + strlen(place.url), sizeof(place.url) - strlen(place.url), "token");
	op->call = call_start(&p->deps,
			      &(struct call_request){
				      .who = "CreateToken",
				      .method = "POST",
				      .url = place.url,
				      .headers = &header,
				      .header_count = 1,
				      .body = buf_slice(&body),
				      .secrets = {op->token.client_secret, op->token.refresh, op->token.access},
				      .attempts = call_attempts(&p->deps),
				      .connect_us = CALL_CONNECT_US,
				      .total_us = CALL_TOTAL_US,
				      .cleartext = place.cleartext,
			      },
			      oidc_heard, op);
	buf_free(&body);
	return 0;
}

/* Only tokens of a session have what that needs. */
static bool can_renew(struct provider_sso_op *op)
{
	const struct sso_token *t = &op->token;

	return of(op)->session && t->refresh.n > 0 && t->client_id.n > 0 && t->client_secret.n > 0 &&
	       (t->registration_wall_us == 0 || t->registration_wall_us > now(of(op)));
}

static int read_token(struct provider_sso_op *op)
{
	const struct provider_sso *p = of(op);
	struct buf text;
	int rc = -1;

	op->path = sso_cache_path(p->deps.env,
				  p->session ? profile_file_name(p->session) : setting(p, "sso_start_url"),
				  &op->later.err);
	if (!op->path)
		return err_prefix(&op->later.err, NAME);
	buf_init_secret(&text, CACHE_FILE_MAX);
	if (file_read(op->path, NAME, &text, &op->later.err) == 0) {
		rc = sso_cache_parse(buf_slice(&text), &op->token, &op->later.err);
		if (rc != 0)
			err_prefix(&op->later.err, NAME ": %s", op->path);
	}
	if (rc != 0)
		blame_session(op);
	buf_free(&text);
	return rc;
}

/* 0: something is under way. */
static int begin(struct provider_sso_op *op)
{
	const struct provider_sso *p = of(op);
	int64_t left;
	int rc;

	if (read_token(op) != 0)
		return -1;
	left = op->token.expires_wall_us - now(p);
	if (left > 0 && (left > RENEW_BEFORE_US || !can_renew(op))) {
		rc = ask_portal(op);
	} else if (can_renew(op)) {
		rc = ask_oidc(op);
	} else {
		err_set(&op->later.err, ERR_CREDENTIALS, NAME ": the IAM Identity Center session has expired");
		blame_session(op);
		return -1;
	}
	return rc == 0 ? 0 : err_prefix(&op->later.err, NAME);
}

/* ---- the provider ---- */

static struct provider_op *start(struct provider *base, provider_cb cb, void *arg)
{
	struct provider_sso *p = (struct provider_sso *)base;
	struct provider_sso_op *op = later_new(sizeof(*op), base, p->deps.loop, fini, cb, arg);

	if (begin(op) != 0)
		later_answer(&op->later, PROVIDER_FAILED, NULL);
	return &op->later.base;
}

static void cancel(struct provider_op *base)
{
	struct provider_sso_op *op = (struct provider_sso_op *)base;

	call_cancel(op->call);
	later_free(&op->later);
}

static void free_sso(struct provider *p)
{
	free(p);
}

static const struct provider_ops ops = {.name = NAME, .start = start, .cancel = cancel, .free = free_sso};

struct provider *provider_sso_new(const struct provider_deps *d, const struct profile_file *f,
				  const struct profile_plan *plan)
{
	struct provider_sso *p = mem_zalloc(sizeof(*p));

	p->base.ops = &ops;
	p->deps = *d;
	p->profile = plan->profile;
	p->session = plan->session;
	p->sso_endpoint = profile_plan_endpoint(f, plan->profile, "sso");
	p->oidc_endpoint = profile_plan_endpoint(f, plan->profile, "sso_oidc");
	return &p->base;
}
