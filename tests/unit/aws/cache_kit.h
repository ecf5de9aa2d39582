/* A cache whose provider and clock are the test's. Included by its tests. */
#ifndef TESTS_UNIT_AWS_CACHE_KIT_H
#define TESTS_UNIT_AWS_CACHE_KIT_H

#include "config.h" /* for memmem */
#include "fake.h"
#include "aws/cache.h"

#define HOUR (3600 * SEC)
#define MIN  (60 * SEC)

struct fixture {
	struct fake_clock clock;
	struct log *log;
	struct loop *loop;
	struct fake_provider provider;
	struct skew skew;
	struct cache *cache;
	unsigned warnings;
	bool secret_logged;
};

static inline void count_line(void *arg, const char *line, size_t n)
{
	struct fixture *f = arg;

	if (memmem(line, n, "warning", 7))
		f->warnings++;
	if (memmem(line, n, "secret", 6) || memmem(line, n, "session", 7))
		f->secret_logged = true;
}

static inline int setup(void **state)
{
	struct fixture *f = mem_zalloc(sizeof(*f));

	f->clock = fake_clock_make();
	f->log = log_new(&f->clock.base, LOG_DEBUG, LOG_KEY_VALUE, count_line, f);
	f->loop = loop_new(&f->clock.base, f->log, NULL);
	fake_provider_init(&f->provider);
	skew_init(&f->skew);
	f->cache = cache_new(f->loop, &f->provider.base, &f->skew);
	*state = f;
	return 0;
}

static inline int teardown(void **state)
{
	struct fixture *f = *state;

	cache_free(f->cache);
	assert_true(f->provider.freed);
	assert_false(f->secret_logged);
	loop_free(f->loop);
	log_free(f->log);
	free(f);
	return 0;
}

struct answer {
	unsigned times;
	struct credentials *creds; /* owned */
	struct err e;
};

static inline void take(void *arg, struct credentials *c, const struct err *e)
{
	struct answer *a = arg;

	assert_int_equal(c == NULL, e != NULL);
	a->times++;
	credentials_unref(a->creds);
	a->creds = credentials_ref(c);
	if (e)
		a->e = *e;
}

/* Asks and lets the loop turn: the key of what came, NULL after an error, "" if nothing came. */
static inline const char *ask(struct fixture *f, struct answer *a)
{
	struct cache_op *op = cache_get(f->cache, NULL, take, a);

	a->times = 0;
	fake_settle(f->loop);
	if (a->times == 0) {
		cache_cancel(op);
		return "";
	}
	assert_int_equal(a->times, 1);
	return a->creds ? a->creds->access_key : NULL;
}

static inline void forget(struct answer *a)
{
	credentials_unref(a->creds);
	memset(a, 0, sizeof(*a));
}

#endif
