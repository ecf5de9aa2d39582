/* The instance metadata service, version 2 only: a session token is fetched with PUT, and everything else
 * asked with it. Version 1 hands credentials to whoever can make this host send a GET, so there is no falling
 * back to it.
 *
 * On a machine that is no EC2 instance nothing listens: one attempt, one second. Once it has answered it is
 * known to be there, and silence is a failure.
 *
 * Static stability: during an outage the service hands out credentials that have expired, or none, and AWS
 * goes on accepting the old ones. So expired ones, answered or remembered, are used on for a while. */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include "aws/call.h"
#include "aws/env.h"
#include "aws/later.h"
#include "aws/reply.h"
#include "aws/skew.h"
#include "aws/url.h"
#include "base/digest.h"
#include "base/enc.h"
#include "base/mem.h"

#define NAME          "imds"
#define ROLES         "latest/meta-data/iam/security-credentials/"
#define TOKEN_TTL_SEC "21600"
/* A token is used no longer than this: its life less a margin. */
#define TOKEN_USE_US (UINT64_C(21300) * 1000000)
#define TOKEN_MAX    1024
#define ROLE_MAX     64
#define WAIT_US      UINT64_C(1000000)
#define URL_MAX      512
/* Expired credentials are used on for that long, and up to half as long again: then they are asked for anew.
 */
#define STABLE_US (INT64_C(10) * 60 * 1000000)

enum state { STATE_TOKEN, STATE_ROLE, STATE_KEYS };

struct provider_imds {
	struct provider base;
	struct provider_deps deps;
	struct secret token;      /* of the session, unset if there is none */
	uint64_t token_until_us;  /* monotonic */
	struct credentials *last; /* the last ones it gave, or NULL: it never answered */
};

struct provider_imds_op {
	struct later later;
	enum state state;
	struct call *call;
	bool token_renewed; /* after a 401, which is done once */
	char endpoint[URL_MAX];
	bool https;
	char role[ROLE_MAX + 1];
};

static void ask(struct provider_imds_op *op, enum state state);

static struct provider_imds *imds_of(struct provider_imds_op *op)
{
	return (struct provider_imds *)op->later.base.provider;
}

static int64_t wall_us(const struct provider_imds *p)
{
	return skew_wall_us(p->deps.skew, loop_clock(p->deps.loop));
}

/* ---- ends ---- */

/* Takes creds. */
static void succeed(struct provider_imds_op *op, struct credentials *creds)
{
	struct provider_imds *p = imds_of(op);
	int64_t now = wall_us(p);

	credentials_unref(p->last);
	p->last = creds;
	if (!credentials_valid_at(creds, now)) {
		uint64_t r;

		digest_random(&r, sizeof(r));
		creds = credentials_with_expiry(creds, now + STABLE_US + (int64_t)(r % (STABLE_US / 2)));
		log_warning(loop_log(p->deps.loop), "imds has only expired credentials, used on");
	} else {
		credentials_ref(creds);
	}
	later_give(&op->later, creds);
}

/* The operation's err says why. */
static void fail(struct provider_imds_op *op, enum provider_result result, const struct call_answer *c)
{
	struct provider_imds *p = imds_of(op);
	struct provider_answer a = {
		.result = result,
		.e = &op->later.err,
		.cause = c->cause,
		.retry_after_us = c->retry_after_us,
	};

	if (p->last && !credentials_valid_at(p->last, wall_us(p))) {
		log_warning(loop_log(p->deps.loop), "imds does not answer", LERR(&op->later.err));
		succeed(op, credentials_ref(p->last));
		return;
	}
	if (p->last)
		a.result = PROVIDER_FAILED; /* it is there: nobody else may stand in */
	later_finish(&op->later, &a);
}

/* ---- answers ---- */

/* Nothing there, or something that does not let us in: says which. */
static enum provider_result explain(struct provider_imds_op *op, const struct call_answer *c)
{
	struct err *e = &op->later.err;

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
	if (op->state == STATE_ROLE && c->status == 404) {
		err_set(e, ERR_CREDENTIALS, NAME ": this instance has no role");
		err_hint(e, "Attach an instance profile to it.");
		return PROVIDER_NOT_CONFIGURED;
	}
	if (op->state == STATE_TOKEN && c->status == 403) {
		err_set(e, ERR_CREDENTIALS, NAME ": the metadata service is turned off for this instance");
		return PROVIDER_NOT_CONFIGURED;
	}
	*e = *c->e;
	return PROVIDER_FAILED;
}

