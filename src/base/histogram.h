/* Duration histogram with fixed buckets, for Prometheus. Belongs to one thread; snapshots are
 * plain copies and merge by addition. */
#ifndef PGIAM_BASE_HISTOGRAM_H
#define PGIAM_BASE_HISTOGRAM_H

#include <stdint.h>

/* Upper bounds in microseconds; the last bucket is +Inf. */
#define HISTOGRAM_BOUNDS_US                                                                                   \
	{50, 100, 250, 500, 1000, 2500, 5000, 10000, 25000, 50000, 100000, 250000, 500000, 1000000, 2500000,  \
	 5000000, 10000000, 30000000, 120000000}
#define HISTOGRAM_BUCKETS 20 /* bounds + 1 */

struct histogram {
	uint64_t bucket[HISTOGRAM_BUCKETS]; /* not cumulative */
	uint64_t sum_us;
};

/* The bounds; HISTOGRAM_BUCKETS - 1 of them. */
const uint32_t *histogram_bounds_us(void);

void histogram_add(struct histogram *h, uint64_t us);
void histogram_merge(struct histogram *into, const struct histogram *from);
uint64_t histogram_count(const struct histogram *h);

#endif
