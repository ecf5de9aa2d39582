/* Three stages, one table: what a signal does in each. */
#include "app/stop.h"

#include <signal.h>
#include <stdlib.h>
#include "app/control.h"
#include "base/mem.h"

#define STOP_PATIENCE_US 5000000 /* beyond the grace, for a worker that hangs */
#define STOP_REFUSE_US   1000000 /* until its clients are not kept waiting before a door that will not open */

enum stop_stage {
	STOP_RUNNING,
	STOP_DRAINING,
	STOP_HURRYING, /* grace 0 */
	STOP_ABANDONED,
};

struct stop {
	struct stop_deps deps;
	enum stop_stage stage;
	unsigned closed, ended; /* workers */
	bool *has_ended;
	struct timer patience, refuse;
};

static const struct signal_row {
	int signo;
	const char *name;
	uint64_t max_grace_us;
} rows[] = {
	{SIGTERM, "SIGTERM", UINT64_MAX          },
	{SIGINT,  "SIGINT",  CONTROL_INT_GRACE_US},
	{SIGQUIT, "SIGQUIT", 0                   },
};

static void abandon(void *arg)
{
	struct stop *s = arg;

	for (unsigned i = 0; i < s->deps.count; i++)
		if (!s->has_ended[i])
			log_error(loop_log(s->deps.loop), "a worker did not end in time and is abandoned",
				  LU("worker", i));
	s->stage = STOP_ABANDONED;
	loop_stop(s->deps.loop);
}

static void refuse(void *arg)
{
	struct stop *s = arg;

	log_warning(loop_log(s->deps.loop), "a worker does not stop accepting; new clients are refused without it",
		    LU("workers", s->deps.count - s->closed));
	sockets_refuse(s->deps.sockets);
}

static void stop_within(struct stop *s, uint64_t grace_us)
{
	s->stage = grace_us ? STOP_DRAINING : STOP_HURRYING;
	for (unsigned i = 0; i < s->deps.count; i++)
		worker_stop(s->deps.workers[i], grace_us);
	timer_set(&s->patience, grace_us + STOP_PATIENCE_US);
}

void stop_signal(struct stop *s, int signo)
{
	struct log *log = loop_log(s->deps.loop);
	const struct signal_row *row = rows;
	uint64_t grace_us = s->deps.shutdown_timeout_us;

	while (row < rows + sizeof rows / sizeof rows[0] && row->signo != signo)
		row++;
	if (row == rows + sizeof rows / sizeof rows[0])
		return;
	switch (s->stage) {
	case STOP_RUNNING:
		if (grace_us > row->max_grace_us)
			grace_us = row->max_grace_us;
		log_info(log, "stopping", LS("signal", row->name),
			 LU("grace_ms", grace_us / CLOCK_US_PER_MS));
		timer_set(&s->refuse, STOP_REFUSE_US);
		stop_within(s, grace_us);
		break;
	case STOP_DRAINING:
		log_info(log, "stopping at once", LS("signal", row->name));
		stop_within(s, 0);
		break;
	case STOP_HURRYING: abandon(s); break;
	case STOP_ABANDONED: break;
	}
}

void stop_heard(struct stop *s, unsigned worker, enum worker_event what)
{
	switch (what) {
	case WORKER_CLOSED:
		if (++s->closed == s->deps.count) {
			timer_clear(&s->refuse);
			sockets_close(s->deps.sockets);
		}
		break;
	case WORKER_ENDED:
		s->has_ended[worker] = true;
		if (++s->ended == s->deps.count)
			loop_stop(s->deps.loop);
		break;
	}
}

bool stop_is_asked(const struct stop *s)
{
	return s->stage != STOP_RUNNING;
}

bool stop_is_abandoned(const struct stop *s)
{
	return s->stage == STOP_ABANDONED;
}

struct stop *stop_new(const struct stop_deps *d)
{
	struct stop *s = mem_zalloc(sizeof *s);

	s->deps = *d;
	s->has_ended = mem_array(d->count, sizeof(bool));
	timer_init(&s->patience, d->loop, abandon, s);
	timer_init(&s->refuse, d->loop, refuse, s);
	return s;
}

void stop_free(struct stop *s)
{
	if (s == NULL)
		return;
	timer_clear(&s->patience);
	timer_clear(&s->refuse);
	free(s->has_ended);
	free(s);
}
