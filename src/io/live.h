/* A value that follows files: whoever needs it asks for it as it is now, from any thread. Where the files have changed it is
 * made anew; what is of no use leaves the value as it was. Embedded in whoever knows the files. Thread-safe, all but init
 * and fini. */
#ifndef PGIAM_IO_LIVE_H
#define PGIAM_IO_LIVE_H

#include <pthread.h>
#include <stdbool.h>
#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"

/* How a value is dealt with. Values are immutable and counted; ref and unref are thread-safe. The others run on any thread,
 * but for one at a time: what they alone use in owner needs no lock. */
struct live_ops {
	void (*ref)(void *value);
	void (*unref)(void *value);
	bool (*is_due)(void *owner, const void *value, const struct clock *clock); /* to be read again: cheap */
	void *(*read)(void *owner, const void *old, struct err *e); /* one reference, or NULL with e */
	void (*say)(void *owner, const void *fresh, struct log *log); /* that it was read again */
	/* That it could not be; again: for the same reason as the last time. */
	void (*say_failed)(void *owner, const void *old, const struct err *e, bool again, struct log *log);
	void (*looked)(void *owner, const void *value, const struct clock *clock, struct log *log); /* may be NULL */
};

struct live {
	const struct live_ops *ops;
	void *owner;
	pthread_mutex_t lock;
	/* under the lock */
	void *now;
	uint64_t looked_us;
	uint64_t failures;
	bool looking; /* somebody is at the files; what follows is theirs meanwhile */
	char failed[sizeof(((struct err *)0)->msg)]; /* why the last reading failed; "" if it did not */
};

/* Takes value, which is not NULL; borrows the others. */
void live_init(struct live *l, const struct live_ops *ops, void *owner, void *value);
void live_fini(struct live *l);

/* The value as it is now; a reference, for the caller to give back. live_get looks at the files first, once a second at
 * most; if they cannot be used the log says why. */
void *live_now(struct live *l);
void *live_get(struct live *l, const struct clock *clock, struct log *log);

/* Reads whether anything has changed or not. -1: of no use, nothing has changed; it was logged. */
int live_reload(struct live *l, const struct clock *clock, struct log *log);

/* How often files could not be used. */
uint64_t live_failures(struct live *l);

#endif