static bool take_token(struct provider_imds_op *op, struct slice body)
{
	struct provider_imds *p = imds_of(op);

	for (size_t i = 0; i < body.n; i++) {
		if (body.p[i] <= ' ' || body.p[i] > '~')
			return false;
	}
	if (body.n == 0 || body.n > TOKEN_MAX)
		return false;
	secret_set(&p->token, body);
	p->token_until_us = loop_now_us(p->deps.loop) + TOKEN_USE_US;
	return true;
}

/* The first line. */
static bool take_role(struct provider_imds_op *op, struct slice body)
{
	size_t n = 0;

	while (n < body.n && body.p[n] != '\n' && body.p[n] != '\r')
		n++;
	if (n == 0 || n > ROLE_MAX)
		return false;
	for (size_t i = 0; i < n; i++) {
		if (!isalnum(body.p[i]) && !strchr("_+=,.@-", body.p[i]))
			return false;
	}
	snprintf(op->role, sizeof(op->role), "%.*s", (int)n, (const char *)body.p);
	return true;
}

/* Owned, or NULL with the operation's err set. A status of 200 may carry a failure. */
static struct credentials *take_keys(struct provider_imds_op *op, struct slice body)
{
	static const struct reply_fields fields = {
		.access_key = "AccessKeyId",
		.secret_key = "SecretAccessKey",
		.session_token = "Token",
		.expiration = "Expiration",
		.account_id = "AccountId",
		.must_expire = true,
	};
	struct json *j = json_parse(body);
	struct slice code = json_string(j, "Code");
	struct credentials *c = NULL;
	struct reply_error said;

	if (!j) {
		err_set(&op->later.err, ERR_CREDENTIALS, NAME ": the answer is no JSON");
	} else if (code.n > 0 && !slice_eq_str(code, "Success")) {
		reply_error_read(body, slice_of(NULL, 0), &said);
		err_set(&op->later.err, ERR_CREDENTIALS, NAME ": no credentials for role %s: %s", op->role,
			said.code);
		err_detail(&op->later.err, "%s", said.message);
	} else {
		c = reply_credentials(j, &fields, NAME, &op->later.err);
	}
	json_free(j);
	return c;
}

static void heard(void *arg, const struct call_answer *c)
{
	struct provider_imds_op *op = arg;
	struct credentials *creds;

	op->call = NULL;
	if (!c->reply && c->status == 401 && op->state != STATE_TOKEN && !op->token_renewed) {
		op->token_renewed = true;
		ask(op, STATE_TOKEN);
		return;
	}
	if (!c->reply) {
		fail(op, explain(op, c), c);
		return;
	}
	switch (op->state) {
	case STATE_TOKEN:
		if (take_token(op, c->reply->body)) {
			ask(op, STATE_ROLE);
			return;
		}
		err_set(&op->later.err, ERR_CREDENTIALS, NAME ": what the metadata service gave is no token");
		break;
	case STATE_ROLE:
		if (take_role(op, c->reply->body)) {
			ask(op, STATE_KEYS);
			return;
		}
		err_set(&op->later.err, ERR_CREDENTIALS, NAME ": what the metadata service gave is no role's name");
		break;
	case STATE_KEYS:
		creds = take_keys(op, c->reply->body);
		if (creds) {
			succeed(op, creds);
			return;
		}
		break;
	}
	fail(op, PROVIDER_FAILED, c);
}

/* ---- questions ---- */

/* A small number from the environment, or the default: what is not one is not taken. */
static unsigned small_number(const char *const *env, const char *name, unsigned otherwise, unsigned max)
{
	const char *text = env_get(env, name);
	char *end;
	unsigned long n = text && isdigit((unsigned char)*text) ? strtoul(text, &end, 10) : 0;

	return n >= 1 && n <= max && !*end ? (unsigned)n : otherwise;
}

