/* How far this machine's clock is off, as verified answers of AWS tell. AWS allows five minutes; a clock that
 * is further off makes every signature and token invalid, and the database says nothing but "PAM
 * authentication failed". Within a bound the time signed with is corrected. */
#ifndef PGIAM_AWS_SKEW_H
#define PGIAM_AWS_SKEW_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"

/* Less is noise, and no concern of AWS's. */
#define SKEW_IGNORED_US (INT64_C(30) * 1000000)
/* More is not corrected: something is wrong that somebody has to look at. */
#define SKEW_CORRECTED_MAX_US (INT64_C(3600) * 1000000)

/* Written on the control loop; read on any thread. */
struct skew {
	_Atomic int64_t measured_us;   /* to be added to the clock; 0: not known or none */
	_Atomic int64_t correction_us; /* the part of it that is applied */
};

void skew_init(struct skew *s);

/* An answer that came over verified TLS was dated date_wall_us (whole seconds). It was asked for at
 * asked_wall_us and came at now_wall_us, by this machine's clock. Changes worth knowing are logged. On the
 * control loop. */
void skew_measure(struct skew *s, int64_t date_wall_us, int64_t asked_wall_us, int64_t now_wall_us,
		  struct log *log);

/* Makes it e's hint that the clock is to be set, if it is known to be further off than is corrected: no other cause of a
 * refusal or of an expiry is as likely then. s may be NULL. Thread-safe. */
void skew_hint(const struct skew *s, struct err *e);

/* The time to sign with, and to compare expiry with. s may be NULL: the clock's. Thread-safe. */
int64_t skew_wall_us(const struct skew *s, const struct clock *c);

#endif
