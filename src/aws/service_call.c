#include "aws/service_call.h"

#include <stdlib.h>
#include <string.h>
#include "base/mem.h"
#include "io/loop.h"

struct service_call {
	struct call *call; /* one of the two is under way */
	struct defer defer;
	struct err err;
	const struct service_hint *hints;
	call_cb cb;
	void *arg;
};

static void finish(struct service_call *s, const struct call_answer *a)
{
	s->cb(s->arg, a);
	defer_clear(&s->defer);
	free(s);
}

static void cannot(void *arg)
{
	struct service_call *s = arg;
	struct call_answer a = {
		.e = &s->err, .fault = HTTP_FAULT_REQUEST, .code = "", .cause = PROVIDER_CAUSE_SETTINGS};

	finish(s, &a);
}

static void heard(void *arg, const struct call_answer *a)
{
	struct service_call *s = arg;
	struct call_answer out = *a;

	s->call = NULL;
	if (a->e) {
		s->err = *a->e;
		out.e = &s->err;
		for (const struct service_hint *h = s->hints; h->code; h++)
			if (strcmp(h->code, a->code) == 0)
				err_hint(&s->err, "%s", h->hint);
	}
	finish(s, &out);
}

static struct service_call *new(const struct provider_deps *d, call_cb cb, void *arg)
{
	struct service_call *s = mem_zalloc(sizeof(*s));

	s->cb = cb;
	s->arg = arg;
	defer_init(&s->defer, d->loop, cannot, s);
	return s;
}

struct service_call *service_call_start(const struct provider_deps *d, const struct service_request *rq, call_cb cb,
					void *arg)
{
	struct service_call *s = new(d, cb, arg);
	struct http_header headers[] = {
		{"content-type", slice_str(rq->content_type)},
		{rq->header[0],	 slice_str(rq->header[1])	  },
	};
	struct service_place place;

	s->hints = rq->hints;
	if (service_find(d->env, rq->service, rq->region, rq->endpoint_url, &place, &s->err) != 0) {
		err_prefix(&s->err, "%s", rq->who);
		defer_set(&s->defer);
		return s;
	}
	s->call = call_start(d,
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
				     .attempts = call_attempts(d),
				     .connect_us = CALL_CONNECT_US,
				     .total_us = CALL_TOTAL_US,
				     .cleartext = place.cleartext,
			     },
			     heard, s);
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
	if (!s)
		return;
	call_cancel(s->call);
	defer_clear(&s->defer);
	free(s);
}
