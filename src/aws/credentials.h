/* One set of AWS credentials: immutable once made, counted, shared between threads, wiped when the last
 * holder lets go. */
#ifndef PGIAM_AWS_CREDENTIALS_H
#define PGIAM_AWS_CREDENTIALS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include "base/err.h"
#include "base/secret.h"

/* AWS promises no limit of its own (session tokens: 4,096 bytes today); this one bounds what a hostile
 * endpoint or file can make us hold. */
#define CREDENTIALS_SESSION_TOKEN_MAX 20000
#define CREDENTIALS_KEY_MAX           256

struct credentials {
	atomic_int refs;  /* credentials.c's */
	char *access_key; /* "AKIA..."; names the key, is no secret, but is shown masked */
	struct secret secret_key;
	struct secret session_token; /* unset with long-term keys */
	int64_t expires_wall_us;     /* 0: they do not expire, as far as is known */
	char *account_id;            /* 12 digits, or NULL: not known */
	const char *provider;        /* literal: "env", ... */
	bool renewable;              /* asking the provider again can give others */
};

struct credentials_parts {
	const char *provider; /* literal */
	struct slice access_key, secret_key;
	struct slice session_token; /* n == 0: none */
	struct slice account_id;    /* n == 0: not known; what is not 12 digits is left out */
	int64_t expires_wall_us;
	bool renewable;
};

/* Copies the parts. NULL with ERR_CREDENTIALS if a part is empty, too long, or holds bytes that no AWS key
 * has (a line feed at the end of a mounted secret, say); the message never quotes a value. One reference is
 * the caller's. */
struct credentials *credentials_new(const struct credentials_parts *parts, struct err *e);
struct credentials *credentials_ref(struct credentials *c); /* thread-safe; NULL gives NULL */
void credentials_unref(struct credentials *c);              /* thread-safe; NULL is fine */

/* The same with another expiry: a copy, of which one reference is the caller's. */
struct credentials *credentials_with_expiry(const struct credentials *c, int64_t expires_wall_us)
	__attribute__((returns_nonnull));

/* Not yet expired? */
bool credentials_valid_at(const struct credentials *c, int64_t wall_us);

/* "AKIA****MPLE": first and last four characters of the access key, less of a short one. */
#define CREDENTIALS_MASK_SIZE 16
void credentials_mask(const struct credentials *c, char out[CREDENTIALS_MASK_SIZE]);

#endif
