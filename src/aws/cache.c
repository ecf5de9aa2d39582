/* Whoever waits is answered from one place (answer), a turn after the fact and from what the cache holds
 * then: so a waiter that cancels others, asks again or goes away from its callback cannot disturb the walk
 * over the waiters.
 *
 * Expiry is wall-clock time and timers are monotonic: the timer is only what makes a refresh early. Whether
 * credentials are still good is asked of the wall clock each time, so that a machine that slept comes back to
 * the truth. */
#include "aws/cache.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include "aws/date.h"
#include "base/digest.h"
#include "base/list.h"
#include "base/mem.h"

struct cache {
	struct loop *loop;
	const char *name; /* or NULL */
	const struct skew *skew;
	struct provider *provider;
	struct provider_op *fetch; /* non-NULL exactly while one is under way */
	struct credentials *creds; /* the last good ones, perhaps expired by now; NULL: none yet */
	int64_t due_wall_us;       /* they are to be renewed from then on; 0: never */
	struct timer timer;        /* the next fetch that nobody has to ask for */
	uint64_t looked_us;        /* when the provider's files were looked at, monotonic */
	uint64_t fetched_us;       /* when the last fetch began, monotonic */
	uint64_t retry_us;         /* none before, monotonic; 0: no failure to recover from. And without usable ones ... */
	uint64_t wanted_us;        /* ... none before, if somebody wants some */
	unsigned failures;         /* in a row */
	struct err last_err;       /* of the last of them */
	uint64_t told_us;          /* when one was last logged */
	struct list waiters;       /* cache_op.node, until there is news */
	uint64_t refreshes, failures_by[PROVIDER_CAUSE_COUNT];
};

struct cache_op {
	struct list node;
	struct defer defer;
	struct timer patience;
	struct cache *cache;
	cache_cb cb;
	void *arg;
};

static int64_t wall_us(const struct cache *c)
{
	return skew_wall_us(c->skew, loop_clock(c->loop));
}

/* Between x/2 and x. */
static uint64_t jitter(uint64_t x)
{
	uint64_t r;

	digest_random(&r, sizeof(r));
	return x - r % (x / 2 + 1);
}

static bool usable(const struct cache *c)
{
	return c->creds && credentials_valid_at(c->creds, wall_us(c));
}

/* Good, and for long enough that nobody needs to wait for better? */
static bool comfortable(const struct cache *c)
{
	return c->creds && credentials_valid_at(c->creds, wall_us(c) + CACHE_RESERVE_US);
}

static void set_expired(const struct credentials *creds, int64_t now_us, struct err *e)
{
	char mask[CREDENTIALS_MASK_SIZE], when[DATE_RFC3339_SIZE], span[DATE_SPAN_SIZE];

	credentials_mask(creds, mask);
	date_format_rfc3339(creds->expires_wall_us, when);
	date_format_span(now_us - creds->expires_wall_us, span);
	err_set(e, ERR_CREDENTIALS, "the AWS credentials have expired");
	err_detail(e, "%s key %s expired at %s, %s ago.", creds->provider, mask, when, span);
	if (!creds->renewable)
		err_hint(e,
			 "pgiam cannot renew credentials from the %s provider: give it new ones and start it "
			 "again.",
			 creds->provider);
	else
		err_hint(e, "The %s provider has given no newer ones: look where it has them from, and at this machine's "
			    "clock.", creds->provider);
}

static void set_searching(struct err *e)
{
	err_set(e, ERR_CREDENTIALS, "no AWS credentials yet: the first search for them has not ended");
	err_hint(e, "Whoever is to give them has not answered yet; `pgiam credentials` says who that is, and what comes of "
		    "it.");
}

/* Why there are no usable ones. */
static void why_not(const struct cache *c, struct err *e)
{
	if (c->failures > 0)
		*e = c->last_err;
	else if (c->creds)
		set_expired(c->creds, wall_us(c), e);
	else
		set_searching(e);
}

static void answer(void *arg)
{
	struct cache_op *op = arg;
	struct cache *c = op->cache;
	struct err e;

	list_del(&op->node);
	timer_clear(&op->patience);
	defer_clear(&op->defer);
	if (usable(c)) {
		/* A reference of its own: the callback may start what replaces them. */
		struct credentials *creds = credentials_ref(c->creds);
		op->cb(op->arg, creds, NULL);
		credentials_unref(creds);
	} else {
		why_not(c, &e);
		op->cb(op->arg, NULL, &e);
	}
	free(op);
}

