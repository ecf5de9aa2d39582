/* Where a login secret comes from, as the proxy sees it: it asks at the moment the server
 * asks for a password, or before it dials (`first`), and does not know whether AWS, a file or nothing is behind it.
 * proxy calls; aws and app implement; neither sees the other.
 *
 * A source belongs to one event loop, and is called on that loop's thread only. */
#ifndef PGIAM_BASE_SECRET_SOURCE_H
#define PGIAM_BASE_SECRET_SOURCE_H

#include <stdbool.h>
#include <stdint.h>
#include "base/err.h"
#include "base/slice.h"

/* What kind of secret answers the server's request: decides which requests are legitimate. */
enum secret_kind {
	SECRET_NONE,      /* the server must not ask for anything */
	SECRET_IAM_TOKEN, /* AuthenticationCleartextPassword only, verified TLS only */
	SECRET_PASSWORD,  /* SCRAM, or what the protocol allows under rule 1 */
};

struct secret_request {
	const char *host; /* name of the endpoint itself: what a token is signed for */
	uint16_t port;
	const char *user; /* DB user logging in */
};

/* Borrowed: valid during the callback. */
struct secret_answer {
	struct slice secret;
	const char *user; /* log in as this user instead, or NULL: only of an answer that was asked for first */
	uint64_t no;      /* which of the source's secrets it comes of, from 1: another one has another number */
};

/* Exactly one of a and e is not NULL. Comes once, never inside start, never after cancel. */
typedef void (*secret_cb)(void *arg, const struct secret_answer *a, const struct err *e);

struct secret_source;
struct secret_op;

struct secret_source_ops {
	/* Which secret this source gives. */
	enum secret_kind kind;
	/* Shall it be asked before the server is dialled, and not when the server asks for the secret? As long as it has
	 * none to give, so that a source that is away costs the database no connection; and always if its answer names
	 * who logs in, which the server is told first. What it answers then is this login's. NULL: never. */
	bool (*first)(struct secret_source *s, const struct secret_request *rq);
	/* Asks for a secret; copies rq. */
	struct secret_op *(*start)(struct secret_source *s, const struct secret_request *rq, secret_cb cb,
	                           void *arg);
	void (*cancel)(struct secret_op *op);
	/* The server refused secret `no` (28000, 28P01): refresh before the next answer, at a bounded rate, unless
	 * that is done since it was given. Several logins may have it at once, and are refused one after another.
	 * Returns true if a refresh is under way or done, so that one more try makes sense. */
	bool (*refused)(struct secret_source *s, uint64_t no);
	/* Adds to the detail of a login that failed with secret `no` (0: with none) what the source knows without
	 * saying a secret: whose credentials, what was signed, how long they live. */
	void (*explain)(struct secret_source *s, const struct secret_request *rq, uint64_t no, struct err *e);
	void (*free)(struct secret_source *s);
};

/* Implementations embed this as their first member. */
struct secret_source {
	const struct secret_source_ops *ops;
};

#endif
