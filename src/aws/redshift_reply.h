/* What Redshift answers to a question for temporary credentials: XML of GetClusterCredentials and
 * GetClusterCredentialsWithIAM, JSON of Redshift Serverless. Pure. */
#ifndef PGIAM_AWS_REDSHIFT_REPLY_H
#define PGIAM_AWS_REDSHIFT_REPLY_H

#include "aws/redshift.h"
#include "aws/secret_value.h"

/* User, password and expiry: an answer without one of them is none. NULL with ERR_CREDENTIALS; the message quotes nothing
 * of it. */
struct secret_value *redshift_reply_parse(enum redshift_call call, struct slice body, struct err *e);

#endif
