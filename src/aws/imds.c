/* On a machine that is no EC2 instance nothing listens: one attempt, one second. Once the service has given a token it is
 * known to be there, and gets more of them. */
#include "aws/imds.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include "aws/call.h"
#include "aws/env.h"
#include "aws/url.h"
#include "base/mem.h"
#include "base/secret.h"
#include "io/loop.h"

#define NAME          "imds"
#define TOKEN_PATH    "latest/api/token"
#define TOKEN_TTL_SEC "21600"
/* A token is used no longer than this: its life less a margin. */
#define TOKEN_USE_US (UINT64_C(21300) * 1000000)
#define TOKEN_MAX    1024
#define WAIT_US      UINT64_C(1000000)
#define URL_MAX      512

struct imds {
	struct provider_deps deps;
	struct secret token;     /* of the session, unset if there never was one */
	uint64_t token_until_us; /* monotonic */
};

enum state { STATE_TOKEN, STATE_PATH };

struct imds_op {
	struct imds *imds;
	enum state state;
	struct call *call; /* one of the two is under way */
	struct defer defer;
	bool token_renewed; /* after a 401, which is done once */
	char endpoint[URL_MAX];
	bool https;
	char path[IMDS_PATH_MAX + 1];
	enum provider_result early; /* told by defer */
	struct err err;
	imds_cb cb;
	void *arg;
};

static void ask(struct imds_op *op, enum state state);

static void finish(struct imds_op *op, const struct imds_answer *a)
{
	op->cb(op->arg, a);
	defer_clear(&op->defer);
	free(op);
}

static void answer_early(void *arg)
{
	struct imds_op *op = arg;

	bool absent = op->early == PROVIDER_NOT_CONFIGURED;

	finish(op, &(struct imds_answer){.e = &op->err,
					 .result = op->early,
					 .cause = absent ? PROVIDER_CAUSE_ABSENT : PROVIDER_CAUSE_SETTINGS});
}

/* ---- answers ---- */

/* Nothing there, or something that does not let us in: says which. */
static enum provider_result explain(struct imds_op *op, const struct call_answer *c)
{
	struct err *e = &op->err;

	if (c->fault == HTTP_FAULT_TIMEOUT) {
		err_set(e, ERR_CREDENTIALS,
			NAME ": the metadata service takes connections and does not answer");
		err_hint(e, "In a container its answer is lost on the way if the hop limit is 1: aws ec2 "
			    "modify-instance-metadata-options --http-put-response-hop-limit 2, or give the "
			    "container "
			    "a role of its own.");
		return PROVIDER_FAILED;
	}
	if (c->fault == HTTP_FAULT_CONNECT || c->fault == HTTP_FAULT_CONNECT_TIMEOUT) {
		err_set(e, ERR_CREDENTIALS,
			NAME
			": nothing answers at %s; this is no EC2 instance, or it has no metadata service",
			op->endpoint);
		return PROVIDER_NOT_CONFIGURED;
	}
	if (op->state == STATE_TOKEN && c->status == 403) {
		err_set(e, ERR_CREDENTIALS, NAME ": the metadata service is turned off for this instance");
		return PROVIDER_NOT_CONFIGURED;
	}
	*e = *c->e;
	return PROVIDER_FAILED;
}

static bool take_token(struct imds *m, struct slice body)
{
	for (size_t i = 0; i < body.n; i++) {
		if (body.p[i] <= ' ' || body.p[i] > '~')
			return false;
	}
	if (body.n == 0 || body.n > TOKEN_MAX)
		return false;
	secret_set(&m->token, body);
	m->token_until_us = loop_now_us(m->deps.loop) + TOKEN_USE_US;
	return true;
}

static void heard(void *arg, const struct call_answer *c)
{
	struct imds_op *op = arg;
	struct imds_answer a = {.status = op->state == STATE_PATH ? c->status : 0,
				.mask = c->mask,
				.cause = c->cause,
				.retry_after_us = c->retry_after_us};

	op->call = NULL;
	if (!c->reply && c->status == 401 && op->state != STATE_TOKEN && !op->token_renewed) {
		op->token_renewed = true;
		ask(op, STATE_TOKEN);
		return;
	}
	if (!c->reply) {
		a.result = explain(op, c);
		a.e = &op->err;
	} else if (op->state == STATE_PATH) {
		a.body = c->reply->body;
	} else if (take_token(op->imds, c->reply->body)) {
		ask(op, STATE_PATH);
		return;
	} else {
		err_set(&op->err, ERR_CREDENTIALS, NAME ": what the metadata service gave is no token");
		a = (struct imds_answer){
			.e = &op->err, .result = PROVIDER_FAILED, .cause = PROVIDER_CAUSE_ANSWER};
	}
	finish(op, &a);
}

