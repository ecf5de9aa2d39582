/* What Redshift answers to a question for temporary credentials: XML of GetClusterCredentials and
 * GetClusterCredentialsWithIAM, JSON of Redshift Serverless. Pure. */
#ifndef PGIAM_AWS_REDSHIFT_REPLY_H
#define PGIAM_AWS_REDSHIFT_REPLY_H

#include "aws/secret_value.h"
#include "base/err.h"

/* User, password and expiry: an answer without one of them is none. call: its name in the API, a literal; mask: of the
 * request's secrets, none of which is a user. NULL with ERR_CREDENTIALS; the message quotes nothing of the answer. */
struct secret_value *redshift_reply_xml(const char *call, struct slice body, const struct mask *mask, struct err *e);
struct secret_value *redshift_reply_json(const char *call, struct slice body, const struct mask *mask, struct err *e);

#endif
