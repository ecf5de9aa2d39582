/* Turns are granted from the loop, never inside the asking. Every pool has one place in the queue however many connections
 * it wants, which bounds the queue by the number of pools; whose turn it is turn.c says. */
#include "proxy/database.h"

#include <stdlib.h>
#include "base/mem.h"

/* A busy pool gives up a server at most that often, and only to whoever has waited that long. */
#define CLAIM_US (1 * CLOCK_US_PER_SEC)

static void grant_turns(void *arg);

static void on_asked(void *arg)
{
	database_grant(arg);
}

struct database *database_new(struct target *t, struct loop *l, struct secret_source *secret,
                              bool (*evict)(struct list *node))
{
	struct database *d = mem_zalloc(sizeof(*d));

	d->target = target_ref(t);
	d->loop = l;
	d->secret = secret;
	d->evict = evict;
	governor_init(&d->governor, t->login_rate, t->login_rate_max, t->login_parallel, loop_now_us(l));
	turn_queue_init(&d->turns, on_asked, d);
	turn_queue_init(&d->spares, on_asked, d);
	list_init(&d->idle);
	timer_init(&d->turn_timer, l, grant_turns, d);
	defer_init(&d->turn_defer, l, grant_turns, d);
	stats_init(&d->stats, t->name);
	return d;
}

void database_free(struct database *d)
{
	if (!d)
		return;
	timer_clear(&d->turn_timer);
	defer_clear(&d->turn_defer);
	turn_queue_fini(&d->turns);
	turn_queue_fini(&d->spares);
	stats_fini(&d->stats);
	tls_ctx_unref(d->tls);
	target_unref(d->target);
	free(d);
}

static bool has_room(const struct database *d)
{
	uint32_t max = d->target->max_db_connections;

	return max == 0 || d->connections < max;
}

bool database_claims(struct database *d, const struct turn *own, uint64_t since_us)
{
	uint64_t now = loop_now_us(d->loop), oldest;

	if (has_room(d) || (d->claimed_us && now - d->claimed_us < CLAIM_US) || !governor_ready(&d->governor, now))
		return false;
	oldest = turn_queue_since_us(&d->turns, own);
	if (oldest >= since_us || now - oldest < CLAIM_US)
		return false;
	d->claimed_us = now;
	return true;
}

/* Closes somebody's idle connection, the oldest that nobody waits for. */
static bool make_room(struct database *d)
{
	list_each (node, tmp, &d->idle)
		if (d->evict(node))
			return has_room(d);
	return false;
}

/* Whose turn it is under max_db_connections, out of its queue; NULL: nobody's. */
static struct turn *take_turn(struct database *d)
{
	if (!turn_queue_empty(&d->turns))
		return has_room(d) || make_room(d) ? turn_queue_take(&d->turns) : NULL;
	if (!turn_queue_empty(&d->spares) && has_room(d))
		return turn_queue_take(&d->spares);
	return NULL;
}

static bool anybody_asks(const struct database *d)
{
	return !turn_queue_empty(&d->turns) || !turn_queue_empty(&d->spares);
}

static void grant_turns(void *arg)
{
	struct database *d = arg;

	while (anybody_asks(d)) {
		uint64_t now = loop_now_us(d->loop);
		struct turn *t;

		if (!governor_ready(&d->governor, now)) {
			uint64_t wait = governor_wait_us(&d->governor, now);
			if (wait > 0)
				timer_set(&d->turn_timer, wait);
			return; /* otherwise database_login_done comes back */
		}
		t = take_turn(d);
		if (!t)
			return; /* database_connection_closed comes back, or a pool whose server is idle */
		governor_take(&d->governor, now);
		d->connections++;
		t->granted(t->arg);
	}
}

void database_login_done(struct database *d, const struct err *e, enum governor_outcome o)
{
	governor_done(&d->governor, o);
	if (e)
		stats_login_failed(&d->stats, e);
	else
		d->stats.server_logins++;
	database_grant(d);
}

void database_connection_closed(struct database *d)
{
	d->connections--;
	d->stats.server_closed++;
	database_grant(d);
}

void database_grant(struct database *d)
{
	if (anybody_asks(d))
		defer_set(&d->turn_defer);
}

struct tls_ctx *database_tls(struct database *d)
{
	struct tls_ctx *old = d->tls;

	if (d->target->tls) {
		d->tls = tls_live_get(d->target->tls, loop_clock(d->loop), loop_log(d->loop));
		tls_ctx_unref(old);
	}
	return d->tls;
}
