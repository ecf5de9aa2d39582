/* Temporary credentials of Amazon Redshift: a database user and a password that is good for a quarter of an hour to an
 * hour. The answer says who logs in: "IAM:joe" for joe, "IAMA:joe" where joe may be made, "IAMR:role" for an IAM role.
 * Spec: Redshift API reference, GetClusterCredentials and GetClusterCredentialsWithIAM; Redshift Serverless API reference,
 * GetCredentials. */
#ifndef PGIAM_AWS_REDSHIFT_H
#define PGIAM_AWS_REDSHIFT_H

#include "aws/secret_reader.h"
#include "base/buf.h"

enum redshift_call {
	REDSHIFT_USER,      /* GetClusterCredentials: of a named user of a cluster */
	REDSHIFT_IDENTITY,  /* GetClusterCredentialsWithIAM: of the user that belongs to the caller's IAM identity */
	REDSHIFT_SERVERLESS /* GetCredentials: the same of a workgroup */
};

struct redshift_request {
	enum redshift_call call;
	const char *region;  /* NULL: as service_request has it */
	const char *name;    /* of the cluster, of the workgroup; with a dot in it: the custom domain name of one */
	const char *db_name; /* the only one to log in to, or NULL: any */
	unsigned duration_sec; /* 0: the service's own, 900 */
	/* REDSHIFT_USER only: */
	const char *db_user;
	const char *db_groups; /* to be in for the session: names with commas between; or NULL */
	bool auto_create;      /* makes the user where there is none */
};

/* What the call is named in the API. */
const char *redshift_call_name(enum redshift_call call);

/* Has it the form of the name of a cluster or a workgroup, or of a custom domain name? */
bool redshift_name_ok(const char *name);

/* For people: "the Redshift cluster c1 in us-east-1, user joe". */
void redshift_text(const struct redshift_request *rq, struct buf *out);

/* The body of the request. Pure. */
void redshift_body(const struct redshift_request *rq, struct buf *out);

/* The answer's user, password and end, to a request with the secrets of mask. NULL with ERR_CREDENTIALS if it is none; the
 * message quotes nothing of it. Pure. */
struct secret_value *redshift_answer(enum redshift_call call, struct slice body, const struct mask *mask, struct err *e);

/* Of these credentials; rq is copied, and profile, service_request's. deps' parts are borrowed for the reader's life. */
struct secret_reader *redshift_reader_new(const struct provider_deps *d, const struct redshift_request *rq,
					  const char *profile);

/* All of it as text: two that have the same ask for the same. Pure. */
#define REDSHIFT_KEY_MAX 65536
void redshift_key(const struct redshift_request *rq, struct buf *out);
bool redshift_same(const struct redshift_request *a, const struct redshift_request *b);

#endif
