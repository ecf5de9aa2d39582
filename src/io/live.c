/* Reading takes long compared with asking, so it happens outside of the lock, by whoever is first to see that it is due; all
 * others get the value that is there. */
#include "io/live.h"

#include <string.h>

#define LOOK_US (1 * CLOCK_US_PER_SEC)

void live_init(struct live *l, const struct live_ops *ops, void *owner, void *value)
{
	*l = (struct live){.ops = ops, .owner = owner, .now = value};
	pthread_mutex_init(&l->lock, NULL);
}

void live_fini(struct live *l)
{
	l->ops->unref(l->now);
	pthread_mutex_destroy(&l->lock);
}

static void *locked_now(struct live *l)
{
	l->ops->ref(l->now);
	return l->now;
}

void *live_now(struct live *l)
{
	void *v;

	pthread_mutex_lock(&l->lock);
	v = locked_now(l);
	pthread_mutex_unlock(&l->lock);
	return v;
}

/* By whoever is looking, who holds a reference to old. */
static int read_again(struct live *l, const void *old, struct log *log)
{
	struct err e;
	void *fresh = l->ops->read(l->owner, old, &e), *gone = NULL;

	if (fresh)
		l->ops->say(l->owner, fresh, log);
	else
		l->ops->say_failed(l->owner, old, &e, strcmp(l->failed, e.msg) == 0, log);
	memcpy(l->failed, fresh ? "" : e.msg, fresh ? 1 : sizeof(l->failed));
	pthread_mutex_lock(&l->lock);
	if (fresh) {
		gone = l->now;
		l->now = fresh;
	} else {
		l->failures++;
	}
	pthread_mutex_unlock(&l->lock);
	if (gone)
		l->ops->unref(gone);
	return fresh ? 0 : -1;
}

/* Gives up the looking, and v for the value as it is now. */
static void *end_look(struct live *l, void *v, const struct clock *clock, struct log *log)
{
	void *now = live_now(l);

	l->ops->unref(v);
	if (l->ops->looked)
		l->ops->looked(l->owner, now, clock, log);
	pthread_mutex_lock(&l->lock);
	l->looking = false;
	pthread_mutex_unlock(&l->lock);
	return now;
}

void *live_get(struct live *l, const struct clock *clock, struct log *log)
{
	uint64_t now = clock_mono_us(clock);
	bool look;
	void *v;

	pthread_mutex_lock(&l->lock);
	v = locked_now(l);
	look = !l->looking && now - l->looked_us >= LOOK_US;
	if (look) {
		l->looking = true;
		l->looked_us = now;
	}
	pthread_mutex_unlock(&l->lock);
	if (!look)
		return v;
	if (l->ops->is_due(l->owner, v, clock))
		(void)read_again(l, v, log);
	return end_look(l, v, clock, log);
}

int live_reload(struct live *l, const struct clock *clock, struct log *log)
{
	bool mine;
	int rc = 0;
	void *v;

	pthread_mutex_lock(&l->lock);
	v = locked_now(l);
	mine = !l->looking; /* else somebody is at it this very moment */
	l->looking = true;
	pthread_mutex_unlock(&l->lock);
	if (mine) {
		l->failed[0] = '\0'; /* who asks is told again */
		rc = read_again(l, v, log);
		v = end_look(l, v, clock, log);
	}
	l->ops->unref(v);
	return rc;
}

uint64_t live_failures(struct live *l)
{
	uint64_t n;

	pthread_mutex_lock(&l->lock);
	n = l->failures;
	pthread_mutex_unlock(&l->lock);
	return n;
}
