/* A token bucket whose rate moves. The bucket holds a second's worth, so that a pool fills at once; a failure that shows strain takes
 * half of what is saved up as well, or the burst would go on for a second at the rate that was too high. */
#include "proxy/governor.h"

#include <math.h>

void governor_init(struct governor *g, double rate, double rate_max, uint32_t parallel, uint64_t now_us)
{
	*g = (struct governor){
		.rate = rate_max > 0 && rate > rate_max ? rate_max : rate,
		.rate_max = rate_max,
		.last_us = now_us,
		.parallel = parallel ? parallel : 1,
	};
	/* One second's worth at once: a small pool fills without a pause. */
	g->burst = g->rate > 1 ? g->rate : 1;
	g->tokens = g->burst;
}

static void refill(struct governor *g, uint64_t now_us)
{
	if (now_us > g->last_us) {
		g->tokens += g->rate * (double)(now_us - g->last_us) / 1e6;
		g->last_us = now_us; /* never back: the same time would count twice */
	}
	if (g->tokens > g->burst)
		g->tokens = g->burst;
}

bool governor_ready(struct governor *g, uint64_t now_us)
{
	if (g->running >= g->parallel)
		return false;
	if (g->rate <= 0)
		return true;
	refill(g, now_us);
	return g->tokens >= 1;
}

bool governor_take(struct governor *g, uint64_t now_us)
{
	if (!governor_ready(g, now_us))
		return false;
	if (g->rate > 0)
		g->tokens -= 1;
	g->running++;
	return true;
}

uint64_t governor_wait_us(struct governor *g, uint64_t now_us)
{
	if (g->rate <= 0)
		return 0;
	refill(g, now_us);
	if (g->tokens >= 1)
		return 0;
	return (uint64_t)ceil((1 - g->tokens) / g->rate * 1e6);
}

void governor_done(struct governor *g, enum governor_outcome o)
{
	if (g->running > 0)
		g->running--;
	if (g->rate <= 0)
		return;
	switch (o) {
	case GOVERNOR_OK:
		/* about +1 a second at the rate itself: each success adds 1/rate */
		g->rate += 1 / g->rate;
		break;
	case GOVERNOR_STRAIN:
		g->rate /= 2;
		g->tokens = g->tokens > 0 ? g->tokens / 2 : 0;
		break;
	case GOVERNOR_REFUSED:
		break;
	}
	if (g->rate < GOVERNOR_RATE_MIN)
		g->rate = GOVERNOR_RATE_MIN;
	if (g->rate_max > 0 && g->rate > g->rate_max)
		g->rate = g->rate_max;
	g->burst = g->rate > 1 ? g->rate : 1;
}
