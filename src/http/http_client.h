/* HTTP as a client: what one request and its answer are, and who carries it out. http/http_curl.h is the real
 * one; tests put in their own.
 *
 * One request, one answer: redirects are answers like others, nothing is tried twice, nothing is remembered
 * between requests. TLS is always verified. */
#ifndef PGIAM_HTTP_HTTP_CLIENT_H
#define PGIAM_HTTP_HTTP_CLIENT_H

#include <stdbool.h>
#include <stdint.h>
#include "base/slice.h"

struct sockaddr;

struct http_header {
	const char *name;
	struct slice value; /* without CR, LF, NUL */
};

/* Borrowed until http_client_start returns. */
struct http_call {
	const char *method; /* "GET", "PUT", "POST" */
	const char *url;
	const struct http_header *headers;
	size_t header_count;
	struct slice body;      /* not with GET */
	uint64_t connect_us;    /* until connected, name and TLS included */
	uint64_t total_us;      /* until the last byte, all included */
	size_t max_reply_bytes; /* of the body; more is HTTP_FAULT_TOO_LARGE */
	bool allow_http;        /* http:// besides https:// */
	bool direct;            /* past any proxy: for what is on this machine or its link */
	/* Only addresses it says yes to are connected to (HTTP_FAULT_FORBIDDEN); NULL: all. Pure. */
	bool (*may_connect)(const struct sockaddr *to);
};

/* Why there is no answer. */
enum http_fault {
	HTTP_FAULT_NONE,
	HTTP_FAULT_REQUEST,   /* ours is malformed */
	HTTP_FAULT_FORBIDDEN, /* by may_connect */
	HTTP_FAULT_RESOLVE,
	HTTP_FAULT_CONNECT,
	HTTP_FAULT_CONNECT_TIMEOUT,
	HTTP_FAULT_PROXY,
	HTTP_FAULT_TLS,
	HTTP_FAULT_TLS_VERIFY,
	HTTP_FAULT_TIMEOUT, /* connected, and then not done in time */
	HTTP_FAULT_CLOSED,  /* in the middle */
	HTTP_FAULT_TOO_LARGE,
	HTTP_FAULT_PROTOCOL, /* that is no HTTP */
};

/* X(header, name): of an answer's headers these are told. */
#define HTTP_REPLY_TABLE(X)                                                                                  \
	X(HTTP_REPLY_DATE, "date")                                                                           \
	X(HTTP_REPLY_RETRY_AFTER, "retry-after")                                                             \
	X(HTTP_REPLY_AMZ_RETRY_AFTER, "x-amz-retry-after")                                                   \
	X(HTTP_REPLY_AMZ_ERROR_TYPE, "x-amzn-errortype")                                                     \
	X(HTTP_REPLY_CONTENT_TYPE, "content-type")

enum http_reply_header {
#define X(header, name) header,
	HTTP_REPLY_TABLE(X)
#undef X
		HTTP_REPLY_COUNT
};

/* Borrowed: valid during the callback. */
struct http_reply {
	enum http_fault fault;
	const char *why;                       /* with a fault: what happened, for people; else "" */
	int status;                            /* without one: 100 to 599 */
	struct slice header[HTTP_REPLY_COUNT]; /* n == 0: not sent */
	struct slice body;
	bool verified; /* it came over verified TLS */
};

/* Comes once, never inside start, never after cancel. */
typedef void (*http_client_cb)(void *arg, const struct http_reply *r);

struct http_client;
struct http_op;

struct http_client_ops {
	struct http_op *(*start)(struct http_client *c, const struct http_call *call, http_client_cb cb,
				 void *arg);
	void (*cancel)(struct http_op *op);
	void (*free)(struct http_client *c); /* with no operation pending */
};

/* Implementations embed these as their first members. */
struct http_client {
	const struct http_client_ops *ops;
};

struct http_op {
	struct http_client *client;
};

static inline struct http_op *http_client_start(struct http_client *c, const struct http_call *call,
						http_client_cb cb, void *arg)
{
	return c->ops->start(c, call, cb, arg);
}

/* NULL is fine. */
static inline void http_client_cancel(struct http_op *op)
{
	if (op)
		op->client->ops->cancel(op);
}

/* NULL is fine. */
static inline void http_client_free(struct http_client *c)
{
	if (c)
		c->ops->free(c);
}

const char *http_client_header_name(enum http_reply_header h); /* "date" */

#endif
