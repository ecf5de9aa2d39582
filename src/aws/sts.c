/* STS answers JSON if it is asked to ("Accept: application/json"), which nobody documents and much relies on
 * (Envoy, aws-iam-authenticator). What answers XML all the same, emulators for one, is understood as well. */
#include "aws/sts.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "aws/service_call.h"
#include "aws/sts_reply.h"
#include "base/buf.h"
#include "base/enc.h"
#include "base/mem.h"
#include "io/loop.h"

#define BODY_MAX 131072 /* a web identity token has up to 20,000 characters, each perhaps %XX */

struct sts {
	enum sts_action action;
	const char *provider;
	struct service_call *call; /* until it is answered */
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
	{NULL, NULL},
};

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
	free(s);
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

struct sts *sts_start(const struct provider_deps *d, const struct sts_request *rq, sts_cb cb, void *arg)
{
	struct sts *s = mem_zalloc(sizeof(*s));
	struct buf body;
	struct err e;

	s->action = rq->action;
	s->provider = rq->provider;
	s->cb = cb;
	s->arg = arg;
	buf_init_secret(&body, BODY_MAX);
	if (make_body(d, rq, &body, &e) != 0)
		s->call = service_call_refuse(d, &e, heard, s);
	else
		s->call = service_call_start(d,
					     &(struct service_request){
						     .service = SERVICE_STS,
						     .who = actions[rq->action].who,
						     .region = rq->region,
						     .endpoint_url = rq->endpoint_url,
						     .content_type = "application/x-www-form-urlencoded; charset=utf-8",
						     .header = {"accept", "application/json"},
						     .body = buf_slice(&body),
						     .secret = rq->web_token,
						     .signer = rq->action == STS_WEB_IDENTITY ? NULL : rq->source,
						     .hints = hints,
					     },
					     heard, s);
	buf_free(&body);
	return s;
}

void sts_cancel(struct sts *s)
{
	if (!s)
		return;
	service_call_cancel(s->call);
	free(s);
}
