/* STS answers JSON if it is asked to ("Accept: application/json"), which nobody documents and much relies on
 * (Envoy, aws-iam-authenticator). What answers XML all the same, emulators for one, is understood as well. */
#include "aws/sts.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "aws/region_finder.h"
#include "aws/service_call.h"
#include "aws/sts_reply.h"
#include "base/buf.h"
#include "base/enc.h"
#include "base/mem.h"
#include "io/loop.h"

#define BODY_MAX 131072 /* a web identity token has up to 20,000 characters, each perhaps %XX */

struct sts {
	struct provider_deps deps;
	enum sts_action action;
	const char *provider;
	char *endpoint_url;         /* or NULL */
	struct credentials *source; /* that sign, or NULL */
	struct buf body;
	struct secret web_token;          /* in it, or unset */
	struct region_finder_op *finding; /* one of the two is under way */
	struct service_call *call;
	sts_cb cb;
	void *arg;
};

static const struct {
	const char *name, *who;
} actions[] = {
	[STS_ASSUME_ROLE] = {"AssumeRole",                "sts AssumeRole"               },
	[STS_WEB_IDENTITY] = {"AssumeRoleWithWebIdentity", "sts AssumeRoleWithWebIdentity"},
	[STS_CALLER_IDENTITY] = {"GetCallerIdentity",         "sts GetCallerIdentity"        },
};

bool sts_session_name_ok(const char *name)
{
	size_t n = strlen(name);

	if (n < 2 || n > 64)
		return false;
	for (size_t i = 0; i < n; i++) {
		if (!isalnum((unsigned char)name[i]) && !strchr("_+=,.@-", name[i]))
			return false;
	}
	return true;
}

static const struct service_hint hints[] = {
	{"AccessDenied", "The role's trust policy must allow this caller (for a web identity: its issuer, subject and "
			 "audience), the caller's own policy sts:AssumeRole on it, and the external id must be the one it asks for."},
	{"ExpiredToken", "The credentials that sign, or the web identity token, have expired."},
	{"ExpiredTokenException", "The web identity token has expired: is it still being renewed?"},
	{"InvalidIdentityToken", "IAM knows no OIDC provider for the token's issuer, or the token is not its."},
	{"RegionDisabled", "STS is not activated in this region: activate it, or set AWS_REGION to another."},
	{"RegionDisabledException", "STS is not activated in this region: activate it, or set AWS_REGION to another."},
	{"InvalidClientTokenId", "The access key does not exist, or not in this partition."},
	{NULL, NULL},
};

static void sts_free(struct sts *s)
{
	buf_free(&s->body);
	secret_clear(&s->web_token);
	credentials_unref(s->source);
	free(s->endpoint_url);
	free(s);
}

/* A token that is not taken is worth a retry, while the issuer's keys rotate; if it stays so, it is for somebody to mend. */
static enum provider_cause cause_of(const struct call_answer *a)
{
	bool token = !a->reply && strcmp(a->code, "InvalidIdentityToken") == 0;

	return token ? PROVIDER_CAUSE_REFUSED : a->cause;
}

static void heard(void *arg, const struct call_answer *a)
{
	struct sts *s = arg;
	struct sts_answer out = {.cause = cause_of(a), .retry_after_us = a->retry_after_us};
	struct credentials *creds = NULL;
	struct sts_identity who;
	struct err e;
	bool ok = false;

	if (!a->reply) {
		e = *a->e;
		err_prefix(&e, "%s", s->provider);
	} else if (s->action == STS_CALLER_IDENTITY) {
		ok = sts_reply_identity(a->reply->body, a->mask, &who, &e) == 0;
		if (!ok)
			err_prefix(&e, "%s", s->provider);
		out.arn = ok ? who.arn : NULL;
		out.account = ok ? who.account : NULL;
	} else {
		out.creds = creds = sts_reply_credentials(s->action, a->reply->body, s->provider, &e);
		ok = creds != NULL;
	}
	out.e = ok ? NULL : &e;
	s->cb(s->arg, &out);
	credentials_unref(creds);
	sts_free(s);
}

struct provider_answer sts_to_provider(const struct sts_answer *s)
{
	return (struct provider_answer){
		.result = s->creds ? PROVIDER_CREDENTIALS : PROVIDER_FAILED,
		.creds = s->creds,
		.e = s->e,
		.cause = s->cause,
		.retry_after_us = s->retry_after_us,
	};
}

