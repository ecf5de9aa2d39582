/* Owned messages into a loop from any thread. The only thing that crosses threads, with the
 * log writer's queue and the resolver's. Wakes the loop by an eventfd, once for a burst. */
#ifndef PGIAM_IO_MAILBOX_H
#define PGIAM_IO_MAILBOX_H

#include "io/loop.h"

struct mailbox;

/* Embedded as the first member of what is sent; the sender gives it away. */
struct mail {
	struct mail *next; /* the mailbox's own */
	/* Runs on the receiving loop; owns the message from then on. */
	void (*deliver)(struct mail *m, void *receiver);
	/* Frees a message that can no longer be delivered. */
	void (*drop)(struct mail *m);
};

/* receiver is handed to deliver. */
struct mailbox *mailbox_new(struct loop *l, void *receiver, struct err *e);

/* Thread-safe, never blocks beyond a short lock, takes m. After mailbox_close it drops m at once and
 * returns false. */
bool mailbox_post(struct mailbox *mb, struct mail *m);

/* Refuses new mail and drops what waits. On the loop's thread. The memory lives until the last
 * reference goes: senders on other threads hold one each. */
void mailbox_close(struct mailbox *mb);
struct mailbox *mailbox_ref(struct mailbox *mb);
void mailbox_unref(struct mailbox *mb);

#endif
