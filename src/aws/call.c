/* Each attempt is signed anew, with the time as it is known then. A refusal for the clock's sake is worth one
 * more attempt only if its own Date header, verified by TLS, has just shown the clock to be wrong: otherwise
 * the signature is wrong for another reason, and will be again. */
#include "aws/call.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "aws/call_verdict.h"
#include "aws/date.h"
#include "aws/env.h"
#include "aws/reply.h"
#include "aws/sigv4.h"
#include "aws/skew.h"
#include "aws/url.h"
#include "base/digest.h"
#include "base/mem.h"
#include "io/loop.h"

/* Added to the caller's: host, x-amz-date, x-amz-security-token, authorization. */
#define ALL_HEADERS_MAX (CALL_HEADERS_MAX + 4)

#define AUTHORIZATION_MAX  4096
#define WHY_SIZE           256
#define TRANSIENT_PAUSE_US UINT64_C(100000)
#define THROTTLED_PAUSE_US UINT64_C(1000000)

struct call {
	struct provider_deps deps;
	struct call_request rq; /* its pointers are to literals, or the copies below; but for secrets and known: call_start's */
	char *url, *region;
	struct http_header header[CALL_HEADERS_MAX];
	struct buf header_text[CALL_HEADERS_MAX]; /* the values */
	struct buf body;
	struct mask sent;
	struct mask heard; /* ... and rq.known */
	struct url parts;
	/* what it waits for: exactly one of the three */
	struct http_op *http;
	struct timer pause;
	struct defer defer;      /* to tell of a request that cannot be made */
	unsigned attempt;        /* from 1 */
	int64_t asked_wall_us;   /* the clock's, uncorrected */
	int64_t asked_offset_us; /* the correction then */
	struct err err;
	call_cb cb;
	void *arg;
};

static int64_t clock_wall(const struct call *c)
{
	return clock_wall_us(loop_clock(c->deps.loop));
}

static int64_t signing_wall(const struct call *c)
{
	return skew_wall_us(c->deps.skew, loop_clock(c->deps.loop));
}

static void call_free(struct call *c)
{
	http_client_cancel(c->http);
	timer_clear(&c->pause);
	defer_clear(&c->defer);
	credentials_unref(c->rq.signer);
	for (size_t i = 0; i < c->rq.header_count; i++)
		buf_free(&c->header_text[i]);
	buf_free(&c->body);
	mask_fini(&c->sent);
	mask_fini(&c->heard);
	free(c->url);
	free(c->region);
	free(c);
}

static void finish(struct call *c, const struct call_answer *a)
{
	c->cb(c->arg, a);
	call_free(c);
}

/* ---- the answer ---- */

static void measure_skew(struct call *c, const struct http_reply *r)
{
	int64_t date;

	if (c->deps.skew && r->verified && date_parse_http(r->header[HTTP_REPLY_DATE], &date) == 0)
		skew_measure(c->deps.skew, date, c->asked_wall_us, clock_wall(c), loop_log(c->deps.loop));
}

/* No answer: what to look at. */
static void hint_at(enum http_fault fault, enum provider_cause cause, const char *host, struct err *e)
{
	if (fault == HTTP_FAULT_TLS_VERIFY)
		err_hint(e, "Something that this machine does not trust answers for %s. A proxy that reads along needs its "
			    "CA in AWS_CA_BUNDLE; and a clock that is far off makes good certificates look bad.", host);
	else if (cause == PROVIDER_CAUSE_SETTINGS)
		err_hint(e, "Check how the address of %s is given: AWS_ENDPOINT_URL, or that of the container's or the "
			    "instance's endpoint.", host);
	else if (cause == PROVIDER_CAUSE_ANSWER)
		err_hint(e, "What answers for %s is not AWS: check AWS_ENDPOINT_URL and the proxy settings (HTTPS_PROXY, "
			    "NO_PROXY).", host);
	else
		err_hint(e, "Check that this machine reaches %s, and its proxy settings (HTTPS_PROXY, NO_PROXY).", host);
}

