/* The secret_source that answers with user and password of a secret of Secrets Manager. See aws.h. */
#ifndef PGIAM_AWS_SOURCE_SECRET_H
#define PGIAM_AWS_SOURCE_SECRET_H

#include "aws/desk.h"
#include "base/secret_source.h"

/* On the worker's loop from then on. References desk (a secret_store's) and worker_mail; copies id. */
struct source_secret_opts {
	struct desk *desk;
	const char *id; /* for people */
	struct loop *worker;
	struct mailbox *worker_mail;
};
struct secret_source *source_secret_new(const struct source_secret_opts *o);

#endif
