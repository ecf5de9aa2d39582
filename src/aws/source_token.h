/* The secret_source that answers with login tokens. See aws.h. */
#ifndef PGIAM_AWS_SOURCE_TOKEN_H
#define PGIAM_AWS_SOURCE_TOKEN_H

#include "aws/aws.h"
#include "aws/source.h"

/* source.desk: of credentials. References region_desk; env is borrowed for the source's life; region may be NULL, and is
 * copied. */
struct source_token_opts {
	struct source_opts source;
	struct desk *region_desk; /* asked for the region where neither region nor the host name tells it; or NULL */
	const char *const *env;
	enum aws_token token;
	const char *region;
};
struct secret_source *source_token_new(const struct source_token_opts *o);

#endif
