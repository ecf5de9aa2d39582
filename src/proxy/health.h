/* What the logins to one database have shown lately, and whether it counts as served. Pure: time is passed in. Each
 * worker has its own; merged, they are judged once, over all workers. */
#ifndef PGIAM_PROXY_HEALTH_H
#define PGIAM_PROXY_HEALTH_H

#include <stdbool.h>
#include <stdint.h>
#include "base/err.h"

/* A failure that nobody has met again for so long says nothing any more: whoever keeps clients away because of it would
 * never learn that it has passed. Longer than a backoff and a login together: while clients ask, an outage is not
 * forgotten. */
#define HEALTH_MEMORY_US UINT64_C(60000000)

enum health_kind {
	HEALTH_AWAY,     /* nobody could have been let in */
	HEALTH_LOST,     /* the server turned down somebody whom it had let in before */
	HEALTH_STRANGER, /* ... somebody it never let in, who may not exist */
	HEALTH_KINDS,
};

/* Times are monotonic, on the clock all workers share. All zero is a database nobody has tried. */
struct health {
	uint64_t good_us; /* the last login that succeeded; 0: none */
	uint64_t serving; /* sessions that stand; of the moment of asking */
	struct health_failure {
		uint64_t at_us; /* 0: none */
		struct err why;
	} last[HEALTH_KINDS];
};

void health_good(struct health *h, uint64_t now_us);

/* known: the same user has been let in before. */
void health_failed(struct health *h, uint64_t now_us, const struct err *e, bool known);

/* Into what two workers know together. */
void health_merge(struct health *into, const struct health *from);

/* NULL if the database counts as served, else why not; borrowed from h. Being away counts until somebody logs in, a
 * refusal only where nobody else is let in, a stranger's only if nobody ever was: anybody can ask for a user that does
 * not exist. */
const struct err *health_why(const struct health *h, uint64_t now_us);

#endif
