/* A clock that stands still until told, and a provider that answers when the test says so. */
#ifndef TESTS_UNIT_AWS_FAKE_H
#define TESTS_UNIT_AWS_FAKE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "aws/provider.h"
#include "base/mem.h"
#include "io/loop.h"

#define SEC INT64_C(1000000)
#define T0  (1768480496 * SEC) /* 2026-01-15T12:34:56Z */

struct fake_clock {
	struct clock base;
	uint64_t mono_us;
	int64_t wall_us;
};

static inline uint64_t fake_mono(const struct clock *c)
{
	return ((const struct fake_clock *)c)->mono_us;
}

static inline int64_t fake_wall(const struct clock *c)
{
	return ((const struct fake_clock *)c)->wall_us;
}

static inline struct fake_clock fake_clock_make(void)
{
	return (struct fake_clock){
		{fake_mono, fake_wall},
                1000 * SEC, T0
        };
}

/* Some turns: what the first puts off, the next runs. */
static inline void fake_settle(struct loop *l)
{
	for (int i = 0; i < 6; i++)
		loop_turn(l, 0);
}

static inline void fake_pass(struct fake_clock *c, struct loop *l, int64_t us)
{
	c->mono_us += (uint64_t)us;
	c->wall_us += us;
	fake_settle(l);
}

struct fake_provider {
	struct provider base;
	struct provider_op op;
	provider_cb cb; /* non-NULL exactly while asked */
	void *arg;
	unsigned starts, cancels, looks;
	bool changed; /* its files have, since it was started */
	bool freed;
};

static inline struct provider_op *fake_start(struct provider *p, provider_cb cb, void *arg)
{
	struct fake_provider *f = (struct fake_provider *)p;

	assert_null(f->cb); /* single flight */
	f->starts++;
	f->changed = false;
	f->cb = cb;
	f->arg = arg;
	f->op.provider = p;
	return &f->op;
}

static inline void fake_cancel(struct provider_op *op)
{
	struct fake_provider *f = (struct fake_provider *)op->provider;

	assert_non_null(f->cb);
	f->cancels++;
	f->cb = NULL;
}

static inline void fake_free(struct provider *p)
{
	struct fake_provider *f = (struct fake_provider *)p;

	assert_null(f->cb);
	f->freed = true;
}

static inline bool fake_changed(struct provider *p)
{
	struct fake_provider *f = (struct fake_provider *)p;

	f->looks++;
	return f->changed;
}

static inline void fake_provider_init(struct fake_provider *f)
{
	static const struct provider_ops ops = {"fake", fake_start, fake_cancel, fake_free, fake_changed};

	memset(f, 0, sizeof(*f));
	f->base.ops = &ops;
}

static inline void fake_answer(struct fake_provider *f, const struct provider_answer *a)
{
	provider_cb cb = f->cb;

	assert_non_null(cb);
	f->cb = NULL;
	cb(f->arg, a);
}

/* Credentials named `key` that expire at expires_us (0: never). */
static inline void fake_give(struct fake_provider *f, const char *key, int64_t expires_us, bool renewable)
{
	struct credentials_parts parts = {
		.provider = "fake",
		.access_key = slice_str(key),
		.secret_key = slice_str("secret"),
		.session_token = slice_str("session"),
		.expires_wall_us = expires_us,
		.renewable = renewable,
	};
	struct provider_answer a = {.result = PROVIDER_CREDENTIALS, .creds = credentials_new(&parts, NULL)};

	assert_non_null(a.creds);
	fake_answer(f, &a);
	credentials_unref(a.creds);
}

static inline void fake_fail(struct fake_provider *f, enum provider_result result, const char *why)
{
	struct err e;
	struct provider_answer a = {.result = result, .e = &e};

	err_set(&e, ERR_CREDENTIALS, "%s", why);
	fake_answer(f, &a);
}

#endif
