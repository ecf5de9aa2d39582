/* STS answers JSON if it is asked to ("Accept: application/json"), which nobody documents and much relies on
 * (Envoy, aws-iam-authenticator). What answers XML all the same, emulators for one, is understood as well. */
#include "aws/sts.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "aws/call.h"
#include "aws/region_finder.h"
#include "aws/service.h"
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
	/* one of the three is under way */
	struct region_finder_op *finding;
	struct call *call;
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

static void sts_free(struct sts *s)
{
	defer_clear(&s->defer);
	buf_free(&s->body);
	credentials_unref(s->source);
	free(s->endpoint_url);
	free(s);
}

static void finish(struct sts *s, const struct sts_answer *a)
{
	s->cb(s->arg, a);
	sts_free(s);
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
		err_prefix(&s->err, "%s", s->provider);
		out.e = &s->err;
	} else if (s->action == STS_CALLER_IDENTITY) {
		if (sts_reply_identity(a->reply->body, s->provider, &who, &s->err) != 0)
			out.e = &s->err;
		out.arn = out.e ? NULL : who.arn;
		out.account = out.e ? NULL : who.account;
	} else {
		out.creds = sts_reply_credentials(s->action, a->reply->body, s->provider, &s->err);
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

static int call(struct sts *s, const char *region)
{
	static const char form[] = "application/x-www-form-urlencoded; charset=utf-8";
	struct http_header headers[] = {
		{"content-type", slice_str(form)              },
		{"accept",       slice_str("application/json")},
	};
	struct service_place place;

	if (service_find(s->deps.env, SERVICE_STS, region, s->endpoint_url, &place, &s->err) != 0)
		return -1;
	s->call = call_start(&s->deps,
			     &(struct call_request){
				     .who = actions[s->action].who,
				     .method = "POST",
				     .url = place.url,
				     .headers = headers,
				     .header_count = 2,
				     .body = buf_slice(&s->body),
				     .signer = s->source,
				     .service = "sts",
				     .region = place.region,
				     .attempts = CALL_ATTEMPTS,
				     .connect_us = CALL_CONNECT_US,
				     .total_us = CALL_TOTAL_US,
				     .cleartext = place.cleartext,
			     },
			     heard, s);
	return 0;
}

/* s->err says why. */
static void give_up(struct sts *s)
{
	err_prefix(&s->err, "%s", s->provider);
	defer_set(&s->defer);
}

static void region_heard(void *arg, const char *region, const struct err *e)
{
	struct sts *s = arg;

	s->finding = NULL;
	if (!region) {
		s->err = *e;
		s->err.code = ERR_CREDENTIALS;
		err_hint(&s->err, "Set AWS_REGION, or region in the profile.");
	}
	if (!region || call(s, region) != 0)
		give_up(s);
}

/* The region of the endpoint: of who asks, of the environment, or what there is to find. */
static int begin(struct sts *s, const char *region)
{
	if (!region && service_region(s->deps.env, &region, &s->err) != 0)
		return -1;
	if (region)
		return call(s, region);
	if (!s->deps.region) {
		err_set(&s->err, ERR_CREDENTIALS, "no region for the STS endpoint: AWS_REGION is not set");
		err_hint(&s->err, "Set AWS_REGION, or region in the profile.");
		return -1;
	}
	s->finding = region_finder_get(s->deps.region, NULL, region_heard, s);
	return 0;
}

struct sts *sts_start(const struct provider_deps *d, const struct sts_request *rq, sts_cb cb, void *arg)
{
	struct sts *s = mem_zalloc(sizeof(*s));

	s->deps = *d;
	s->action = rq->action;
	s->provider = rq->provider;
	s->endpoint_url = mem_strdup(rq->endpoint_url);
	s->source = rq->action == STS_WEB_IDENTITY ? NULL : credentials_ref(rq->source);
	s->cb = cb;
	s->arg = arg;
	defer_init(&s->defer, d->loop, cannot, s);
	buf_init_secret(&s->body, BODY_MAX);
	if (make_body(d, rq, &s->body, &s->err) != 0)
		defer_set(&s->defer);
	else if (begin(s, rq->region) != 0)
		give_up(s);
	return s;
}

void sts_cancel(struct sts *s)
{
	if (!s)
		return;
	region_finder_cancel(s->finding);
	call_cancel(s->call);
	sts_free(s);
}
