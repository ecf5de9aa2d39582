/* Which worker takes a new client. The kernel hands connections on a shared socket to whoever wakes first,
 * which is far from even, while each worker has an even share of max_client_conn and of every pool: so the
 * worker that accepts gives the client to the one that has fewest. The only numbers workers share. */
#ifndef PGIAM_APP_BALANCE_H
#define PGIAM_APP_BALANCE_H

struct balance;

struct balance *balance_new(unsigned workers);
void balance_free(struct balance *b); /* NULL is fine */

/* The following from any thread. */

/* Counts one more client for the worker that has fewest, `self` where it is one of them, and returns it. */
unsigned balance_take(struct balance *b, unsigned self);

/* One client fewer. */
void balance_give(struct balance *b, unsigned worker);

#endif
