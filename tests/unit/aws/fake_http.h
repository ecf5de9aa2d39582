/* An HTTP client that answers when the test says so: what was asked is kept, in the order of asking. */
#ifndef TESTS_UNIT_AWS_FAKE_HTTP_H
#define TESTS_UNIT_AWS_FAKE_HTTP_H

#include "fake.h"
#include <stdio.h>
#include "http/http_client.h"

#define FAKE_HTTP_MAX 8

struct fake_http_op {
	struct http_op base;
	http_client_cb cb; /* NULL: the place is free */
	void *arg;
	char method[8], url[256], body[2048];
	char headers[4096]; /* "name: value\n" each */
	bool allow_http, direct;
	bool (*may_connect)(const struct sockaddr *to);
	uint64_t connect_us, total_us;
};

struct fake_http {
	struct http_client base;
	struct fake_http_op op[FAKE_HTTP_MAX]; /* pending ones, and free places */
	struct fake_http_op *last;             /* asked */
	unsigned starts, cancels;
};

static inline struct http_op *fake_http_start(struct http_client *base, const struct http_call *call,
					      http_client_cb cb, void *arg)
{
	struct fake_http *f = (struct fake_http *)base;
	struct fake_http_op *op = f->op;
	size_t at = 0;

	while (op->cb)
		assert_true(++op < f->op + FAKE_HTTP_MAX);
	memset(op, 0, sizeof(*op));
	op->base.client = base;
	op->cb = cb;
	op->arg = arg;
	snprintf(op->method, sizeof(op->method), "%s", call->method);
	snprintf(op->url, sizeof(op->url), "%s", call->url);
	snprintf(op->body, sizeof(op->body), "%.*s", SLICE_FMT(call->body));
	for (size_t i = 0; i < call->header_count; i++) {
		at += (size_t)snprintf(op->headers + at, sizeof(op->headers) - at, "%s: %.*s\n",
				       call->headers[i].name, SLICE_FMT(call->headers[i].value));
		assert_true(at < sizeof(op->headers));
	}
	op->allow_http = call->allow_http;
	op->direct = call->direct;
	op->may_connect = call->may_connect;
	op->connect_us = call->connect_us;
	op->total_us = call->total_us;
	f->last = op;
	f->starts++;
	return &op->base;
}

static inline void fake_http_cancel(struct http_op *base)
{
	struct fake_http_op *op = (struct fake_http_op *)base;

	assert_non_null(op->cb);
	op->cb = NULL;
	((struct fake_http *)op->base.client)->cancels++;
}

static inline void fake_http_init(struct fake_http *f)
{
	static const struct http_client_ops ops = {fake_http_start, fake_http_cancel, NULL};

	memset(f, 0, sizeof(*f));
	f->base.ops = &ops;
}

static inline unsigned fake_http_pending(const struct fake_http *f)
{
	unsigned n = 0;

	for (int i = 0; i < FAKE_HTTP_MAX; i++)
		n += f->op[i].cb != NULL;
	return n;
}

/* Answers op. */
static inline void fake_http_answer(struct fake_http_op *op, const struct http_reply *r)
{
	http_client_cb cb = op->cb;

	assert_non_null(cb);
	op->cb = NULL;
	cb(op->arg, r);
}

/* Answers the one that was asked last. */
static inline void fake_http_reply(struct fake_http *f, int status, const char *body)
{
	struct http_reply r = {.status = status, .why = "", .body = slice_str(body), .verified = true};

	fake_http_answer(f->last, &r);
}

static inline void fake_http_fault(struct fake_http *f, enum http_fault fault)
{
	struct http_reply r = {.fault = fault, .why = "as the test wants it"};

	fake_http_answer(f->last, &r);
}

#endif
