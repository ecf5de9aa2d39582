/* The reader of a secret of Secrets Manager (aws/secret_reader.h).
 *
 * While a secret is rotated the database may already want the version that is being set (AWSPENDING), or, where
 * it lags behind, still the one before (AWSPREVIOUS): if AWSCURRENT is what was turned down, these are given,
 * each once. Spec: Secrets Manager user guide, "Rotation by Lambda function". */
#ifndef PGIAM_AWS_SECRET_WALK_H
#define PGIAM_AWS_SECRET_WALK_H

#include "aws/secret_reader.h"

/* For so long a version that was turned down is not given again, unless nothing else is left. */
#define SECRET_WALK_TRIED_US UINT64_C(60000000)

/* All of it copied. */
struct secret_walk_opts {
	const char *id;      /* one that secrets_manager_id takes */
	const char *region;  /* NULL: as service_request has it */
	const char *profile; /* ... for that, or NULL */
};

/* deps' parts are borrowed for the reader's life. */
struct secret_reader *secret_walk_new(const struct provider_deps *d, const struct secret_walk_opts *o);

#endif