static void ask(struct provider_imds_op *op, enum state state)
{
	static const struct {
		const char *method, *path;
	} steps[] = {
		[STATE_TOKEN] = {"PUT", "latest/api/token"},
		[STATE_ROLE] = {"GET", ROLES             },
		[STATE_KEYS] = {"GET", ROLES             },
	};
	struct provider_imds *p = imds_of(op);
	char url[URL_MAX + sizeof(ROLES) + ROLE_MAX];
	struct http_header header = {"x-aws-ec2-metadata-token", secret_slice(&p->token)};
	unsigned wait_sec = small_number(p->deps.env, "AWS_METADATA_SERVICE_TIMEOUT", 1, 60);

	if (state == STATE_TOKEN)
		header = (struct http_header){"x-aws-ec2-metadata-token-ttl-seconds",
					      slice_str(TOKEN_TTL_SEC)};
	op->state = state;
	snprintf(url, sizeof(url), "%s/%s%s", op->endpoint, steps[state].path,
		 state == STATE_KEYS ? op->role : "");
	op->call =
		call_start(&p->deps,
			   &(struct call_request){
				   .who = NAME,
				   .method = steps[state].method,
				   .url = url,
				   .headers = &header,
				   .header_count = 1,
				   .attempts = small_number(p->deps.env, "AWS_METADATA_SERVICE_NUM_ATTEMPTS",
							    p->last ? CALL_ATTEMPTS : 1, 10),
				   .connect_us = wait_sec * WAIT_US,
				   .total_us = wait_sec * WAIT_US,
				   .cleartext = !op->https,
				   .direct = true,
			   },
			   heard, op);
}

/* PROVIDER_CREDENTIALS: the endpoint is known. */
static enum provider_result find_endpoint(const char *const *env, struct provider_imds_op *op)
{
	const char *url = env_get(env, "AWS_EC2_METADATA_SERVICE_ENDPOINT");
	const char *mode = env_get(env, "AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE");
	struct url parts;
	int n;

	if (env_is_true(env, "AWS_EC2_METADATA_DISABLED")) {
		err_set(&op->later.err, ERR_CREDENTIALS, NAME ": AWS_EC2_METADATA_DISABLED is true");
		return PROVIDER_NOT_CONFIGURED;
	}
	if (!url)
		url = mode && strcasecmp(mode, "IPv6") == 0 ? "http://[fd00:ec2::254]"
							    : "http://169.254.169.254";
	if (url_parse(url, NAME ": AWS_EC2_METADATA_SERVICE_ENDPOINT", &parts, &op->later.err) != 0)
		return PROVIDER_FAILED;
	n = (int)strlen(url);
	while (n > 0 && url[n - 1] == '/')
		n--;
	if (n >= URL_MAX) {
		err_set(&op->later.err, ERR_CREDENTIALS, NAME ": AWS_EC2_METADATA_SERVICE_ENDPOINT is too long");
		return PROVIDER_FAILED;
	}
	snprintf(op->endpoint, sizeof(op->endpoint), "%.*s", n, url);
	op->https = parts.https;
	return PROVIDER_CREDENTIALS;
}

static struct provider_op *start(struct provider *base, provider_cb cb, void *arg)
{
	struct provider_imds *p = (struct provider_imds *)base;
	struct provider_imds_op *op = later_new(sizeof(*op), base, p->deps.loop, NULL, cb, arg);
	bool token = secret_is_set(&p->token) && loop_now_us(p->deps.loop) < p->token_until_us;
	enum provider_result result = find_endpoint(p->deps.env, op);

	if (result == PROVIDER_CREDENTIALS)
		ask(op, token ? STATE_ROLE : STATE_TOKEN);
	else
		later_answer(&op->later, result, NULL);
	return &op->later.base;
}

static void cancel(struct provider_op *base)
{
	struct provider_imds_op *op = (struct provider_imds_op *)base;

	call_cancel(op->call);
	later_free(&op->later);
}

static void free_imds(struct provider *base)
{
	struct provider_imds *p = (struct provider_imds *)base;

	secret_clear(&p->token);
	credentials_unref(p->last);
	free(p);
}

static const struct provider_ops ops = {.name = NAME, .start = start, .cancel = cancel, .free = free_imds};

struct provider *provider_imds_new(const struct provider_deps *d)
{
	struct provider_imds *p = mem_zalloc(sizeof(*p));

	p->base.ops = &ops;
	p->deps = *d;
	return &p->base;
}
