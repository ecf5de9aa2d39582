/* AWS as the rest sees it: the credentials of every identity kept fresh on the control loop, and secret sources on the
 * workers' loops that turn them into login tokens.
 *
 *   control loop                              worker loop
 *   provider chain -> cache --- mailbox --->  source: holds the last credentials, signs when asked
 *
 * A source never waits for HTTP or files: it has credentials, or asks the cache and answers when they come. */
#ifndef PGIAM_AWS_AWS_H
#define PGIAM_AWS_AWS_H

#include "aws/identity.h"
#include "aws/redshift.h"
#include "base/secret_source.h"
#include "io/mailbox.h"

struct aws;

/* Borrowed for the life of the struct aws. */
struct aws_opts {
	struct loop *control;
	struct mailbox *mail; /* of the control loop */
	struct offload *offload;
	const char *const *env; /* to read, in the form of environ(7); copied */
	/* Whose credentials are wanted: at least one, each distinct (identity_same). Borrowed during aws_new only. */
	const struct aws_identity *identities;
	size_t identity_count;
	const char *only_provider; /* the member of the chain that stands for it all (chain_only), or NULL */
};

/* On the control loop. NULL with e set if something the environment asks for cannot be had. */
struct aws *aws_new(const struct aws_opts *o, struct err *e);

/* On the control loop, after every source is freed. NULL is fine. */
void aws_free(struct aws *a);

enum aws_token { AWS_TOKEN_RDS, AWS_TOKEN_DSQL };

struct aws_source_opts {
	size_t identity; /* index: whose credentials sign */
	enum aws_token token;
	const char *region; /* to sign for; NULL: the host name's, then as region_finder.h has it */
};

/* A source of tokens for one target, on a worker's loop. Thread-safe towards `a`. ops->free on the
 * worker's thread, with no operation pending. */
struct secret_source *aws_source_new(struct aws *a, const struct aws_source_opts *o, struct loop *worker,
				     struct mailbox *worker_mail);

struct aws_secret_opts {
	size_t identity;    /* index: whose credentials read it */
	const char *id;     /* secret_id=: one that secrets_manager_id takes */
	const char *region; /* to ask in; NULL: as region_finder.h has it */
};

/* A source of a secret's user and password, for a worker's loop. On the control loop; workers share what is kept of the
 * same secret. ops->free as with aws_source_new. */
struct secret_source *aws_secret_source_new(struct aws *a, const struct aws_secret_opts *o, struct loop *worker,
					    struct mailbox *worker_mail);

/* The same of temporary users and passwords of Redshift, which the identity's credentials ask for. */
struct secret_source *aws_redshift_source_new(struct aws *a, size_t identity, const struct redshift_request *rq,
					      struct loop *worker, struct mailbox *worker_mail);

/* Why a refresh can fail: the labels of aws/provider.h's PROVIDER_CAUSE_TABLE. */
#define AWS_CAUSES 9

/* What /metrics and logs may know. On the control thread. */
struct aws_stats {
	const char *identity;    /* "default", "profile prod" (identity_text); no two have the same */
	const char *provider;    /* "env", or NULL: none yet */
	int64_t expires_wall_us; /* of the credentials; 0: they do not expire, or there are none */
	int64_t left_us;         /* ... until then, by AWS's clock; negative: they have expired */
	uint64_t refreshes;
	struct aws_count {
		const char *cause; /* "unreachable" */
		uint64_t n;
	} failures[AWS_CAUSES]; /* every cause, counted or not */
	bool valid;
	struct err why; /* unless valid: why not. Names keys in part, files and addresses, no secret */
};
void aws_collect(const struct aws *a, size_t identity, struct aws_stats *out);

/* The same of a secret that is kept. */
struct aws_secret_stats {
	const char *identity, *name; /* "secret prod/db in eu-west-1"; no two have the same both */
	bool valid;                  /* there is one to log in with */
	uint64_t reads;
	struct aws_count failures[AWS_CAUSES + 1]; /* also for want of credentials */
	int64_t read_wall_us;    /* when it was read last, by this machine's clock; 0: never */
	uint64_t age_us;         /* how long ago */
	int64_t expires_wall_us; /* 0: it does not, or there is none */
	bool lacking;            /* a login would fail, or wait, for want of it: not when it ended and nobody asked */
	struct err why;          /* ... why. As in aws_stats */
};
size_t aws_secret_count(const struct aws *a);
void aws_collect_secrets(const struct aws *a, struct aws_secret_stats *out); /* so many */
/* Which of them a source of a user and password answers from: its place there. */
size_t aws_secret_place(const struct aws *a, struct secret_source *s);

/* Of this machine's clock, as AWS's answers tell: to be added to it; 0: none known. */
int64_t aws_skew_us(const struct aws *a);

/* The region a token for this host is signed for: explicit, else the host's own, else the environment's. 0,
 * 1 with e: none of them tells, -1 with e: one tells nonsense. ERR_REGION. warning (may be NULL) gets a text if the
 * choice deserves one (host and environment disagree). */
int aws_region(const char *explicit_region, const char *host, const char *const *env, char out[64],
	       char warning[256], struct err *e);

/* Who may tell a region, in this order. */
struct aws_region_from {
	const char *named; /* region=, or NULL */
	const char *host;
	const char *const *env;
	const char *profile; /* of the AWS files, which are read where the others do not tell; NULL: AWS_PROFILE,
				or "default" */
};

/* As aws_region, the profile included. 1: only the instance's metadata service may tell. That is no guess for a database
 * of several regions, and may be forbidden: then -1. */
int aws_region_find(const struct aws_region_from *from, char out[64], char warning[256], struct err *e);

/* Whose credentials a command wants. */
struct aws_whose {
	const char *const *env;
	struct aws_identity identity; /* as a database's settings; region: NULL: as region_finder.h has it */
	const char *only_provider;    /* as in aws_opts */
};

/* Credentials for a command that has no loop: waits for them, up to 30 s. One reference is the caller's; NULL with e set if
 * there are none. skew_us: what to add to this machine's clock, as far as was heard; 0: nothing worth telling. */
struct credentials;
struct credentials *aws_credentials_once(const struct aws_whose *whose, int64_t *skew_us, struct err *e);

/* aws_region_find, and where that gives 1, what the instance's metadata service says. 0, or -1 with ERR_REGION. */
int aws_region_once(const struct aws_region_from *from, char out[64], char warning[256], struct err *e);

/* Whose credentials these are, for people. */
struct aws_who {
	struct credentials *creds; /* NULL: none, and why says so */
	char *arn, *account;       /* GetCallerIdentity's; NULL: why says why not */
	char *skipped;             /* a line for each provider that was asked and is not configured; never NULL */
	int64_t skew_us;           /* what to add to this machine's clock; 0: nothing worth telling */
	struct err why;
};

/* Asks for them, and STS in the identity's region. 0 if both answered. As above, it waits. Free it either way. */
int aws_who_once(const struct aws_whose *whose, struct aws_who *who);
void aws_who_free(struct aws_who *who);

#endif
