/* What a profile means: where its first credentials come from, and which roles are assumed with them. Pure:
 * the files have been read, nothing is fetched. Source: AWS SDKs and Tools Reference Guide, "Assume role
 * credential provider", "IAM Identity Center", "Process credential provider". */
#ifndef PGIAM_AWS_PROFILE_PLAN_H
#define PGIAM_AWS_PROFILE_PLAN_H

#include <stdbool.h>
#include "aws/profile_file.h"

/* A role of a role of a role: nobody has more. */
#define PROFILE_PLAN_ROLES_MAX 8

/* X(base, name) in the order in which they are looked for in a profile without role_arn. */
#define PROFILE_PLAN_TABLE(X)                                                                                \
	X(PROFILE_SSO, "IAM Identity Center")                                                                \
	X(PROFILE_KEYS, "keys")                                                                              \
	X(PROFILE_LOGIN, "aws login")                                                                        \
	X(PROFILE_PROCESS, "credential_process")                                                             \
	/* of profiles with role_arn only: */                                                                \
	X(PROFILE_WEB_IDENTITY, "web identity")                                                              \
	X(PROFILE_ENVIRONMENT, "Environment")                                                                \
	X(PROFILE_CONTAINER, "EcsContainer")                                                                 \
	X(PROFILE_IMDS, "Ec2InstanceMetadata")

enum profile_plan_base {
#define X(base, name) base,
	PROFILE_PLAN_TABLE(X)
#undef X
		PROFILE_PLAN_BASE_COUNT
};

/* Everything is borrowed from the files. */
struct profile_plan_role {
	const char *role_arn;
	const char *external_id;  /* or NULL */
	const char *session_name; /* or NULL; has the form STS wants */
	unsigned duration_sec;    /* 0: not said */
	const char *region;       /* of STS; or NULL */
	const char *sts_endpoint; /* or NULL */
};

struct profile_plan {
	enum profile_plan_base base;
	const struct profile_section *profile; /* whose settings the base has */
	const struct profile_section *session; /* PROFILE_SSO: of [sso-session], or NULL */
	/* Assumed in this order, each with the credentials of the one before. PROFILE_WEB_IDENTITY: the first
	   is assumed with the token. */
	struct profile_plan_role roles[PROFILE_PLAN_ROLES_MAX];
	size_t role_count;
};

enum profile_plan_result {
	PROFILE_PLAN_MADE,
	PROFILE_PLAN_NONE,  /* there is no such profile, or nothing about credentials in it */
	PROFILE_PLAN_WRONG, /* somebody meant it, and it cannot work */
};

/* named: somebody asked for this profile, so that it must be there. e says why unless it was made; it does
 * not begin with the provider's name. */
enum profile_plan_result profile_plan_make(const struct profile_file *f, const char *name, bool named,
					   struct profile_plan *out, struct err *e);

/* The name that `services` gives, if there is no section of it; else NULL. */
const char *profile_plan_services_lost(const struct profile_file *f, const struct profile_section *p);

/* endpoint_url for a service ("sts", "sso_oidc"), by way of `services`, or the profile's; NULL if it sets
 * none.
 */
const char *profile_plan_endpoint(const struct profile_file *f, const struct profile_section *p,
				  const char *service);

#endif
