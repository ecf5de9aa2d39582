/* A context as a value that follows its files, and what it says of its certificate's end. */
#include "io/tls_live.h"

#include <stdatomic.h>
#include <stdlib.h>
#include "base/mem.h"
#include "io/live.h"

#define DAY_SEC       86400
#define WARN_DAYS     30
#define SELF_MADE_SEC ((int64_t)WARN_DAYS * DAY_SEC) /* one of ours is made again before anybody is warned */

struct tls_live {
	atomic_uint refs;
	int64_t warned_days; /* what was left when the certificate's end was last announced; live's, as its ops are */
	struct live live;
};

static void ref(void *value)
{
	tls_ctx_ref(value);
}

static void unref(void *value)
{
	tls_ctx_unref(value);
}

static const char *trusted(const struct tls_ctx *c)
{
	return *tls_ctx_ca_text(c) ? tls_ctx_ca_text(c) : NULL;
}

static int64_t seconds_left(const struct tls_ctx *c, const struct clock *clock)
{
	return tls_ctx_expires_sec(c) - clock_wall_us(clock) / (int64_t)CLOCK_US_PER_SEC;
}

static void warn(void *owner, const void *value, const struct clock *clock, struct log *log)
{
	struct tls_live *t = owner;
	int64_t left = seconds_left(value, clock), days = left / DAY_SEC;
	const char *file = tls_ctx_opts(value)->cert_file;

	if (!file || days >= WARN_DAYS || days == t->warned_days)
		return;
	t->warned_days = days;
	if (left < 0)
		log_warning(log, "a certificate has expired", LS("certificate", file), LI("days_ago", -days));
	else
		log_warning(log, "a certificate expires soon", LS("certificate", file), LI("days_left", days));
}

static bool is_due(void *owner, const void *value, const struct clock *clock)
{
	(void)owner;
	return tls_ctx_is_stale(value) || (tls_ctx_is_self_made(value) && seconds_left(value, clock) < SELF_MADE_SEC);
}

static void *make(void *owner, const void *old, struct err *e)
{
	(void)owner;
	return tls_ctx_reload(old, e);
}

static void say(void *owner, const void *fresh, struct log *log)
{
	struct tls_live *t = owner;

	t->warned_days = INT64_MAX;
	log_info(log, "TLS files read again", LS("certificate", tls_ctx_opts(fresh)->cert_file), LS("ca", trusted(fresh)));
}

static void say_failed(void *owner, const void *old, const struct err *e, bool again, struct log *log)
{
	(void)owner;
	if (again)
		return; /* it is tried once a second */
	log_warning(log, "TLS files cannot be used; what was read before stays",
		    LS("certificate", tls_ctx_opts(old)->cert_file), LS("ca", trusted(old)), LERR(e));
}

static const struct live_ops ops = {
	.ref = ref,
	.unref = unref,
	.is_due = is_due,
	.read = make,
	.say = say,
	.say_failed = say_failed,
	.looked = warn,
};

struct tls_live *tls_live_new(struct tls_ctx *c)
{
	struct tls_live *t = mem_zalloc(sizeof *t);

	atomic_init(&t->refs, 1);
	t->warned_days = INT64_MAX;
	live_init(&t->live, &ops, t, c);
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
	live_fini(&t->live);
	free(t);
}

struct tls_ctx *tls_live_get(struct tls_live *t, const struct clock *clock, struct log *log)
{
	return live_get(&t->live, clock, log);
}

int tls_live_reload(struct tls_live *t, const struct clock *clock, struct log *log)
{
	struct tls_ctx *c = live_now(&t->live);
	bool nothing_to_read = tls_ctx_is_self_made(c) && !is_due(t, c, clock);

	tls_ctx_unref(c);
	return nothing_to_read ? 0 : live_reload(&t->live, clock, log);
}

uint64_t tls_live_failures(struct tls_live *t)
{
	return live_failures(&t->live);
}

int64_t tls_live_expires_sec(struct tls_live *t)
{
	struct tls_ctx *c = live_now(&t->live);
	int64_t sec = tls_ctx_expires_sec(c);

	tls_ctx_unref(c);
	return sec;
}

bool tls_live_is(struct tls_live *t, const struct tls_opts *o)
{
	struct tls_ctx *c = live_now(&t->live);
	bool same = tls_opts_equal(tls_ctx_opts(c), o);

	tls_ctx_unref(c);
	return same;
}
