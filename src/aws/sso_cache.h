/* The token that `aws sso login` leaves in ~/.aws/sso/cache: a file that other programs read and write as well.
 * Source: AWS SDKs and Tools Reference Guide, "IAM Identity Center credential provider"; botocore's
 * tokens.py. */
#ifndef PGIAM_AWS_SSO_CACHE_H
#define PGIAM_AWS_SSO_CACHE_H

#include "aws/cache_file.h"

/* "HOME/.aws/sso/cache/<SHA-1 of key>.json", owned; NULL with e. key: the session's name, or for a profile
 * without one its sso_start_url. */
char *sso_cache_path(const char *const *env, const char *key, struct err *e);

struct sso_token {
	struct json *json; /* the whole file: what others keep in it stays */
	struct slice access, refresh, client_id, client_secret; /* borrowed from json; n == 0: not there */
	int64_t expires_wall_us;
	int64_t registration_wall_us; /* when client_id ends; 0: not said */
};

/* Fills t from the file's text. 0, or -1: it is no such file. Free either way. Pure. */
int sso_cache_parse(struct slice text, struct sso_token *t, struct err *e);
void sso_cache_free(struct sso_token *t); /* idempotent */

/* Puts CreateToken's answer, which came at that time, into t; without a new refresh token the old one stays. -1, and t as it
 * was: it is no such answer. Source: IAM Identity Center OIDC API Reference, "CreateToken". */
int sso_cache_renew(struct sso_token *t, struct slice answer, int64_t now_wall_us);

#endif
