/* A place in a database's queue for starting one login. Turns go round among the DB users, and among the pools of one user:
 * somebody with many pools, by many combinations of startup parameters, gets no more of them than anybody else. */
#ifndef PGIAM_PROXY_TURN_H
#define PGIAM_PROXY_TURN_H

#include "proxy/database.h"

/* The turns of one DB user. */
struct turn_user;

struct turn {
	struct list node;
	struct database *db;
	struct turn_user *user; /* a reference */
	/* A login must be started now, and database_login_done called when it ends. The connection is counted: call
	 * database_connection_closed when it is gone. */
	void (*granted)(void *arg);
	void *arg;
};

void turn_init(struct turn *t, struct database *d, const char *user, void (*granted)(void *arg), void *arg);
void turn_fini(struct turn *t);

/* Queues up; granted comes once, never inside. Idempotent while queued. */
void turn_ask(struct turn *t);
void turn_drop(struct turn *t); /* idempotent */

/* For database.c: the turn whose turn it is, out of the queue. One must be waiting. */
struct turn *turn_take(struct database *d);

#endif
