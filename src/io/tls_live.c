/* Reading takes long compared with a handshake's start, so it happens outside of the lock, by whoever is first to see
 * that it is due; all others get the context that is there. */
#include "io/tls_live.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include "base/mem.h"

#define LOOK_US       (1 * CLOCK_US_PER_SEC)
#define DAY_SEC       86400
#define WARN_DAYS     30
#define SELF_MADE_SEC ((int64_t)WARN_DAYS * DAY_SEC) /* one of ours is made again before anybody is warned */

struct tls_live {
	atomic_uint refs;
	pthread_mutex_t lock;
	/* under the lock */
	struct tls_ctx *now;
	uint64_t looked_us;
	bool looking; /* somebody looks at the files; what follows is theirs meanwhile */
	int64_t warned_days; /* what was left when the certificate's end was last announced */
	char failed[512]; /* why the last reading failed, as it was logged; "" if it did not */
};

struct tls_live *tls_live_new(struct tls_ctx *c)
{
	struct tls_live *t = mem_zalloc(sizeof *t);

	atomic_init(&t->refs, 1);
	pthread_mutex_init(&t->lock, NULL);
	t->now = c;
	t->warned_days = INT64_MAX;
	return t;
}

struct tls_live *tls_live_ref(struct tls_live *t)
{
	atomic_fetch_add_explicit(&t->refs, 1, memory_order_relaxed);
	return t;
}

void tls_live_unref(struct tls_live *t)
{
	if (!t || atomic_fetch_sub_explicit(&t->refs, 1, memory_order_acq_rel) != 1)
		return;
	tls_ctx_unref(t->now);
	pthread_mutex_destroy(&t->lock);
	free(t);
}

static struct tls_ctx *tls_live_now(struct tls_live *t)
{
	struct tls_ctx *c;

	pthread_mutex_lock(&t->lock);
	c = tls_ctx_ref(t->now);
	pthread_mutex_unlock(&t->lock);
	return c;
}

static const char *trusted(const struct tls_ctx *c)
{
	return *tls_ctx_ca_text(c) ? tls_ctx_ca_text(c) : NULL;
}

static int64_t seconds_left(const struct tls_ctx *c, const struct clock *clock)
{
	return tls_ctx_expires_sec(c) - clock_wall_us(clock) / (int64_t)CLOCK_US_PER_SEC;
}

static void warn(struct tls_live *t, const struct tls_ctx *c, const struct clock *clock, struct log *log)
{
	int64_t left = seconds_left(c, clock), days = left / DAY_SEC;
	const char *file = tls_ctx_opts(c)->cert_file;

	if (!file || days >= WARN_DAYS || days == t->warned_days)
		return;
	t->warned_days = days;
	if (left < 0)
		log_warning(log, "a certificate has expired", LS("certificate", file), LI("days_ago", -days));
	else
		log_warning(log, "a certificate expires soon", LS("certificate", file), LI("days_left", days));
}

static bool is_due(const struct tls_ctx *c, const struct clock *clock)
{
	return tls_ctx_is_stale(c) || (tls_ctx_is_self_made(c) && seconds_left(c, clock) < SELF_MADE_SEC);
}

/* By whoever is looking. */
static int read_again(struct tls_live *t, const struct tls_ctx *old, const struct clock *clock, struct log *log)
{
	struct err e;
	struct tls_ctx *fresh = tls_ctx_reload(old, &e), *gone;

	if (!fresh) {
		if (strcmp(t->failed, e.msg) != 0)
			log_warning(log, "TLS files cannot be used; what was read before stays",
				    LS("certificate", tls_ctx_opts(old)->cert_file), LS("ca", trusted(old)), LERR(&e));
		memcpy(t->failed, e.msg, sizeof t->failed);
		return -1;
	}
	t->failed[0] = '\0';
	t->warned_days = INT64_MAX;
	log_info(log, "TLS files read again", LS("certificate", tls_ctx_opts(fresh)->cert_file), LS("ca", trusted(fresh)));
	warn(t, fresh, clock, log);
	pthread_mutex_lock(&t->lock);
	gone = t->now;
	t->now = fresh;
	pthread_mutex_unlock(&t->lock);
	tls_ctx_unref(gone);
	return 0;
}

static void end_look(struct tls_live *t)
{
	pthread_mutex_lock(&t->lock);
	t->looking = false;
	pthread_mutex_unlock(&t->lock);
}

struct tls_ctx *tls_live_get(struct tls_live *t, const struct clock *clock, struct log *log)
{
	uint64_t now = clock_mono_us(clock);
	struct tls_ctx *c;
	bool look;

	pthread_mutex_lock(&t->lock);
	c = tls_ctx_ref(t->now);
	look = !t->looking && now - t->looked_us >= LOOK_US;
	if (look) {
		t->looking = true;
		t->looked_us = now;
	}
	pthread_mutex_unlock(&t->lock);
	if (!look)
		return c;
	if (is_due(c, clock) && read_again(t, c, clock, log) == 0) {
		tls_ctx_unref(c);
		c = tls_live_now(t);
	}
	warn(t, c, clock, log);
	end_look(t);
	return c;
}

int tls_live_reload(struct tls_live *t, const struct clock *clock, struct log *log)
{
	struct tls_ctx *c;
	bool mine;
	int rc = 0;

	pthread_mutex_lock(&t->lock);
	c = tls_ctx_ref(t->now);
	mine = !t->looking; /* else somebody is at it this very moment */
	t->looking = true;
	pthread_mutex_unlock(&t->lock);
	if (mine) {
		t->failed[0] = '\0'; /* who asks is told again */
		if (!tls_ctx_is_self_made(c) || is_due(c, clock))
			rc = read_again(t, c, clock, log);
		end_look(t);
	}
	tls_ctx_unref(c);
	return rc;
}

int64_t tls_live_expires_sec(struct tls_live *t)
{
	struct tls_ctx *c = tls_live_now(t);
	int64_t sec = tls_ctx_expires_sec(c);

	tls_ctx_unref(c);
	return sec;
}

bool tls_live_is(struct tls_live *t, const struct tls_opts *o)
{
	struct tls_ctx *c = tls_live_now(t);
	bool same = tls_opts_equal(tls_ctx_opts(c), o);

	tls_ctx_unref(c);
	return same;
}
