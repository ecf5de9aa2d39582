/* The endpoint that ECS, EKS Pod Identity, Greengrass and Lambda SnapStart put beside a container. What is
 * sent there is a token that stands for the container, so where "there" may be is the point of this file
 * (container_host.h): the URL is judged as parsed, and each address again before it is connected to. */
#include <stdio.h>
#include <stdlib.h>
#include "aws/call.h"
#include "aws/container_host.h"
#include "aws/env.h"
#include "aws/file.h"
#include "aws/later.h"
#include "aws/reply.h"
#include "base/mem.h"

#define NAME       "container"
#define ECS_HOST   "http://169.254.170.2"
#define TOKEN_MAX  20000
#define CONNECT_US UINT64_C(2000000)
#define TOTAL_US   UINT64_C(5000000)
#define URL_MAX    2048

#define RELATIVE "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"
#define FULL     "AWS_CONTAINER_CREDENTIALS_FULL_URI"

struct provider_container {
	struct provider base;
	struct provider_deps deps;
};

struct provider_container_op {
	struct later later;
	struct call *call;
};

static void heard(void *arg, const struct call_answer *c)
{
	struct provider_container_op *op = arg;
	struct provider_answer a = {
		.result = PROVIDER_FAILED, .e = c->e, .cause = c->cause, .retry_after_us = c->retry_after_us};
	struct credentials *creds = NULL;

	op->call = NULL;
	if (c->reply) {
		struct json *j = json_parse(c->reply->body);

		a.e = &op->later.err;
		creds = reply_credentials(j, REPLY_INSTANCE, NAME, &op->later.err);
		json_free(j);
	}
	if (creds)
		later_give(&op->later, creds);
	else
		later_finish(&op->later, &a);
}

/* The Authorization header's value, or none: the file wins, and is read at each refresh. */
static int authorization(const char *const *env, struct buf *out, struct err *e)
{
	const char *file = env_get(env, "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE");
	const char *token = env_get(env, "AWS_CONTAINER_AUTHORIZATION_TOKEN");

	if (file)
		return file_read_token(file, NAME ": AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", out, e);
	for (const char *p = token; p && *p; p++) {
		if (*p < ' ' || *p > '~')
			return err_set(e, ERR_CREDENTIALS,
				       NAME
				       ": AWS_CONTAINER_AUTHORIZATION_TOKEN has a byte that no token has");
	}
	if (token && buf_add_str(out, token) != 0)
		return err_set(e, ERR_CREDENTIALS, NAME ": AWS_CONTAINER_AUTHORIZATION_TOKEN is too long");
	return 0;
}

static enum provider_result find_url(const char *const *env, char out[URL_MAX], struct url *parts,
				     struct err *e)
{
	const char *relative = env_get(env, RELATIVE), *full = env_get(env, FULL);

	if (!relative && !full) {
		err_set(e, ERR_CREDENTIALS, NAME ": neither " RELATIVE " nor " FULL " is set");
		return PROVIDER_NOT_CONFIGURED;
	}
	if (relative && *relative != '/') {
		err_set(e, ERR_CREDENTIALS, NAME ": " RELATIVE " does not begin with /");
		return PROVIDER_FAILED;
	}
	if ((size_t)snprintf(out, URL_MAX, "%s%s", relative ? ECS_HOST : "", relative ? relative : full) >=
	    URL_MAX) {
		err_set(e, ERR_CREDENTIALS, NAME ": the URI is too long");
		return PROVIDER_FAILED;
	}
	if (url_parse(out, relative ? RELATIVE : FULL, parts, e) != 0) {
		err_prefix(e, NAME);
		return PROVIDER_FAILED;
	}
	if (!container_host_url_ok(parts)) {
		err_set(e, ERR_CREDENTIALS,
			NAME ": " FULL
			     " is http:// and its host is neither on this machine nor one of AWS's");
		err_hint(e, "Allowed are https:// to any host, and http:// to loopback addresses, localhost, "
			    "169.254.170.2, 169.254.170.23 and [fd00:ec2::23].");
		return PROVIDER_FAILED;
	}
	return PROVIDER_CREDENTIALS;
}

/* PROVIDER_CREDENTIALS: the question is on its way. */
static enum provider_result ask(struct provider_container *p, struct provider_container_op *op)
{
	char url[URL_MAX];
	struct url parts;
	struct buf token;
	enum provider_result result = find_url(p->deps.env, url, &parts, &op->later.err);

	if (result != PROVIDER_CREDENTIALS)
		return result;
	buf_init_secret(&token, TOKEN_MAX);
	if (authorization(p->deps.env, &token, &op->later.err) != 0) {
		result = PROVIDER_FAILED;
	} else {
		struct http_header headers[] = {
			{"accept",        slice_str("application/json")},
			{"authorization", buf_slice(&token)            },
		};

		op->call = call_start(&p->deps,
				      &(struct call_request){
					      .who = NAME,
					      .method = "GET",
					      .url = url,
					      .headers = headers,
					      .header_count = token.n ? 2 : 1,
					      .attempts = CALL_ATTEMPTS,
					      .connect_us = CONNECT_US,
					      .total_us = TOTAL_US,
					      .cleartext = !parts.https,
					      .direct = true,
					      .may_connect = parts.https ? NULL : container_host_addr_ok,
				      },
				      heard, op);
	}
	buf_free(&token);
	return result;
}

static struct provider_op *start(struct provider *base, provider_cb cb, void *arg)
{
	struct provider_container *p = (struct provider_container *)base;
	struct provider_container_op *op = later_new(sizeof(*op), base, p->deps.loop, NULL, cb, arg);
	enum provider_result result = ask(p, op);

	if (!op->call)
		later_answer(&op->later, result, NULL);
	return &op->later.base;
}

static void cancel(struct provider_op *base)
{
	struct provider_container_op *op = (struct provider_container_op *)base;

	call_cancel(op->call);
	later_free(&op->later);
}

static void free_container(struct provider *p)
{
	free(p);
}

static const struct provider_ops ops = {
	.name = NAME, .start = start, .cancel = cancel, .free = free_container};

struct provider *provider_container_new(const struct provider_deps *d)
{
	struct provider_container *p = mem_zalloc(sizeof(*p));

	p->base.ops = &ops;
	p->deps = *d;
	return &p->base;
}
