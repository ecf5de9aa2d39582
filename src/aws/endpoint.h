/* What a database host name says about itself: the kind of endpoint and the region. Pure; nothing is looked
 * up. Spec: aws-advanced-jdbc-wrapper RdsUtils.java; the user guides of DSQL and Redshift. */
#ifndef PGIAM_AWS_ENDPOINT_H
#define PGIAM_AWS_ENDPOINT_H

#include <stdbool.h>

/* X(kind, name, policy): policy is where the resource id of an rds-db:connect policy comes from, or NULL. */
#define ENDPOINT_TABLE(X)                                                                                    \
	X(ENDPOINT_OTHER, "other", NULL)                                                                     \
	X(ENDPOINT_RDS_INSTANCE, "rds-instance", "the instance's DbiResourceId, db-...")                     \
	X(ENDPOINT_AURORA_WRITER, "aurora-writer", "the cluster's DbClusterResourceId, cluster-...")         \
	X(ENDPOINT_AURORA_READER, "aurora-reader", "the cluster's DbClusterResourceId, cluster-...")         \
	X(ENDPOINT_AURORA_CUSTOM, "aurora-custom", "the cluster's DbClusterResourceId, cluster-...")         \
	X(ENDPOINT_AURORA_LIMITLESS, "aurora-limitless", "the cluster's DbClusterResourceId, cluster-...")   \
	X(ENDPOINT_AURORA_GLOBAL, "aurora-global-writer", "the cluster's DbClusterResourceId, cluster-...")  \
	X(ENDPOINT_RDS_PROXY, "rds-proxy", "the proxy's id, prx-...")                                        \
	X(ENDPOINT_DSQL, "dsql", NULL)                                                                       \
	X(ENDPOINT_REDSHIFT, "redshift", NULL)                                                               \
	X(ENDPOINT_REDSHIFT_SERVERLESS, "redshift-serverless", NULL)

enum endpoint_kind {
#define X(kind, name, policy) kind,
	ENDPOINT_TABLE(X)
#undef X
};

#define ENDPOINT_REGION_SIZE 64

struct endpoint {
	enum endpoint_kind kind;
	char region[ENDPOINT_REGION_SIZE]; /* lower case; "" if the name has none */
};

/* Upper and lower case are the same, one trailing dot is allowed, and the whole name must match: a known
 * suffix in the middle of somebody else's name is ENDPOINT_OTHER. */
struct endpoint endpoint_parse(const char *host);

/* Does the name end as AWS's own names of databases do, in any partition, whatever it names? */
bool endpoint_is_aws(const char *host);

const char *endpoint_kind_name(enum endpoint_kind kind);   /* "rds-instance" */
const char *endpoint_kind_policy(enum endpoint_kind kind); /* or NULL */

/* Is it an endpoint that takes RDS tokens? */
bool endpoint_is_rds(enum endpoint_kind kind);

/* The partition of an ARN: "aws", "aws-cn", "aws-us-gov", ... */
const char *endpoint_partition(const char *region);

/* Has it the form of a region name? (Lower-case letters, digits and hyphens; regions AWS has yet to open
 * pass.) */
bool endpoint_region_ok(const char *region);

#endif
