/* The Security Token Service: roles assumed, identities told. JSON is asked for, XML is read as well. On the
 * control loop. Spec: STS API reference, version 2011-06-15. */
#ifndef PGIAM_AWS_STS_H
#define PGIAM_AWS_STS_H

#include "aws/provider.h"

enum sts_action { STS_ASSUME_ROLE, STS_WEB_IDENTITY, STS_CALLER_IDENTITY };

/* Copied by sts_start. */
struct sts_request {
	enum sts_action action;
	const char *provider;       /* literal: whose credentials these become, and what begins messages */
	const char *region;         /* of the endpoint; NULL: that of the environment */
	const char *endpoint_url;   /* the profile's, or NULL */
	struct credentials *source; /* signs; referenced. Not with STS_WEB_IDENTITY */
	/* roles only: */
	const char *role_arn;
	const char *session_name; /* NULL: one of pgiam's own */
	const char *external_id;  /* or NULL */
	unsigned duration_sec;    /* 0: the role's own default */
	struct slice web_token;   /* STS_WEB_IDENTITY */
};

/* Borrowed: valid during the callback. */
struct sts_answer {
	struct credentials *creds; /* of a role, or NULL */
	const char *arn, *account; /* STS_CALLER_IDENTITY, or NULL */
	const struct err *e;       /* NULL: it worked */
	enum provider_cause cause; /* with e */
	uint64_t retry_after_us;
};

/* Comes once, never inside sts_start, never after sts_cancel. */
typedef void (*sts_cb)(void *arg, const struct sts_answer *a);

struct sts;
struct sts *sts_start(const struct provider_deps *d, const struct sts_request *rq, sts_cb cb, void *arg);
void sts_cancel(struct sts *s); /* NULL is fine */

/* Of the actions that give a role: the same for who waits for a provider. Borrows what the answer borrows. */
struct provider_answer sts_to_provider(const struct sts_answer *s);

/* Has it the form of a role's session name, [A-Za-z0-9_+=,.@-]{2,64}? */
bool sts_session_name_ok(const char *name);

#endif
