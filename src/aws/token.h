/* Login tokens of RDS and Aurora DSQL: a presigned URL without its scheme. Pure. Nothing is corrected here:
 * what is passed in is signed (token_host.h is for those who want a name put right first). Spec: botocore
 * signers.py, generate_db_auth_token and generate_db_connect_auth_token. */
#ifndef PGIAM_AWS_TOKEN_H
#define PGIAM_AWS_TOKEN_H

#include <stdint.h>
#include "aws/credentials.h"
#include "base/buf.h"

/* What RDS takes at most, and DSQL by default. */
#define TOKEN_LIFE_SEC 900

/* PostgreSQL takes no longer password message (auth.c: PG_MAX_AUTH_TOKEN_LENGTH, less length word and NUL).
 */
#define TOKEN_MAX 65530

/* All borrowed. */
struct token_request {
	const char *host; /* the endpoint's own name */
	uint16_t port;    /* the one the database itself listens on; DSQL signs none */
	const char *user; /* DB user, bytes as they are; of DSQL only "admin" or not matters */
	const char *region;
	const struct credentials *creds;
	int64_t wall_us;      /* the time of signing */
	uint32_t expires_sec; /* 0: TOKEN_LIFE_SEC */
};

/* Adds the token to out (use buf_init_secret(out, TOKEN_MAX)). ERR_CONFIG if the host cannot be one,
 * ERR_REGION if the region cannot, ERR_LIMIT if it would not fit. */
int token_rds(const struct token_request *rq, struct buf *out, struct err *e);
int token_dsql(const struct token_request *rq, struct buf *out, struct err *e);

/* "DbConnectAdmin" or "DbConnect". */
const char *token_dsql_action(const char *user);

#endif
