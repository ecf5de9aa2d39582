/* Plain counters: a histogram has one writer, and readers get copies by the mailbox. */
#include "base/histogram.h"

static const uint32_t bounds[] = HISTOGRAM_BOUNDS_US;

_Static_assert(sizeof(bounds) / sizeof(bounds[0]) == HISTOGRAM_BUCKETS - 1,
	       "HISTOGRAM_BUCKETS is bounds + 1");

const uint32_t *histogram_bounds_us(void)
{
	return bounds;
}

void histogram_add(struct histogram *h, uint64_t us)
{
	unsigned i = 0;

	while (i < HISTOGRAM_BUCKETS - 1 && us > bounds[i])
		i++;
	h->bucket[i]++;
	h->sum_us += us;
}

void histogram_merge(struct histogram *into, const struct histogram *from)
{
	for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++)
		into->bucket[i] += from->bucket[i];
	into->sum_us += from->sum_us;
}

uint64_t histogram_count(const struct histogram *h)
{
	uint64_t n = 0;

	for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++)
		n += h->bucket[i];
	return n;
}