/* "pgiam-" and when, as the SDKs do it: sessions can be told apart in CloudTrail. */
static void own_session_name(const struct provider_deps *d, char out[40])
{
	snprintf(out, 40, "pgiam-%lld", (long long)(clock_wall_us(loop_clock(d->loop)) / 1000000));
}

static void add(struct buf *b, const char *name, struct slice value)
{
	buf_printf(b, "&%s=", name);
	enc_percent(b, value);
}

static int make_body(const struct provider_deps *d, const struct sts_request *rq, struct buf *b,
		     struct err *e)
{
	char own[40];
	const char *session = rq->session_name;

	buf_printf(b, "Action=%s&Version=2011-06-15", actions[rq->action].name);
	if (rq->action != STS_CALLER_IDENTITY) {
		own_session_name(d, own);
		if (!session)
			session = own;
		if (!sts_session_name_ok(session))
			return err_set(
				e, ERR_CREDENTIALS,
				"a role session name has 2 to 64 of the characters A-Z a-z 0-9 _+=,.@-");
		add(b, "RoleArn", slice_str(rq->role_arn));
		add(b, "RoleSessionName", slice_str(session));
	}
	if (rq->action == STS_WEB_IDENTITY)
		add(b, "WebIdentityToken", rq->web_token);
	if (rq->duration_sec)
		buf_printf(b, "&DurationSeconds=%u", rq->duration_sec);
	if (rq->external_id)
		add(b, "ExternalId", slice_str(rq->external_id));
	return b->full ? err_set(e, ERR_CREDENTIALS, "the request is too long") : 0;
}

static void call(struct sts *s, const char *region)
{
	s->call = service_call_start(&s->deps,
				     &(struct service_request){
					     .service = SERVICE_STS,
					     .who = actions[s->action].who,
					     .region = region,
					     .endpoint_url = s->endpoint_url,
					     .content_type = "application/x-www-form-urlencoded; charset=utf-8",
					     .header = {"accept", "application/json"},
					     .body = buf_slice(&s->body),
					     .secret = secret_slice(&s->web_token),
					     .signer = s->source,
					     .hints = hints,
				     },
				     heard, s);
}

static void refuse(struct sts *s, const struct err *e)
{
	s->call = service_call_refuse(&s->deps, e, heard, s);
}

static void region_heard(void *arg, const char *region, const struct err *why)
{
	struct sts *s = arg;
	struct err e;

	s->finding = NULL;
	if (region) {
		call(s, region);
		return;
	}
	e = *why;
	e.code = ERR_CREDENTIALS;
	err_hint(&e, "Set AWS_REGION, or region in the profile.");
	refuse(s, &e);
}

/* The region of the endpoint: of who asks, of the environment, or what there is to find. */
static int begin(struct sts *s, const char *region, struct err *e)
{
	if (!region && service_region(s->deps.env, &region, e) != 0)
		return -1;
	if (region) {
		call(s, region);
		return 0;
	}
	if (!s->deps.region) {
		err_set(e, ERR_CREDENTIALS, "no region for the STS endpoint: AWS_REGION is not set");
		err_hint(e, "Set AWS_REGION, or region in the profile.");
		return -1;
	}
	s->finding = region_finder_get(s->deps.region, NULL, region_heard, s);
	return 0;
}

struct sts *sts_start(const struct provider_deps *d, const struct sts_request *rq, sts_cb cb, void *arg)
{
	struct sts *s = mem_zalloc(sizeof(*s));
	struct err e;

	s->deps = *d;
	s->action = rq->action;
	s->provider = rq->provider;
	s->endpoint_url = mem_strdup(rq->endpoint_url);
	s->source = rq->action == STS_WEB_IDENTITY ? NULL : credentials_ref(rq->source);
	s->cb = cb;
	s->arg = arg;
	secret_set(&s->web_token, rq->web_token);
	buf_init_secret(&s->body, BODY_MAX);
	if (make_body(d, rq, &s->body, &e) != 0 || begin(s, rq->region, &e) != 0)
		refuse(s, &e);
	return s;
}

void sts_cancel(struct sts *s)
{
	if (!s)
		return;
	region_finder_cancel(s->finding);
	service_call_cancel(s->call);
	sts_free(s);
}