static void tell_waiters(struct cache *c)
{
	list_each(node, tmp, &c->waiters) defer_set(&container_of(node, struct cache_op, node)->defer);
}

static void log_fetched(struct cache *c)
{
	char mask[CREDENTIALS_MASK_SIZE], when[DATE_RFC3339_SIZE];

	credentials_mask(c->creds, mask);
	log_info(loop_log(c->loop), "aws credentials", LS("identity", c->name),
		 LS("provider", c->creds->provider), LS("key", mask), LS("account", c->creds->account_id),
		 LS("expires", date_of_end(c->creds->expires_wall_us, when)));
}

static void schedule_refresh(struct cache *c)
{
	int64_t now = wall_us(c), life, delay;

	c->due_wall_us = 0;
	timer_clear(&c->timer);
	if (!c->creds->expires_wall_us || !c->creds->renewable)
		return;
	life = c->creds->expires_wall_us - now;
	delay = life - CACHE_AHEAD_US;
	if (delay < life / 2)
		delay = life / 2;
	/* Up to a tenth early: a fleet started together must not refresh together. */
	delay -= delay / 5 - (int64_t)jitter((uint64_t)delay / 5);
	if (delay < (int64_t)CACHE_BACKOFF_US)
		delay = (int64_t)CACHE_BACKOFF_US;
	c->due_wall_us = now + delay;
	timer_set(&c->timer, (uint64_t)delay);
}

