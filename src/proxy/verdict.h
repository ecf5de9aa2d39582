/* What becomes of a failed login: one pure decision, one table, a test for every row. */
#ifndef PGIAM_PROXY_VERDICT_H
#define PGIAM_PROXY_VERDICT_H

#include <stdbool.h>
#include <stdint.h>
#include "base/err.h"
#include "proxy/governor.h"

/* Whom does it concern? A client that is only just connecting wants to know what a direct connection would tell it. One
 * that is waiting with a query has been promised query_wait_timeout: it is told only what waiting cannot mend. */
enum verdict_told {
	VERDICT_NOBODY,
	VERDICT_NEWCOMERS,
	VERDICT_ALL,
};

struct verdict {
	bool again;                    /* tried once more at once, before anybody is told */
	enum verdict_told told;
	enum governor_outcome outcome; /* for the login rate */
	uint64_t backoff_max_us;       /* the pause before the next login grows up to this */
};

struct verdict_input {
	enum err_code code;
	enum err_class class; /* err_class() */
	bool retried;         /* it was tried again already */
	bool refreshed;       /* the source may have another secret */
	bool known;           /* the same user has been let in before */
};

/* Constant. */
const struct verdict *verdict_of(const struct verdict_input *in);

#endif
