/* STS answers JSON if it is asked to ("Accept: application/json"), which nobody documents and much relies on
 * (Envoy, aws-iam-authenticator). What answers XML all the same, emulators for one, is understood as well. */
#include "aws/sts.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "aws/call.h"
#include "aws/service.h"
#include "aws/sts_reply.h"
#include "base/buf.h"
#include "base/enc.h"
#include "base/mem.h"
#include "io/loop.h"

#define BODY_MAX 131072 /* a web identity token has up to 20,000 characters, each perhaps %XX */

struct sts {
	struct sts_request rq; /* only action and provider are kept */
	struct call *call;     /* one of the two is under way */
	struct defer defer;
	struct err err;
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

static void finish(struct sts *s, const struct sts_answer *a)
{
	s->cb(s->arg, a);
	defer_clear(&s->defer);
	free(s);
}

static void cannot(void *arg)
{
	struct sts *s = arg;
	struct sts_answer a = {.e = &s->err};

	finish(s, &a);
}

/* What to do about the refusals people meet most. */
static void advise(struct err *e, const char *code)
{
	static const struct {
		const char *code, *hint;
	} hints[] = {
		{"AccessDenied",            "The role's trust policy must allow this caller (for a web identity: its "
				 "issuer, subject and audience), "
				 "and the external id must be the one it asks for."},
		{"ExpiredToken",            "The credentials that sign, or the web identity token, have expired."  },
		{"ExpiredTokenException",   "The web identity token has expired: is it still being renewed?"       },
		{"InvalidIdentityToken",
		 "IAM knows no OIDC provider for the token's issuer, or the token is not its."                     },
		{"RegionDisabled",
		 "STS is not activated in this region: activate it, or set AWS_REGION to another."                 },
		{"RegionDisabledException",
		 "STS is not activated in this region: activate it, or set AWS_REGION to another."                 },
		{"InvalidClientTokenId",    "The access key does not exist, or not in this partition."             },
	};

	for (size_t i = 0; i < sizeof(hints) / sizeof(hints[0]); i++) {
		if (strcmp(hints[i].code, code) == 0)
			err_hint(e, "%s", hints[i].hint);
	}
}

static void heard(void *arg, const struct call_answer *a)
{
	struct sts *s = arg;
	struct sts_answer out = {.cause = a->cause, .retry_after_us = a->retry_after_us};
	struct sts_identity who;

	s->call = NULL;
	if (!a->reply) {
		s->err = *a->e;
		advise(&s->err, a->code);
		err_prefix(&s->err, "%s", s->rq.provider);
		out.e = &s->err;
	} else if (s->rq.action == STS_CALLER_IDENTITY) {
		if (sts_reply_identity(a->reply->body, s->rq.provider, &who, &s->err) != 0)
			out.e = &s->err;
		out.arn = out.e ? NULL : who.arn;
		out.account = out.e ? NULL : who.account;
	} else {
		out.creds = sts_reply_credentials(s->rq.action, a->reply->body, s->rq.provider, &s->err);
		out.e = out.creds ? NULL : &s->err;
	}
	{
		struct credentials *creds = out.creds;

		finish(s, &out);
		credentials_unref(creds);
	}
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
				"%s: a role session name has 2 to 64 of the characters A-Z a-z 0-9 _+=,.@-",
				rq->provider);
		add(b, "RoleArn", slice_str(rq->role_arn));
		add(b, "RoleSessionName", slice_str(session));
	}
	if (rq->action == STS_WEB_IDENTITY)
		add(b, "WebIdentityToken", rq->web_token);
	if (rq->duration_sec)
		buf_printf(b, "&DurationSeconds=%u", rq->duration_sec);
	if (rq->external_id)
		add(b, "ExternalId", slice_str(rq->external_id));
	return b->full ? err_set(e, ERR_CREDENTIALS, "%s: the request is too long", rq->provider) : 0;
}

static int find_place(const struct provider_deps *d, const struct sts_request *rq,
		      struct service_place *place, struct err *e)
{
	const char *region = rq->region;

	if (!region && service_region(d->env, &region, e) != 0)
		return err_prefix(e, "%s", rq->provider);
	if (!region) {
		err_set(e, ERR_CREDENTIALS, "%s: no region for the STS endpoint: AWS_REGION is not set",
			rq->provider);
		err_hint(e, "Set AWS_REGION, or region in the profile.");
		return -1;
	}
	return service_find(d->env, SERVICE_STS, region, rq->endpoint_url, place, e) == 0
		       ? 0
		       : err_prefix(e, "%s", rq->provider);
}

struct sts *sts_start(const struct provider_deps *d, const struct sts_request *rq, sts_cb cb, void *arg)
{
	static const char form[] = "application/x-www-form-urlencoded; charset=utf-8";
	struct http_header headers[] = {
		{"content-type", slice_str(form)              },
		{"accept",       slice_str("application/json")},
	};
	struct sts *s = mem_zalloc(sizeof(*s));
	struct service_place place;
	struct buf body;

	s->rq = (struct sts_request){.action = rq->action, .provider = rq->provider};
	s->cb = cb;
	s->arg = arg;
	defer_init(&s->defer, d->loop, cannot, s);
	buf_init_secret(&body, BODY_MAX);
	if (find_place(d, rq, &place, &s->err) != 0 || make_body(d, rq, &body, &s->err) != 0)
		defer_set(&s->defer);
	else
		s->call = call_start(d,
				     &(struct call_request){
					     .who = actions[rq->action].who,
					     .method = "POST",
					     .url = place.url,
					     .headers = headers,
					     .header_count = 2,
					     .body = buf_slice(&body),
					     .signer = rq->action == STS_WEB_IDENTITY ? NULL : rq->source,
					     .service = "sts",
					     .region = place.region,
					     .attempts = CALL_ATTEMPTS,
					     .connect_us = CALL_CONNECT_US,
					     .total_us = CALL_TOTAL_US,
					     .cleartext = place.cleartext,
				     },
				     heard, s);
	buf_free(&body);
	return s;
}

void sts_cancel(struct sts *s)
{
	if (!s)
		return;
	call_cancel(s->call);
	defer_clear(&s->defer);
	free(s);
}
