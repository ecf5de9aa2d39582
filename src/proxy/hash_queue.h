/* Password hashes (PBKDF2) of a worker's clients, on the helper thread (io/offload.h): few at a time, so that clients who
 * log in do not keep the logins to servers, which use the same thread, from it; the others wait in order. */
#ifndef PGIAM_PROXY_HASH_QUEUE_H
#define PGIAM_PROXY_HASH_QUEUE_H

#include "io/loop.h"
#include "io/offload.h"
#include "pg/scram_secret.h"

#define HASH_QUEUE_RUNNING 8 /* with the helper, at most */

struct hash_queue {
	struct offload *offload;
	struct mailbox *mail;
	unsigned running;      /* with the helper, cancelled ones too: it has not heard of that */
	struct list waiting;   /* struct hash_op */
	struct list abandoned; /* cancelled while the helper was at them */
	struct timer retry;    /* the helper's queue was full of others' work */
	uint64_t started;      /* in all */
};

void hash_queue_init(struct hash_queue *q, struct loop *l, struct offload *o, struct mailbox *mail);

/* Every operation has ended or was cancelled. On the loop's thread, before the mailbox is closed: what the helper is still
 * at outlives the queue. */
void hash_queue_fini(struct hash_queue *q);

struct hash_op;

/* The SCRAM keys of a password with this salt and these iterations; all copied. The password is prepared (SASLprep)
 * there, too: a stranger's may be long, and its tables are unpacked each time. keys: borrowed during the call. */
typedef void (*hash_cb)(void *arg, const struct scram_keys *keys);
struct hash_op *hash_queue_start(struct hash_queue *q, struct slice password, const struct scram_secret *how, hash_cb cb,
			   void *arg);
void hash_queue_cancel(struct hash_op *op);

#endif