static void describe(struct call *c, const struct http_reply *r, enum provider_cause cause, const struct reply_error *said)
{
	struct err *e = &c->err;

	if (r->fault != HTTP_FAULT_NONE) {
		char host[URL_AUTHORITY_SIZE], why[WHY_SIZE];

		url_authority(&c->parts, host);
		mask_printable(&c->heard, slice_str(r->why), why, sizeof(why));
		err_set(e, ERR_CREDENTIALS, "%s: %s: %s", c->rq.who, host, why);
		hint_at(r->fault, cause, host, e);
		return;
	}
	err_set(e, ERR_CREDENTIALS, "%s: HTTP status %d%s%s", c->rq.who, r->status, said->code[0] ? ", " : "",
		said->code);
	if (said->message[0])
		err_detail(e, "%s said: %s%s", c->rq.who, said->message, said->message[strlen(said->message) - 1] == '.' ? "" : ".");
	if (r->status >= 300 && r->status <= 399)
		err_detail(e, "Redirects are not followed.");
}

static uint64_t pause_us(const struct call *c, enum call_verdict v, uint64_t asked_us)
{
	uint64_t base = v == CALL_VERDICT_THROTTLED ? THROTTLED_PAUSE_US : TRANSIENT_PAUSE_US, r;

	digest_random(&r, sizeof(r));
	base <<= c->attempt - 1;
	return asked_us + r % (base + 1); /* full jitter, on top of what the service asks for */
}

static bool may_retry(const struct call *c, enum call_verdict v, uint64_t asked_us)
{
	if (c->attempt >= c->rq.attempts || asked_us > CALL_PAUSE_MAX_US)
		return false;
	switch (v) {
	case CALL_VERDICT_TRANSIENT:
	case CALL_VERDICT_THROTTLED: return true;
	case CALL_VERDICT_CLOCK: {
		int64_t moved = signing_wall(c) - clock_wall(c) - c->asked_offset_us;

		return moved >= SKEW_IGNORED_US / 2 || moved <= -SKEW_IGNORED_US / 2;
	}
	case CALL_VERDICT_DONE:
	case CALL_VERDICT_FINAL: return false;
	}
	return false;
}

static void heard(void *arg, const struct http_reply *r)
{
	struct call *c = arg;
	struct call_answer a = {
		.reply = NULL, .e = &c->err, .fault = r->fault, .status = r->status, .mask = &c->sent};
	struct reply_error said = {.code = "", .message = ""};
	enum call_verdict v;

	c->http = NULL;
	measure_skew(c, r);
	if (r->fault == HTTP_FAULT_NONE && (r->status < 200 || r->status > 299))
		reply_error_read(r->body, r->header[HTTP_REPLY_AMZ_ERROR_TYPE], &c->heard, &said);
	v = call_verdict_of(r->fault, r->status, said.code);
	a.cause = call_verdict_cause(v, r->fault);
	if (v == CALL_VERDICT_DONE) {
		a.reply = r;
		a.e = NULL;
	} else {
		a.code = said.code;
		a.retry_after_us = call_verdict_retry_after_us(r, clock_wall(c));
		if (may_retry(c, v, a.retry_after_us)) {
			timer_set(&c->pause, pause_us(c, v, a.retry_after_us));
			return;
		}
		describe(c, r, a.cause, &said);
	}
	finish(c, &a);
}

/* ---- the request ---- */

/* Adds host, date, token and signature to h; n is the count so far. */
static int sign(struct call *c, struct http_header *h, size_t *n, char date[DATE_AMZ_SIZE],
		struct buf *authorization)
{
	struct sigv4_pair pairs[ALL_HEADERS_MAX];
	struct sigv4_signer s = {c->rq.signer, c->region, c->rq.service, signing_wall(c)};
	struct sigv4_request rq = {.method = c->rq.method, .path = "/", .query = "", .body = c->rq.body};

	for (size_t i = 0; i < *n; i++)
		pairs[i] = (struct sigv4_pair){slice_str(h[i].name), h[i].value};
	rq.headers = pairs;
	rq.header_count = *n;
	if (c->parts.path[0] && strcmp(c->parts.path, "/") != 0)
		rq.path = c->parts.path;
	if (sigv4_authorization(&s, &rq, date, authorization, &c->err) != 0)
		return -1;
	h[(*n)++] = (struct http_header){"x-amz-date", slice_str(date)};
	if (secret_is_set(&c->rq.signer->session_token))
		h[(*n)++] = (struct http_header){"x-amz-security-token",
						 secret_slice(&c->rq.signer->session_token)};
	h[(*n)++] = (struct http_header){"authorization", buf_slice(authorization)};
	return 0;
}

