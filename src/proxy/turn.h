/* A queue for starting logins. Turns go round among the DB users, and among the pools of one user: somebody with many
 * pools, by many combinations of startup parameters, gets no more of them than anybody else. Who may take a turn, and
 * when, its owner decides (database.c). */
#ifndef PGIAM_PROXY_TURN_H
#define PGIAM_PROXY_TURN_H

#include <stdbool.h>
#include <stdint.h>
#include "base/list.h"
#include "base/map.h"

/* The turns of one DB user. */
struct turn_user;

struct turn_queue {
	struct map *users;   /* everybody who may ask: name -> struct turn_user */
	struct list waiting; /* struct turn_user; whoever had a turn goes to the end */
	void (*asked)(void *arg);
	void *arg;
};

struct turn {
	struct list node;
	uint64_t since_us; /* monotonic */
	struct turn_queue *queue;
	struct turn_user *user; /* a reference */
	void (*granted)(void *arg);
	void *arg;
};

/* asked: somebody waits who did not; it must not take a turn at once. */
void turn_queue_init(struct turn_queue *q, void (*asked)(void *arg), void *arg);
void turn_queue_fini(struct turn_queue *q); /* nobody may be left who could ask */
bool turn_queue_empty(const struct turn_queue *q);

/* Since when the one that waits for longest does, apart from this one; UINT64_MAX: no other waits. */
uint64_t turn_queue_since_us(const struct turn_queue *q, const struct turn *but);

/* The turn whose turn it is, out of the queue. One must be waiting. */
struct turn *turn_queue_take(struct turn_queue *q);

/* granted: for whoever takes it to call. */
void turn_init(struct turn *t, struct turn_queue *q, const char *user, void (*granted)(void *arg), void *arg);
void turn_fini(struct turn *t);

/* Queues up for somebody who waits since then; granted comes once, never inside. While queued it keeps its place, and only who
 * waits for it changes. */
void turn_ask(struct turn *t, uint64_t since_us);
bool turn_waits(const struct turn *t); /* is it queued? */
void turn_drop(struct turn *t); /* idempotent */

#endif
