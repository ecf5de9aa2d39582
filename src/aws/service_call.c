#include "aws/service_call.h"

#include <stdlib.h>
#include <string.h>
#include "aws/region_finder.h"
#include "base/buf.h"
#include "base/mem.h"
#include "base/secret.h"
#include "io/loop.h"

#define WRONG_SECRET                                                                                             \
	"Does the secret access key belong to the access key id, and is it whole? A clock that is far off can cause it, too."
#define UNKNOWN_KEY                                                                                              \
	"AWS does not know the access key: it was deleted or turned off, is of another partition, or its session token is "  \
	"missing."
#define OVER "The credentials that sign this have expired, or were revoked."

/* Of the credentials that sign, for services that have nothing else to say about it. */
static const struct service_hint signer_hints[] = {
	{"SignatureDoesNotMatch",       WRONG_SECRET},
	{"InvalidSignatureException",   WRONG_SECRET},
	{"InvalidClientTokenId",        UNKNOWN_KEY },
	{"UnrecognizedClientException", UNKNOWN_KEY },
	{"ExpiredToken",                OVER        },
	{"ExpiredTokenException",       OVER        },
	{NULL,                          NULL        },
};

struct service_call {
	struct provider_deps deps;
	struct service_request rq; /* its pointers are to literals, or the copies below; but for where: that is begin's */
	char *endpoint_url;
	struct buf body;
	struct secret secret, known;
	/* what it waits for: exactly one of the three */
	struct region_finder_op *finding;
	struct call *call;
	struct defer defer; /* to tell err */
	struct err err;
	call_cb cb;
	void *arg;
};

static void release(struct service_call *s)
{
	region_finder_cancel(s->finding);
	call_cancel(s->call);
	defer_clear(&s->defer);
	credentials_unref(s->rq.signer);
	buf_free(&s->body);
	secret_clear(&s->secret);
	secret_clear(&s->known);
	free(s->endpoint_url);
	free(s);
}

static void finish(struct service_call *s, const struct call_answer *a)
{
	s->cb(s->arg, a);
	release(s);
}

static void cannot(void *arg)
{
	struct service_call *s = arg;
	struct call_answer a = {
		.e = &s->err, .fault = HTTP_FAULT_REQUEST, .code = "", .cause = PROVIDER_CAUSE_SETTINGS};

	finish(s, &a);
}

static bool give_hint(struct err *e, const struct service_hint *h, const char *code)
{
	while (h->code && strcmp(h->code, code) != 0)
		h++;
	if (h->code)
		err_hint(e, "%s", h->hint);
	return h->code;
}

static void heard(void *arg, const struct call_answer *a)
{
	struct service_call *s = arg;
	struct call_answer out = *a;

	s->call = NULL;
	if (a->e) {
		s->err = *a->e;
		out.e = &s->err;
		if (!give_hint(&s->err, s->rq.hints, a->code))
			give_hint(&s->err, signer_hints, a->code);
	}
	finish(s, &out);
}

/* err says why; it gets the context. */
static void refuse(struct service_call *s)
{
	err_prefix(&s->err, "%s", s->rq.who);
	defer_set(&s->defer);
}

static void call(struct service_call *s, const char *region)
{
	const struct service_request *rq = &s->rq;
	struct http_header headers[] = {
		{"content-type", slice_str(rq->content_type)},
		{rq->header[0],	 slice_str(rq->header[1])	  },
	};
	struct service_place place;

	if (service_find(s->deps.env, rq->service, region, rq->endpoint_url, &place, &s->err) != 0) {
		refuse(s);
		return;
	}
	s->call = call_start(&s->deps,
			     &(struct call_request){
				     .who = rq->who,
				     .method = "POST",
				     .url = place.url,
				     .headers = headers,
				     .header_count = rq->header[0] ? 2 : 1,
				     .body = rq->body,
				     .secrets = {rq->secret},
				     .known = rq->known,
				     .signer = rq->signer,
				     .service = place.service,
				     .region = place.region,
				     .attempts = call_attempts(&s->deps),
				     .connect_us = CALL_CONNECT_US,
				     .total_us = CALL_TOTAL_US,
				     .cleartext = place.cleartext,
			     },
			     heard, s);
}

static void refuse_for_region(struct service_call *s)
{
	err_hint(&s->err, "Set AWS_REGION, or region of the AWS profile or of the database.");
	refuse(s);
}

static void region_heard(void *arg, const char *region, const struct err *e)
{
	struct service_call *s = arg;

	s->finding = NULL;
	if (region) {
		call(s, region);
		return;
	}
	s->err = *e;
	err_recode(&s->err, ERR_CREDENTIALS);
	refuse_for_region(s);
}

/* In the region that is given, of the environment, or what there is to find. */
static void begin(struct service_call *s, const char *region, const char *profile)
{
	if (!region && service_region(s->deps.env, &region, &s->err) != 0) {
		refuse(s);
	} else if (region) {
		call(s, region);
	} else if (s->deps.region) {
		s->finding = region_finder_get(s->deps.region, profile, region_heard, s);
	} else {
		err_set(&s->err, ERR_CREDENTIALS, "no region for the endpoint: AWS_REGION is not set");
		refuse_for_region(s);
	}
}

static struct service_call *new(const struct provider_deps *d, call_cb cb, void *arg)
{
	struct service_call *s = mem_zalloc(sizeof(*s));

	s->deps = *d;
	s->cb = cb;
	s->arg = arg;
	defer_init(&s->defer, d->loop, cannot, s);
	return s;
}

static void copy(struct service_call *s, const struct service_request *rq)
{
	s->rq = *rq;
	s->rq.region = s->rq.profile = NULL;
	credentials_ref(rq->signer);
	s->rq.endpoint_url = s->endpoint_url = mem_strdup(rq->endpoint_url);
	buf_init_secret(&s->body, rq->body.n);
	buf_add_slice(&s->body, rq->body);
	s->rq.body = buf_slice(&s->body);
	secret_set(&s->secret, rq->secret);
	s->rq.secret = secret_slice(&s->secret);
	secret_set(&s->known, rq->known);
	s->rq.known = secret_slice(&s->known);
}

struct service_call *service_call_start(const struct provider_deps *d, const struct service_request *rq, call_cb cb,
					void *arg)
{
	struct service_call *s = new(d, cb, arg);

	copy(s, rq);
	begin(s, rq->region, rq->profile);
	return s;
}

struct service_call *service_call_refuse(const struct provider_deps *d, const struct err *e, call_cb cb, void *arg)
{
	struct service_call *s = new(d, cb, arg);

	s->err = *e;
	defer_set(&s->defer);
	return s;
}

void service_call_cancel(struct service_call *s)
{
	if (s)
		release(s);
}
