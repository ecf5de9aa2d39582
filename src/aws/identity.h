/* Whose credentials: what the settings of a database say of them. Databases that say the same share one
 * identity, and with it the cached credentials. */
#ifndef PGIAM_AWS_IDENTITY_H
#define PGIAM_AWS_IDENTITY_H

#include "aws/provider.h"
#include "base/buf.h"

/* Everything is borrowed; NULL: not set. */
struct aws_identity {
	const char *profile;           /* of the AWS files; NULL: the chain */
	const char *role_arn;          /* assumed with the credentials of the former; the rest is about it */
	const char *external_id;       /* that its trust policy asks for */
	const char *role_session_name; /* NULL: one of pgiam's own */
	const char *region;            /* of what it is for (provider_deps.region_else). Not compared */
};

/* Do both mean the same credentials? */
bool identity_same(const struct aws_identity *a, const struct aws_identity *b);

/* "default", "profile prod", "role arn:aws:iam::123456789012:role/db of profile prod as reader": for logs,
 * metrics and people. Two identities have the same one if they differ in the external id only. */
void identity_text(const struct aws_identity *who, struct buf *out);

/* 0, or -1 with e (ERR_CONFIG): the form of a role's ARN, of an external id, of a session name. */
int identity_check_role(const char *arn, struct err *e);
int identity_check_external_id(const char *id, struct err *e);
int identity_check_session_name(const char *name, struct err *e);

/* The provider of its credentials. only_member: the member of the chain (chain_only) that stands in place of
 * the whole chain, or NULL. Copies, but borrows who->region for the provider's life. */
struct provider *identity_provider(const struct provider_deps *d, const struct aws_identity *who,
				   const char *only_member) __attribute__((returns_nonnull));

#endif