/* ---- questions ---- */

static void ask(struct imds_op *op, enum state state)
{
	struct imds *m = op->imds;
	bool token = state == STATE_TOKEN;
	char url[URL_MAX + IMDS_PATH_MAX + 2];
	struct http_header header = {"x-aws-ec2-metadata-token", secret_slice(&m->token)};
	unsigned wait_sec = env_number(m->deps.env, "AWS_METADATA_SERVICE_TIMEOUT", 1, 60);

	if (token)
		header = (struct http_header){"x-aws-ec2-metadata-token-ttl-seconds",
					      slice_str(TOKEN_TTL_SEC)};
	op->state = state;
	snprintf(url, sizeof(url), "%s/%s", op->endpoint, token ? TOKEN_PATH : op->path);
	op->call = call_start(
		&m->deps,
		&(struct call_request){
			.who = NAME,
			.method = token ? "PUT" : "GET",
			.url = url,
			.headers = &header,
			.header_count = 1,
			.attempts = env_number(m->deps.env, "AWS_METADATA_SERVICE_NUM_ATTEMPTS",
						 secret_is_set(&m->token) ? CALL_ATTEMPTS : 1, CALL_ATTEMPTS_MAX),
			.connect_us = wait_sec * WAIT_US,
			.total_us = wait_sec * WAIT_US,
			.cleartext = !op->https,
			.direct = true,
		},
		heard, op);
}

/* PROVIDER_CREDENTIALS: the endpoint is known. */
static enum provider_result find_endpoint(const char *const *env, struct imds_op *op)
{
	const char *url = env_get(env, "AWS_EC2_METADATA_SERVICE_ENDPOINT");
	const char *mode = env_get(env, "AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE");
	struct url parts;
	int n;

	if (env_is_true(env, "AWS_EC2_METADATA_DISABLED")) {
		err_set(&op->err, ERR_CREDENTIALS, NAME ": AWS_EC2_METADATA_DISABLED is true");
		return PROVIDER_NOT_CONFIGURED;
	}
	if (!url)
		url = mode && strcasecmp(mode, "IPv6") == 0 ? "http://[fd00:ec2::254]"
							    : "http://169.254.169.254";
	if (url_parse(url, NAME ": AWS_EC2_METADATA_SERVICE_ENDPOINT", &parts, &op->err) != 0)
		return PROVIDER_FAILED;
	n = (int)strlen(url);
	while (n > 0 && url[n - 1] == '/')
		n--;
	if (n >= URL_MAX) {
		err_set(&op->err, ERR_CREDENTIALS, NAME ": AWS_EC2_METADATA_SERVICE_ENDPOINT is too long");
		return PROVIDER_FAILED;
	}
	snprintf(op->endpoint, sizeof(op->endpoint), "%.*s", n, url);
	op->https = parts.https;
	return PROVIDER_CREDENTIALS;
}

struct imds_op *imds_get(struct imds *m, const char *path, imds_cb cb, void *arg)
{
	struct imds_op *op = mem_zalloc(sizeof(*op));
	bool token = secret_is_set(&m->token) && loop_now_us(m->deps.loop) < m->token_until_us;

	op->imds = m;
	op->cb = cb;
	op->arg = arg;
	snprintf(op->path, sizeof(op->path), "%s", path);
	defer_init(&op->defer, m->deps.loop, answer_early, op);
	op->early = find_endpoint(m->deps.env, op);
	if (op->early == PROVIDER_CREDENTIALS)
		ask(op, token ? STATE_PATH : STATE_TOKEN);
	else
		defer_set(&op->defer);
	return op;
}

void imds_cancel(struct imds_op *op)
{
	if (!op)
		return;
	call_cancel(op->call);
	defer_clear(&op->defer);
	free(op);
}

struct imds *imds_new(const struct provider_deps *d)
{
	struct imds *m = mem_zalloc(sizeof(*m));

	m->deps = *d;
	return m;
}

void imds_free(struct imds *m)
{
	if (!m)
		return;
	secret_clear(&m->token);
	free(m);
}
