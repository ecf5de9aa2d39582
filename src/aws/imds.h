/* Questions to the EC2 instance's metadata service, version 2 only: a session token is fetched with PUT, kept, and
 * everything else asked with it. Version 1 hands credentials to whoever can make this host send a GET, so there is no
 * falling back to it. On the control loop. Spec: EC2 user guide, "Use the Instance Metadata Service". */
#ifndef PGIAM_AWS_IMDS_H
#define PGIAM_AWS_IMDS_H

#include "aws/provider.h"
#include "base/mask.h"

struct imds;
struct imds_op;

struct imds *imds_new(const struct provider_deps *d) __attribute__((returns_nonnull));
void imds_free(struct imds *m); /* with no question pending; NULL is fine */

/* Borrowed: valid during the callback. */
struct imds_answer {
	const struct err *e; /* NULL: body is what was asked for; else why not, beginning with "imds: " */
	struct slice body;
	const struct mask *mask;     /* call_answer's: of what of body people will see; NULL: nothing was asked */
	enum provider_result result; /* with e: PROVIDER_NOT_CONFIGURED, if there is no such service here, or _FAILED */
	int status;                  /* ... the HTTP status of what stands at path, 0 if it did not come to that */
	enum provider_cause cause;   /* ... for counters */
	uint64_t retry_after_us;     /* ... its wish, 0 if none */
};

/* Comes once, never inside imds_get, never after cancel. */
typedef void (*imds_cb)(void *arg, const struct imds_answer *a);

/* path: "latest/meta-data/placement/region"; at most IMDS_PATH_MAX bytes that need no escape; copied. */
#define IMDS_PATH_MAX 256
struct imds_op *imds_get(struct imds *m, const char *path, imds_cb cb, void *arg);
void imds_cancel(struct imds_op *op); /* NULL is fine */

#endif
