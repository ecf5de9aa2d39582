/* GetSecretValue of Secrets Manager: one version of a secret, by its stage. On the control loop.
 * Spec: AWS Secrets Manager API reference. */
#ifndef PGIAM_AWS_SECRETS_MANAGER_H
#define PGIAM_AWS_SECRETS_MANAGER_H

#include "aws/secret_reader.h"

/* Is this the name or the ARN of a secret? 0, with the ARN's region, "" for a name; or -1 with ERR_CONFIG. Pure. */
int secrets_manager_id(const char *id, char region[64], struct err *e);

/* Copied by secrets_manager_get. */
struct secrets_manager_request {
	const char *id;    /* one that secrets_manager_id takes */
	const char *stage; /* literal: "AWSCURRENT" */
	const char *region, *profile; /* service_request's */
	struct credentials *signer;
	struct slice known; /* a password the secret had before, or n == 0 */
};

/* cb comes once, never inside get, never after cancel. */
struct secrets_manager;
struct secrets_manager *secrets_manager_get(const struct provider_deps *d, const struct secrets_manager_request *rq,
					    secret_reader_cb cb, void *arg);
void secrets_manager_cancel(struct secrets_manager *s); /* NULL is fine */

#endif