static uint64_t greater(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

static uint64_t lesser(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static void log_failed(const struct cache *c, uint64_t delay_us)
{
	const struct credentials *kept = usable(c) ? c->creds : NULL;
	char when[DATE_RFC3339_SIZE];

	log_warning(loop_log(c->loop), kept ? "aws credentials not renewed" : "no aws credentials", LS("identity", c->name),
		    LERR(&c->last_err), LU("failures", c->failures), LU("retry_ms", delay_us / CLOCK_US_PER_MS),
		    LS("kept", kept ? kept->provider : NULL), LS("expires", kept ? date_of_end(kept->expires_wall_us, when) : NULL));
}

static void failed(struct cache *c, const struct err *e, enum provider_cause cause, uint64_t retry_after_us)
{
	uint64_t asked = lesser(retry_after_us, CACHE_RETRY_AFTER_MAX_US), delay = CACHE_BACKOFF_MAX_US;
	struct err why = *e;
	bool news;

	if (c->failures < 6)
		delay = CACHE_BACKOFF_US << c->failures;
	if (asked > 0)
		asked += jitter(CACHE_BACKOFF_US);
	delay = greater(jitter(lesser(delay, CACHE_BACKOFF_MAX_US)), asked);
	/* Their end changes what a source says (static stability), and is no time to be told of a back-off. */
	if (usable(c) && c->creds->expires_wall_us && (int64_t)delay > c->creds->expires_wall_us - wall_us(c))
		delay = (uint64_t)(c->creds->expires_wall_us - wall_us(c));
	provider_cause_code(cause, &why);
	if (provider_cause_is_of_signing(cause))
		skew_hint(c->skew, &why);
	news = err_is_news(&why, c->failures > 0 ? &c->last_err : NULL, loop_now_us(c->loop), &c->told_us);
	c->failures++;
	c->failures_by[cause]++;
	c->last_err = why;
	c->retry_us = loop_now_us(c->loop) + delay;
	c->wanted_us = loop_now_us(c->loop) + lesser(delay, greater(CACHE_WANTED_US, asked));
	timer_set(&c->timer, delay);
	if (news)
		log_failed(c, delay);
}

static void fetched(void *arg, const struct provider_answer *a)
{
	struct cache *c = arg;
	int64_t now = wall_us(c);
	struct err e;

	c->fetch = NULL;
	if (a->result != PROVIDER_CREDENTIALS) {
		failed(c, a->e, a->result == PROVIDER_NOT_CONFIGURED ? PROVIDER_CAUSE_ABSENT : a->cause,
		       a->retry_after_us);
	} else if (!credentials_valid_at(a->creds, now)) {
		set_expired(a->creds, now, &e);
		failed(c, &e, PROVIDER_CAUSE_EXPIRED, 0);
	} else {
		credentials_unref(c->creds);
		c->creds = credentials_ref(a->creds);
		c->failures = 0;
		c->retry_us = c->wanted_us = 0;
		c->refreshes++;
		log_fetched(c);
		schedule_refresh(c);
	}
	tell_waiters(c);
}

static void fetch(void *arg)
{
	struct cache *c = arg;

	assert(!c->fetch);
	timer_clear(&c->timer);
	c->fetched_us = loop_now_us(c->loop);
	c->fetch = provider_start(c->provider, fetched, c);
}

struct cache *cache_new(struct loop *l, struct provider *p, const struct skew *skew)
{
	struct cache *c = mem_zalloc(sizeof(*c));

	c->loop = l;
	c->provider = p;
	c->skew = skew;
	list_init(&c->waiters);
	timer_init(&c->timer, l, fetch, c);
	fetch(c);
	return c;
}

void cache_set_name(struct cache *c, const char *name)
{
	c->name = name;
}

void cache_free(struct cache *c)
{
	if (!c)
		return;
	provider_cancel(c->fetch);
	timer_clear(&c->timer);
	provider_free(c->provider);
	credentials_unref(c->creds);
	free(c);
}

/* Does somebody who was refused with `refused` have reason to wait for others? Starts the fetch if so. */
static bool demand(struct cache *c, const struct credentials *refused)
{
	if (!refused || c->creds != refused)
		return false; /* there are others already */
	if (c->fetch)
		return true;
	if (!c->creds->renewable || loop_now_us(c->loop) < c->fetched_us + CACHE_DEMAND_US)
		return false;
	fetch(c);
	return true;
}

/* Do the files behind the credentials say something else now? Starts the fetch if so: it is worth waiting for, for somebody
 * has made those that are kept a thing of the past, and may take them away any time. */
static bool follow(struct cache *c)
{
	uint64_t now = loop_now_us(c->loop);

	if (c->fetch || !c->creds || now < c->looked_us + CACHE_LOOK_US)
		return false;
	c->looked_us = now;
	if (!provider_changed(c->provider))
		return false;
	fetch(c);
	return true;
}

/* Is news on its way that a waiter needs? Starts the fetch that is due. */
static bool must_wait(struct cache *c)
{
	uint64_t now = loop_now_us(c->loop), from = comfortable(c) ? c->retry_us : c->wanted_us;
	bool due = c->due_wall_us && wall_us(c) >= c->due_wall_us;
	/* Would the provider say anything new? A fetch a second is enough where all it has is nearly expired.
	 */
	bool hopeful = !usable(c) || (c->creds->renewable && now >= c->fetched_us + CACHE_BACKOFF_US);

	if (!c->fetch && now >= from && hopeful && (due || !comfortable(c)))
		fetch(c);
	else if (!c->fetch && !usable(c)) /* told of the last failure; the next attempt is for who comes back */
		timer_set(&c->timer, from - now);
	return c->fetch && !comfortable(c);
}

struct cache_op *cache_get(struct cache *c, const struct credentials *refused, cache_cb cb, void *arg)
{
	struct cache_op *op = mem_zalloc(sizeof(*op));
	bool wait = demand(c, refused) || follow(c);

	op->cache = c;
	op->cb = cb;
	op->arg = arg;
	defer_init(&op->defer, c->loop, answer, op);
	timer_init(&op->patience, c->loop, answer, op);
	list_add_tail(&c->waiters, &op->node);
	if (!must_wait(c) && !wait)
		defer_set(&op->defer);
	else if (c->failures > 0)
		timer_set(&op->patience, CACHE_PATIENCE_US);
	return op;
}

void cache_cancel(struct cache_op *op)
{
	list_del(&op->node);
	timer_clear(&op->patience);
	defer_clear(&op->defer);
	free(op);
}

void cache_collect(const struct cache *c, struct cache_stats *out)
{
	out->creds = c->creds;
	out->refreshes = c->refreshes;
	memcpy(out->failures, c->failures_by, sizeof(out->failures));
	out->valid = usable(c);
	if (!out->valid)
		why_not(c, &out->why);
}
