/* One version of a secret of Secrets Manager, as RDS writes them: immutable once made, counted, shared between
 * threads, wiped when the last holder lets go. Spec: Secrets Manager user guide, "JSON structure of AWS Secrets
 * Manager secrets"; API reference, GetSecretValue. */
#ifndef PGIAM_AWS_SECRET_VALUE_H
#define PGIAM_AWS_SECRET_VALUE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include "base/err.h"
#include "base/secret.h"

#define SECRET_VALUE_VERSION_MAX 64
#define SECRET_VALUE_NAME_MAX    255   /* user, host, database */
#define SECRET_VALUE_MAX         65536 /* of SecretString, and of SecretBinary decoded */

struct secret_value {
	atomic_int refs; /* secret_value.c's */
	char version[SECRET_VALUE_VERSION_MAX + 1];
	const char *stage; /* literal: what it was asked by */
	struct secret password;
	char *user;    /* who it is the password of, or NULL: it does not say */
	char *host;    /* where, for people; or NULL */
	uint16_t port; /* ... or 0 */
	char *dbname;  /* ... or NULL */
};

/* What GetSecretValue answered: SecretString, or SecretBinary, with a JSON object in it that has a password. One
 * reference is the caller's. NULL with ERR_CREDENTIALS; the message quotes nothing of it. Pure. */
struct secret_value *secret_value_parse(struct slice reply, const char *stage, struct err *e);
struct secret_value *secret_value_ref(struct secret_value *v); /* thread-safe; NULL gives NULL */
void secret_value_unref(struct secret_value *v);               /* thread-safe; NULL is fine */

#endif
