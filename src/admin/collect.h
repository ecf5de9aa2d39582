/* Asks every worker a question and brings the answers back to the control loop, within a deadline: a worker
 * that does not answer is missing from the answers, and stalls nobody.
 *
 * Questions go into the workers' mailboxes, answers into the control loop's. */
#ifndef PGIAM_ADMIN_COLLECT_H
#define PGIAM_ADMIN_COLLECT_H

#include "base/err.h"
#include "io/mailbox.h"
#include "proxy/health.h"
#include "proxy/stats.h"

/* What is asked; 0 is a ping. */
enum { COLLECT_STATS = 1, COLLECT_HEALTH = 2 };

struct collect_health {
	struct collect_health *next;
	char *database;
	size_t source;         /* of what it logs in with: index of admin_info.sources */
	struct health known;   /* by all workers that answered */
	const struct err *why; /* NULL: well, as far as known. Only in a result; borrowed from `known` */
};

struct collect_answer {
	struct stats_snapshot *stats;  /* of COLLECT_STATS */
	struct collect_health *health; /* of COLLECT_HEALTH; a list */
};

/* Adds a row to the list of health (copies), or what it knows to the row that is there. */
void collect_health_add(struct collect_health **list, const char *database, size_t source,
			const struct health *known);

/* On the worker's thread, with its mailbox's receiver: fills what is wanted; what it fills in is freed by
 * others. */
typedef void (*collect_fill)(void *receiver, unsigned want, struct collect_answer *out);

struct collect_result {
	unsigned workers;
	const bool *answered;                /* by worker */
	unsigned missing;                    /* how many did not */
	const struct stats_snapshot *stats;  /* of COLLECT_STATS: added up; never NULL then */
	const struct collect_health *health; /* of COLLECT_HEALTH: judged over all workers */
};

/* Everything is borrowed during the call. */
typedef void (*collect_cb)(void *arg, const struct collect_result *r);

struct collect;
struct collect_op;

/* home: the control loop's mailbox. workers: one a worker; referenced. */
struct collect *collect_new(struct loop *l, struct mailbox *home, struct mailbox *const *workers,
			    unsigned count, collect_fill fill);

/* Nothing pending, and home closed: a late answer would find nobody. */
void collect_free(struct collect *c);

struct collect_op *collect_start(struct collect *c, unsigned want, uint64_t timeout_us, collect_cb cb,
				 void *arg);
void collect_cancel(struct collect_op *op);

#endif
