/* How fast logins to one database may be started. Pure: time is passed in.
 *
 * Every pod has a pgiam of its own and the database one limit (200 IAM logins a second, far fewer on small instances), so it
 * starts low, halves when the database shows strain (throttling, time-outs, refusals of the kind a tired authentication
 * helper gives), and grows slowly while logins succeed: additive increase, multiplicative decrease. */
#ifndef PGIAM_PROXY_GOVERNOR_H
#define PGIAM_PROXY_GOVERNOR_H

#include <stdbool.h>
#include <stdint.h>

struct governor {
	double rate;          /* logins a second now; 0: not limited */
	double rate_max;      /* and at most */
	double tokens, burst; /* of the token bucket */
	uint64_t last_us;
	uint32_t running, parallel; /* logins under way, and at most */
};

#define GOVERNOR_RATE_MIN 0.5 /* unless the most is less: a worker's part of it */

enum governor_outcome {
	GOVERNOR_OK,      /* logged in */
	GOVERNOR_REFUSED, /* failed for a reason that says nothing about load */
	GOVERNOR_STRAIN,  /* throttled, timed out, overloaded */
};

/* rate 0: only `parallel` limits. */
void governor_init(struct governor *g, double rate, double rate_max, uint32_t parallel, uint64_t now_us);

/* Would governor_take say yes? */
bool governor_ready(struct governor *g, uint64_t now_us);

/* May a login start now? If so it counts as running until governor_done. */
bool governor_take(struct governor *g, uint64_t now_us);

/* How long until the rate alone would allow one; 0 if it does now. */
uint64_t governor_wait_us(struct governor *g, uint64_t now_us);

void governor_done(struct governor *g, enum governor_outcome o);

#endif
