/* How a running pgiam ends: signals in, orders to the workers out, their reports in, and the control loop
 * stops. On the control thread. */
#ifndef PGIAM_APP_STOP_H
#define PGIAM_APP_STOP_H

#include "app/worker.h"

struct stop;

struct stop_deps { /* all borrowed */
	struct loop *loop;
	struct worker *const *workers;
	unsigned count;
	struct sockets
		*sockets; /* closed once no worker accepts any more: who connects then is refused at once */
	uint64_t shutdown_timeout_us;
};

struct stop *stop_new(const struct stop_deps *d);
void stop_free(struct stop *s); /* NULL is fine */

/* One of process_signals_new's; nothing happens if it is not one to stop by. */
void stop_signal(struct stop *s, int signo);

/* What a worker reports. The last one's end stops the loop. */
void stop_heard(struct stop *s, unsigned worker, enum worker_event what);

bool stop_is_asked(const struct stop *s);

/* A worker did not end in time: its thread cannot be waited for. */
bool stop_is_abandoned(const struct stop *s);

#endif
