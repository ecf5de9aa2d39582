/* What `aws login` leaves in ~/.aws/login/cache: credentials with a life of minutes, and what renews them. A file that
 * the AWS CLI and the SDKs read and write as well.
 * Source: AWS SDKs and Tools Reference Guide, "Login credentials provider"; botocore's credentials.py. */
#ifndef PGIAM_AWS_LOGIN_CACHE_H
#define PGIAM_AWS_LOGIN_CACHE_H

#include "aws/cache_file.h"
#include "aws/credentials.h"

/* AWS_LOGIN_CACHE_DIRECTORY, or HOME/.aws/login/cache, "/<SHA-256 of login_session>.json", owned; NULL with e. */
char *login_cache_path(const char *const *env, const char *login_session, struct err *e);

struct login_token {
	struct json *json; /* the whole file: what others keep in it stays */
	struct slice refresh, client_id, dpop_key; /* borrowed from json; n == 0: not there */
	int64_t expires_wall_us;
};

/* Fills t from the file's text. 0, or -1: it is no such file. Free either way. Pure. */
int login_cache_parse(struct slice text, struct login_token *t, struct err *e);
void login_cache_free(struct login_token *t); /* idempotent */

/* The credentials in it; one reference is the caller's. NULL with e: they are no such. */
struct credentials *login_cache_credentials(const struct login_token *t, struct err *e);

/* Is all there that renewing takes? */
bool login_cache_can_renew(const struct login_token *t);

/* Puts the answer of the sign-in service, which came at that time, into t. -1, and t as it was: it is no such answer. */
int login_cache_renew(struct login_token *t, struct slice answer, int64_t now_wall_us);

#endif
