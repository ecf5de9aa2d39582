/* The secret_source that answers with user and password of a secret of Secrets Manager. See aws.h. */
#ifndef PGIAM_AWS_SOURCE_SECRET_H
#define PGIAM_AWS_SOURCE_SECRET_H

#include "aws/source.h"

/* desk: a secret_store's. Copies id. */
struct source_secret_opts {
	struct source_opts source;
	const char *id; /* for people */
};
struct secret_source *source_secret_new(const struct source_secret_opts *o);

#endif
