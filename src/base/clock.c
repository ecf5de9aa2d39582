/* The only place that reads the system's clocks. */
#include "base/clock.h"

#include <time.h>

static uint64_t mono_us(const struct clock *c)
{
	struct timespec ts;

	(void)c;
	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * CLOCK_US_PER_SEC + (uint64_t)ts.tv_nsec / 1000;
}

static int64_t wall_us(const struct clock *c)
{
	struct timespec ts;

	(void)c;
	clock_gettime(CLOCK_REALTIME, &ts);
	return (int64_t)ts.tv_sec * (int64_t)CLOCK_US_PER_SEC + ts.tv_nsec / 1000;
}

const struct clock *clock_system(void)
{
	static const struct clock system = {mono_us, wall_us};

	return &system;
}
