/* One call of an AWS service: a request, signed or not, tried again where that can help, with the service's
 * word on how soon, and with the clock corrected where that was the trouble. On the control loop. */
#ifndef PGIAM_AWS_CALL_H
#define PGIAM_AWS_CALL_H

#include "aws/provider.h"
#include "base/mask.h"
#include "http/http_client.h"

#define CALL_HEADERS_MAX 8
#define CALL_SECRETS_MAX 3

/* Copied by call_start. */
struct call_request {
	const char *who;    /* literal; begins messages: "sts AssumeRole" */
	const char *method; /* literal */
	const char *url;
	const struct http_header *headers; /* names in lower case; at most CALL_HEADERS_MAX; no Host */
	size_t header_count;
	struct slice body;
	/* In body, as they are without its encoding; n == 0: none. What signs, and every header that is not known to be
	   harmless, needs no mention. */
	struct slice secrets[CALL_SECRETS_MAX];
	struct slice known; /* not sent, but the service knows it: what it said before; n == 0: nothing */
	struct credentials *signer; /* referenced; NULL: not signed */
	const char *service;        /* literal: to sign for */
	const char *region;
	unsigned attempts;             /* 1: no retries */
	uint64_t connect_us, total_us; /* of each attempt */
	bool cleartext, direct;        /* http_call.allow_http, direct */
	bool (*may_connect)(const struct sockaddr *to);
};

/* For calls of AWS's public endpoints; a caller may set others. */
#define CALL_ATTEMPTS   3
#define CALL_ATTEMPTS_MAX 10
#define CALL_CONNECT_US UINT64_C(5000000)
#define CALL_TOTAL_US   UINT64_C(10000000)
/* No answer is longer; STS's and Secrets Manager's largest are about 70 KB. */
#define CALL_REPLY_MAX 262144
/* A source that wants to be left alone for longer is not waited for: the call fails, and tells. */
#define CALL_PAUSE_MAX_US UINT64_C(5000000)

/* Borrowed: valid during the callback. */
struct call_answer {
	const struct http_reply *reply; /* status 200 to 299; NULL: it failed */
	const struct err *e;            /* then: ERR_CREDENTIALS, with what the service said */
	enum http_fault fault;          /* ... the last attempt's */
	int status;                     /* ... or its status, 0 if there was no answer */
	const char *code;               /* ... and the service's error code, "" if it gave none */
	enum provider_cause cause;      /* ... and what that comes to; with a reply: if it is of no use */
	uint64_t retry_after_us;        /* ... and its wish, 0 if none */
	/* Of what was secret in the request; NULL: there was none. e and code went through it; so must whatever else of
	   the answer people will see. */
	const struct mask *mask;
};

/* How often services are asked: AWS_MAX_ATTEMPTS, or CALL_ATTEMPTS. */
unsigned call_attempts(const struct provider_deps *d);

/* Comes once, never inside call_start, never after call_cancel. */
typedef void (*call_cb)(void *arg, const struct call_answer *a);

struct call;
struct call *call_start(const struct provider_deps *d, const struct call_request *rq, call_cb cb, void *arg);
void call_cancel(struct call *c); /* NULL is fine */

#endif
