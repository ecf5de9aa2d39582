/* A place in a database's queue for starting one login. */
#ifndef PGIAM_PROXY_TURN_H
#define PGIAM_PROXY_TURN_H

#include "proxy/database.h"

struct turn {
	struct list node;
	struct database *db;
	/* A login must be started now, and database_login_done called when it ends. The connection is counted: call
	 * database_connection_closed when it is gone. */
	void (*granted)(void *arg);
	void *arg;
};

void turn_init(struct turn *t, struct database *d, void (*granted)(void *arg), void *arg);

/* Queues up; granted comes once, never inside. Idempotent while queued. */
void turn_ask(struct turn *t);
void turn_drop(struct turn *t); /* idempotent */

#endif