static void attempt(void *arg)
{
	struct call *c = arg;
	struct http_header h[ALL_HEADERS_MAX];
	size_t n = c->rq.header_count;
	char host[URL_AUTHORITY_SIZE], date[DATE_AMZ_SIZE];
	struct buf authorization;
	struct http_call call = {
		.method = c->rq.method,
		.url = c->url,
		.headers = h,
		.body = c->rq.body,
		.connect_us = c->rq.connect_us,
		.total_us = c->rq.total_us,
		.max_reply_bytes = CALL_REPLY_MAX,
		.allow_http = c->rq.cleartext,
		/* what is on this machine stays here: a proxy would read the credentials that come back */
		.direct = c->rq.direct || !c->parts.https,
		.may_connect = c->rq.may_connect,
	};

	c->attempt++;
	c->asked_wall_us = clock_wall(c);
	c->asked_offset_us = signing_wall(c) - c->asked_wall_us;
	memcpy(h, c->header, n * sizeof(h[0]));
	url_authority(&c->parts, host);
	h[n++] = (struct http_header){"host", slice_str(host)};
	buf_init_secret(&authorization, AUTHORIZATION_MAX);
	if (c->rq.signer && sign(c, h, &n, date, &authorization) != 0) {
		defer_set(&c->defer);
	} else {
		mask_add(&c->sent, buf_slice(&authorization));
		call.header_count = n;
		c->http = http_client_start(c->deps.http, &call, heard, c);
	}
	buf_free(&authorization);
}

static void cannot(void *arg)
{
	struct call *c = arg;
	struct call_answer a = {.e = &c->err, .fault = HTTP_FAULT_REQUEST, .code = ""};

	finish(c, &a);
}

unsigned call_attempts(const struct provider_deps *d)
{
	return env_number(d->env, "AWS_MAX_ATTEMPTS", CALL_ATTEMPTS, CALL_ATTEMPTS_MAX);
}

/* What is not known to be harmless is a secret. */
static bool is_harmless(const char *header)
{
	static const char *const names[] = {"accept", "content-type", "x-amz-target",
					    "x-aws-ec2-metadata-token-ttl-seconds"};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strcmp(header, names[i]) == 0)
			return true;
	return false;
}

static void know_secrets(struct call *c, const struct call_request *rq)
{
	c->heard.also = &c->sent;
	mask_add(&c->heard, rq->known);
	for (size_t i = 0; i < CALL_SECRETS_MAX; i++)
		mask_add(&c->sent, rq->secrets[i]);
	for (size_t i = 0; i < rq->header_count; i++)
		if (!is_harmless(rq->headers[i].name))
			mask_add(&c->sent, rq->headers[i].value);
	if (rq->signer) {
		mask_add(&c->sent, secret_slice(&rq->signer->secret_key));
		mask_add(&c->sent, secret_slice(&rq->signer->session_token));
	}
}

struct call *call_start(const struct provider_deps *d, const struct call_request *rq, call_cb cb, void *arg)
{
	struct call *c = mem_zalloc(sizeof(*c));

	c->deps = *d;
	c->rq = *rq;
	c->cb = cb;
	c->arg = arg;
	c->rq.url = c->url = mem_strdup(rq->url);
	c->rq.region = c->region = mem_strdup(rq->region);
	credentials_ref(rq->signer);
	buf_init_secret(&c->body, rq->body.n);
	buf_add_slice(&c->body, rq->body);
	c->rq.body = buf_slice(&c->body);
	c->rq.headers = c->header;
	for (size_t i = 0; i < rq->header_count; i++) {
		buf_init_secret(&c->header_text[i], rq->headers[i].value.n);
		buf_add_slice(&c->header_text[i], rq->headers[i].value);
		c->header[i] = (struct http_header){rq->headers[i].name, buf_slice(&c->header_text[i])};
	}
	know_secrets(c, rq);
	timer_init(&c->pause, d->loop, attempt, c);
	defer_init(&c->defer, d->loop, cannot, c);
	if (url_parse(c->url, rq->who, &c->parts, &c->err) != 0)
		defer_set(&c->defer);
	else
		attempt(c);
	return c;
}

void call_cancel(struct call *c)
{
	if (c)
		call_free(c);
}
