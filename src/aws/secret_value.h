/* A database user's password, with what is known about it: a version of a secret of Secrets Manager, or temporary
 * credentials of Redshift. Immutable once made, counted, shared between threads, wiped when the last holder lets go. */
#ifndef PGIAM_AWS_SECRET_VALUE_H
#define PGIAM_AWS_SECRET_VALUE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include "base/err.h"
#include "base/mask.h"
#include "base/secret.h"

#define SECRET_VALUE_VERSION_MAX 64
#define SECRET_VALUE_NAME_MAX    255   /* user, host, database */
#define SECRET_VALUE_MAX         65536 /* of SecretString, and of SecretBinary decoded */

struct secret_value {
	atomic_int refs; /* secret_value.c's */
	const char *how; /* literal: what it was asked by: "AWSCURRENT", "GetClusterCredentials" */
	char version[SECRET_VALUE_VERSION_MAX + 1]; /* of Secrets Manager, or "" */
	struct secret password;
	char *user;              /* who it is the password of, or NULL: it does not say */
	char *host;              /* where, for people; or NULL */
	uint16_t port;           /* ... or 0 */
	char *dbname;            /* ... or NULL */
	int64_t expires_wall_us; /* 0: not known to end */
};

struct secret_value_parts {
	const char *how;           /* literal */
	struct slice version;      /* n == 0: none */
	struct slice password;
	struct slice user;         /* n == 0: it does not say */
	struct slice host, dbname; /* n == 0: none; one that is no name is left out */
	uint16_t port;
	int64_t expires_wall_us;
	const struct mask *mask; /* of the request's secrets: no name may be one; or NULL */
};

/* Copies the parts. One reference is the caller's. NULL with ERR_CREDENTIALS if there is no password, or it, the user or
 * the version is nothing that can be one; the message quotes nothing of them. */
struct secret_value *secret_value_new(const struct secret_value_parts *parts, struct err *e);
struct secret_value *secret_value_ref(struct secret_value *v); /* thread-safe; NULL gives NULL */
void secret_value_unref(struct secret_value *v);               /* thread-safe; NULL is fine */

/* Its password; n == 0 of NULL. */
struct slice secret_value_password(const struct secret_value *v);

/* Not yet expired? */
bool secret_value_valid_at(const struct secret_value *v, int64_t wall_us);

/* Is it the same, or another reading of the same version? */
bool secret_value_same(const struct secret_value *a, const struct secret_value *b);

/* What GetSecretValue answered, to a request with the secrets of mask: SecretString, or SecretBinary, with a JSON object in it that has a password, as RDS writes
 * them. As secret_value_new. Pure. Spec: Secrets Manager user guide, "JSON structure of AWS Secrets Manager secrets"; API
 * reference, GetSecretValue. */
struct secret_value *secret_value_parse(struct slice reply, const char *stage, const struct mask *mask, struct err *e);

#endif
