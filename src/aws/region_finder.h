/* The region of where pgiam runs, for what no region is configured for: the environment's, the profile's, and where none of
 * them tells, the instance's own, by the metadata service. That is asked once for all who wait; its answer is kept, because
 * an instance does not move; a failure is kept for a while. On the control loop. */
#ifndef PGIAM_AWS_REGION_FINDER_H
#define PGIAM_AWS_REGION_FINDER_H

#include "aws/desk.h"
#include "aws/provider.h"

/* After a failure the service is left alone for this long. */
#define REGION_FINDER_PAUSE_US UINT64_C(5000000)

struct region_finder;
struct region_finder_op;

struct region_finder *region_finder_new(const struct provider_deps *d) __attribute__((returns_nonnull));
void region_finder_free(struct region_finder *f); /* with nobody waiting; NULL is fine */

/* Exactly one of region and e (ERR_REGION) is not NULL; both borrowed. Comes once, never inside get, never after cancel. */
typedef void (*region_finder_cb)(void *arg, const char *region, const struct err *e);

/* profile: of the AWS files, NULL: AWS_PROFILE or "default"; not kept. */
struct region_finder_op *region_finder_get(struct region_finder *f, const char *profile, region_finder_cb cb,
					   void *arg);
void region_finder_cancel(struct region_finder_op *op); /* NULL is fine */

/* For people: the region, or where it will be had from. region: NULL: not configured. */
const char *region_finder_text(const char *region);

/* Asked at a desk, which gives out char *. Borrowed by the desk until it is closed. */
struct region_seat {
	struct region_finder *finder;
	const char *profile;
};
struct desk *region_finder_desk(struct region_seat *seat, struct mailbox *control_mail);

#endif
