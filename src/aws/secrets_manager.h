/* GetSecretValue of Secrets Manager: one version of a secret, by its stage. On the control loop.
 * Spec: AWS Secrets Manager API reference. */
#ifndef PGIAM_AWS_SECRETS_MANAGER_H
#define PGIAM_AWS_SECRETS_MANAGER_H

#include "aws/provider.h"
#include "aws/secret_value.h"

/* Is this the name or the ARN of a secret? 0, with the ARN's region, "" for a name; or -1 with ERR_CONFIG. Pure. */
int secrets_manager_id(const char *id, char region[64], struct err *e);

/* Copied by secrets_manager_get. */
struct secrets_manager_request {
	const char *id;    /* one that secrets_manager_id takes */
	const char *stage; /* literal: "AWSCURRENT" */
	const char *region;
	struct credentials *signer;
};

/* Borrowed: valid during the callback. */
struct secrets_manager_answer {
	struct secret_value *value; /* or NULL */
	const struct err *e;        /* then */
	enum provider_cause cause;
	uint64_t retry_after_us; /* the service's wish, 0 if none */
};

/* Comes once, never inside get, never after cancel. */
typedef void (*secrets_manager_cb)(void *arg, const struct secrets_manager_answer *a);

struct secrets_manager;
struct secrets_manager *secrets_manager_get(const struct provider_deps *d, const struct secrets_manager_request *rq,
					    secrets_manager_cb cb, void *arg);
void secrets_manager_cancel(struct secrets_manager *s); /* NULL is fine */

#endif
