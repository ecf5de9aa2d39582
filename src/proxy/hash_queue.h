/* Password hashes (PBKDF2) of a worker's clients, on the helper thread (io/offload.h): few at a time, so that clients who
 * log in do not keep the logins to servers, which use the same thread, from it; the others wait in order. */
#ifndef PGIAM_PROXY_HASH_QUEUE_H
#define PGIAM_PROXY_HASH_QUEUE_H

#include "io/loop.h"
#include "io/offload.h"
#include "pg/scram_secret.h"

struct hash_queue {
	struct offload *offload;
	struct mailbox *mail;
	unsigned running;
	struct list waiting; /* struct hash_op */
	struct timer retry;  /* the helper's queue was full of others' work */
	uint64_t started;    /* in all */
};

void hash_queue_init(struct hash_queue *q, struct loop *l, struct offload *o, struct mailbox *mail);
void hash_queue_fini(struct hash_queue *q); /* no operation may be left */

struct hash_op;

/* The SCRAM keys of a password with this salt and these iterations; all copied. The password is prepared (SASLprep)
 * there, too: a stranger's may be long, and its tables are unpacked each time. keys: borrowed during the call. */
typedef void (*hash_cb)(void *arg, const struct scram_keys *keys);
struct hash_op *hash_queue_start(struct hash_queue *q, struct slice password, const struct scram_secret *how, hash_cb cb,
			   void *arg);
void hash_queue_cancel(struct hash_op *op);

#endif
