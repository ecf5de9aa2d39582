/* Why a server may have refused a token, in words. RDS says "PAM authentication failed" whatever was wrong;
 * what pgiam knows of the attempt is all that a user has. Pure. */
#ifndef PGIAM_AWS_SOURCE_EXPLAIN_H
#define PGIAM_AWS_SOURCE_EXPLAIN_H

#include "aws/aws.h"
#include "aws/credentials.h"
#include "base/secret_source.h"

/* Adds to e's detail what was signed, with whose key, how long that lives and what this machine's clock
 * shows, and what can be seen to be wrong; sets the hint to the likely causes in order. Never a secret. */
void source_explain_refusal(const struct secret_request *rq, enum aws_token token, const char *region,
			    const struct credentials *creds, int64_t now_wall_us, struct err *e);

#endif
