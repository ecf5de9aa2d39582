/* Two workers may look at the same moment and choose the same: one off does no harm, and the next choice
 * mends it. */
#include "app/balance.h"

#include <stdatomic.h>
#include <stdlib.h>
#include "base/mem.h"

struct balance {
	unsigned workers;
	atomic_uint *clients; /* by worker */
};

struct balance *balance_new(unsigned workers)
{
	struct balance *b = mem_zalloc(sizeof *b);

	b->workers = workers;
	b->clients = mem_array(workers, sizeof(atomic_uint));
	for (unsigned i = 0; i < workers; i++)
		atomic_init(&b->clients[i], 0);
	return b;
}

void balance_free(struct balance *b)
{
	if (b == NULL)
		return;
	free(b->clients);
	free(b);
}

unsigned balance_take(struct balance *b, unsigned self)
{
	unsigned best = self, least = atomic_load_explicit(&b->clients[self], memory_order_relaxed);

	for (unsigned i = 0; i < b->workers; i++) {
		unsigned n = atomic_load_explicit(&b->clients[i], memory_order_relaxed);

		if (n < least) {
			least = n;
			best = i;
		}
	}
	atomic_fetch_add_explicit(&b->clients[best], 1, memory_order_relaxed);
	return best;
}

void balance_give(struct balance *b, unsigned worker)
{
	atomic_fetch_sub_explicit(&b->clients[worker], 1, memory_order_relaxed);
}
