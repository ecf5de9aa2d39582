/* One way to come by AWS credentials: the environment, a file, an HTTP endpoint, or a chain of them. Lives on
 * the control loop and never blocks it.
 *
 * A provider is asked anew at every refresh: it reads its files and variables then, and keeps nothing but what
 * makes the next answer cheaper. Keeping credentials, refreshing ahead of expiry, backing off after failures
 * are the cache's (aws/cache.h). */
#ifndef PGIAM_AWS_PROVIDER_H
#define PGIAM_AWS_PROVIDER_H

#include "aws/credentials.h"

struct http_client;
struct loop;
struct mailbox;
struct offload;
struct region_finder;
struct skew;

/* What a provider works with. Borrowed for its life; copied by value. */
struct provider_deps {
	struct loop *loop; /* the control loop, with its clock and its log */
	const char *const *env; /* a copy that does not change (aws/env.h); looked at through env_get only */
	struct http_client *http;
	struct offload *offload; /* a helper thread, with the mailbox its answers come to */
	struct mailbox *mail;
	struct skew *skew; /* how wrong the clock is: what AWS shall believe is signed by skew_wall_us */
	struct region_finder *region; /* asked where no region is configured; NULL: then there is none */
	const char *region_else; /* of what the credentials are for: where roles are asked for that name none; or NULL */
};

enum provider_result {
	PROVIDER_CREDENTIALS,
	PROVIDER_NOT_CONFIGURED, /* nothing asks for this provider: the next one's turn */
	PROVIDER_FAILED, /* something asks for it, and it did not work: no other may stand in, or a login
			    would silently run under another identity */
};

/* X(cause, label of metrics, code of the error): what kept a provider from giving credentials. ERR_CREDENTIALS_AWAY: it
 * passes, and who waits may get them; else somebody has to mend something. */
#define PROVIDER_CAUSE_TABLE(X)                                                                              \
	X(PROVIDER_CAUSE_SETTINGS, "settings", ERR_CREDENTIALS) /* of this machine: variables, files */      \
	X(PROVIDER_CAUSE_SESSION, "session", ERR_CREDENTIALS)   /* begun in a browser: it is over, or was never begun */ \
	X(PROVIDER_CAUSE_ABSENT, "not_configured", ERR_CREDENTIALS)                                          \
	X(PROVIDER_CAUSE_UNREACHABLE, "unreachable", ERR_CREDENTIALS_AWAY)                                   \
	X(PROVIDER_CAUSE_SERVER, "server_error", ERR_CREDENTIALS_AWAY)                                       \
	X(PROVIDER_CAUSE_THROTTLED, "throttled", ERR_CREDENTIALS_AWAY)                                       \
	X(PROVIDER_CAUSE_REFUSED, "refused", ERR_CREDENTIALS)                                                \
	X(PROVIDER_CAUSE_ANSWER, "bad_answer", ERR_CREDENTIALS)                                              \
	X(PROVIDER_CAUSE_EXPIRED, "expired", ERR_CREDENTIALS)

enum provider_cause {
#define X(cause, label, code) cause,
	PROVIDER_CAUSE_TABLE(X)
#undef X
		PROVIDER_CAUSE_COUNT
};

const char *provider_cause_label(enum provider_cause cause);

/* Gives the error that tells of this cause the code that goes with it. */
void provider_cause_code(enum provider_cause cause, struct err *e);

/* May what it was signed with be behind it: the key, or the clock? */
bool provider_cause_is_of_signing(enum provider_cause cause);

/* Borrowed: valid during the callback. */
struct provider_answer {
	enum provider_result result;
	struct credentials *creds; /* PROVIDER_CREDENTIALS; ref to keep */
	const struct err *e;       /* the other two: why, for people: "env: AWS_ACCESS_KEY_ID is not set" */
	enum provider_cause cause; /* PROVIDER_FAILED: and for counters */
	/* A line "name: reason" for each provider that was asked before and not configured; NULL or "": none. A chain's. */
	const char *skipped;
	/* PROVIDER_FAILED: the source asks to be left alone that long. 0: it does not say. */
	uint64_t retry_after_us;
};

/* Comes once, never inside start, never after cancel. */
typedef void (*provider_cb)(void *arg, const struct provider_answer *a);

struct provider;
struct provider_op;

struct provider_ops {
	const char *name; /* "env" */
	struct provider_op *(*start)(struct provider *p, provider_cb cb, void *arg);
	void (*cancel)(struct provider_op *op);
	void (*free)(struct provider *p); /* with no operation pending */
	/* Have the files behind its last credentials changed? Cheap: a stat(2) each. NULL: there are none. */
	bool (*changed)(struct provider *p);
};

/* Implementations embed this as their first member. */
struct provider {
	const struct provider_ops *ops;
};

/* Implementations embed this as the first member of their operation. */
struct provider_op {
	struct provider *provider;
};

static inline struct provider_op *provider_start(struct provider *p, provider_cb cb, void *arg)
{
	return p->ops->start(p, cb, arg);
}

/* NULL is fine. */
static inline void provider_cancel(struct provider_op *op)
{
	if (op)
		op->provider->ops->cancel(op);
}

static inline bool provider_changed(struct provider *p)
{
	return p->ops->changed && p->ops->changed(p);
}

/* NULL is fine. */
static inline void provider_free(struct provider *p)
{
	if (p)
		p->ops->free(p);
}

/* ---- the providers there are, each in its own file ---- */

/* Keys in the environment. */
struct provider *provider_env_new(const struct provider_deps *d);

/* What provider_env answers, at once: 0 with *out owned, 0 with *out NULL and e saying why (not configured),
 * -1 with e (failed). Pure. */
int provider_env_read(const char *const *env, struct credentials **out, struct err *e);

/* A role for the token in AWS_WEB_IDENTITY_TOKEN_FILE (EKS's IRSA). */
struct provider *provider_web_new(const struct provider_deps *d);

/* The endpoint of ECS and of EKS Pod Identity. */
struct provider *provider_container_new(const struct provider_deps *d);

/* The EC2 instance's role, by the metadata service, version 2. */
struct provider *provider_imds_new(const struct provider_deps *d);

/* The role that who names, assumed with the source's credentials. Takes source, copies what it needs of who. */
struct aws_identity;
struct provider *provider_role_new(const struct provider_deps *d, struct provider *source,
				   const struct aws_identity *who);

#endif
