/* The secret_source that answers with user and password that a secret_store keeps. See aws.h. */
#ifndef PGIAM_AWS_SOURCE_SECRET_H
#define PGIAM_AWS_SOURCE_SECRET_H

#include "aws/source.h"

/* desk: a secret_store's. */
struct source_secret_opts {
	struct source_opts source;
	const char *from; /* for people: "the secret prod/db"; copied */
	const char *hint; /* literal: what may be done about a refusal */
};
struct secret_source *source_secret_new(const struct source_secret_opts *o);

#endif
