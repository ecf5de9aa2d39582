/* STS's answers, JSON and XML. Pure. */
#ifndef PGIAM_AWS_STS_REPLY_H
#define PGIAM_AWS_STS_REPLY_H

#include "aws/credentials.h"
#include "aws/sts.h"
#include "base/mask.h"

struct sts_identity {
	char arn[512], account[32];
};

/* The credentials of a role; provider is a literal. NULL with ERR_CREDENTIALS. */
struct credentials *sts_reply_credentials(enum sts_action action, struct slice body, const char *provider,
					  struct err *e);

/* Who called; mask: of the request's secrets. */
int sts_reply_identity(struct slice body, const struct mask *mask, struct sts_identity *out, struct err *e);

#endif
