/* Time, replaceable in tests. */
#ifndef PGIAM_BASE_CLOCK_H
#define PGIAM_BASE_CLOCK_H

#include <stdint.h>

struct clock {
	/* Microseconds of a clock that never jumps and stands still in suspend (CLOCK_MONOTONIC). */
	uint64_t (*mono_us)(const struct clock *c);
	/* Microseconds since 1970-01-01 UTC (CLOCK_REALTIME). */
	int64_t (*wall_us)(const struct clock *c);
};

/* The system's clocks. */
const struct clock *clock_system(void);

static inline uint64_t clock_mono_us(const struct clock *c)
{
	return c->mono_us(c);
}

static inline int64_t clock_wall_us(const struct clock *c)
{
	return c->wall_us(c);
}

#define CLOCK_US_PER_SEC 1000000ULL
#define CLOCK_US_PER_MS  1000ULL

#endif
