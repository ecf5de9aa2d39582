/* The secret_source that answers with login tokens. See aws.h. */
#ifndef PGIAM_AWS_SOURCE_H
#define PGIAM_AWS_SOURCE_H

#include "aws/aws.h"
#include "aws/desk.h"
#include "aws/skew.h"
#include "base/secret_source.h"

/* On the worker's loop from then on. References the desks and worker_mail; env and skew are borrowed for the
 * source's life; region may be NULL, and is copied. */
struct source_opts {
	struct desk *desk;
	struct desk *region_desk; /* asked for the region where neither region nor the host name tells it; or NULL */
	const char *const *env;
	const struct skew *skew; /* of the clock; NULL: it is right */
	enum aws_token token;
	const char *region;
	struct loop *worker;
	struct mailbox *worker_mail;
};
struct secret_source *source_new(const struct source_opts *o);

#endif
