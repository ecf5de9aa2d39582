/* Clients of several users, few connections, everything at random: whatever happens, the database is not logged in to for
 * nothing, no limit is passed, and nobody waits while there is a way to serve him. Each world is made by its number, so that
 * a failure comes again. */
#include "sim.h"
#include <stdio.h>

#define WORLDS  300
#define STEPS   50
#define USERS   3
#define CROWD   10 /* clients there at once */
#define BACKOFF (30 * SEC) /* after that long a server that is well again has been tried */

static const char *const users[USERS] = {"ann", "bob", "cid"};

/* What a client waits for. */
enum wish { GONE, WELCOME, NOTHING, ANSWER };

struct guest {
	struct sim_client *c;
	unsigned user;
	enum wish wish;
};

struct world {
	struct sim *s;
	uint32_t seed;
	struct guest guests[CROWD];
	uint32_t number; /* of the world */
};

static unsigned chance(struct world *w, unsigned n)
{
	w->seed = w->seed * 1664525u + 1013904223u;
	return (w->seed >> 16) % n;
}

/* ---- what must be so ---- */

/* Logins that ended, well or not. */
static unsigned logins(struct world *w)
{
	const struct stats *st = sim_db(w->s);
	uint64_t n = st->server_logins;

	for (unsigned i = 0; i < ERR_CODE_COUNT; i++)
		n += st->login_errors[i];
	return (unsigned)n;
}

static unsigned open_as(struct world *w, const char *user)
{
	struct fakepg_conn *c;
	unsigned n = 0;

	for (unsigned i = 0; (c = fakepg_conn(&w->s->pg, i)); i++)
		n += c->user && strcmp(c->user, user) == 0;
	return n;
}

static void look_at(struct guest *g)
{
	if (g->wish != GONE && sim_closed(g->c))
		g->wish = GONE;
	if ((g->wish == WELCOME || g->wish == ANSWER) && g->c->said_n > 0 && g->c->said[g->c->said_n - 1] == 'Z') {
		g->wish = NOTHING;
		g->c->said_n = 0;
	}
}

static void within_limits(struct world *w)
{
	const struct target *t = w->s->targets[0];

	if (t->max_db_connections > 0)
		assert_in_range(fakepg_open(&w->s->pg), 0, t->max_db_connections);
	for (unsigned u = 0; u < USERS; u++)
		assert_in_range(open_as(w, users[u]), 0, t->pool_size);
}

/* Each client is the reason for one login, each pool for a few that it keeps ready, and so is each server that went. */
static void settles(struct world *w)
{
	unsigned before = logins(w), after;

	sim_settle(w->s);
	for (unsigned i = 0; i < CROWD; i++)
		look_at(&w->guests[i]);
	after = logins(w);
	if (after - before > 2 * CROWD)
		fail_msg("world %u: %u logins at once", w->number, after - before);
	within_limits(w);
}

static void pass(struct world *w, uint64_t us)
{
	for (unsigned i = 0; i < 10; i++) {
		w->s->clock.now_us += us / 10;
		settles(w);
	}
}

/* With a server that is well nobody waits without a reason: his pool is full, or the database is, and nothing is idle. */
static void nobody_waits_for_nothing(struct world *w)
{
	const struct target *t = w->s->targets[0];
	unsigned open, idle;

	pass(w, BACKOFF);
	open = fakepg_open(&w->s->pg);
	idle = sim_db(w->s)->sv_idle;
	for (unsigned i = 0; i < CROWD; i++) {
		const struct guest *g = &w->guests[i];
		bool hangs = false;
		struct fakepg_conn *c;

		for (unsigned k = 0; (c = fakepg_conn(&w->s->pg, k)); k++)
			hangs |= c->hang && c->user && strcmp(c->user, users[g->user]) == 0;
		if (g->wish != WELCOME && (g->wish != ANSWER || hangs))
			continue;
		if (open_as(w, users[g->user]) < t->pool_size &&
		    (t->max_db_connections == 0 || open < t->max_db_connections || idle > 0))
			fail_msg("world %u: %s waits for %s with %u of %u open, %u idle", w->number, users[g->user],
				 g->wish == WELCOME ? "a welcome" : "a server", open, t->max_db_connections, idle);
	}
}

/* ---- what happens ---- */

static void comes(struct world *w)
{
	for (unsigned i = 0; i < CROWD; i++) {
		struct guest *g = &w->guests[i];

		if (g->wish != GONE)
			continue;
		g->user = chance(w, USERS);
		g->c = sim_login(w->s, users[g->user], NULL);
		g->wish = WELCOME;
		return;
	}
}

static void asks(struct world *w, struct guest *g)
{
	if (g->wish != NOTHING)
		return;
	sim_query(g->c, chance(w, 3) == 0 ? "HANG" : chance(w, 3) == 0 ? "BEGIN" : "SELECT 1");
	g->wish = ANSWER;
}

static void goes(struct world *w, struct guest *g)
{
	if (g->wish == GONE)
		return;
	if (chance(w, 2) == 0)
		sim_vanish(g->c);
	else
		sim_say(g->c, "X");
	g->wish = GONE;
}

/* Hanging queries are answered: all, or the first. */
static bool answers(struct world *w, bool all)
{
	struct fakepg_conn *c;
	bool any = false;

	for (unsigned i = 0; (all || !any) && (c = fakepg_conn(&w->s->pg, i)); i++) {
		if (!c->hang)
			continue;
		c->hang = false;
		fakepg_answer(c, "CZ");
		any = true;
	}
	return any;
}

static void breaks(struct world *w)
{
	unsigned open = fakepg_open(&w->s->pg);

	if (open > 0)
		fakepg_close(fakepg_conn(&w->s->pg, chance(w, open)));
}

static void changes(struct world *w)
{
	static const char *const states[] = {"57P03", "53300", "28P01"};
	struct fakepg *pg = &w->s->pg;

	pg->error_at = FAKEPG_NEVER;
	pg->accepts = true;
	switch (chance(w, 4)) {
	case 0: pg->accepts = false; break;
	case 1:
		pg->error_at = FAKEPG_STARTUP;
		pg->sqlstate = states[chance(w, 3)];
		break;
	default: break;
	}
}

static void step(struct world *w)
{
	struct guest *g = &w->guests[chance(w, CROWD)];
	const struct fakepg *pg = &w->s->pg;

	switch (chance(w, 12)) {
	case 0:
	case 1:
	case 2: comes(w); break;
	case 3:
	case 4:
	case 5: asks(w, g); break;
	case 6: goes(w, g); break;
	case 7:
	case 8: answers(w, false); break;
	case 9: breaks(w); break;
	case 10: changes(w); break;
	default: pass(w, chance(w, 2) ? SEC : 20 * SEC); break;
	}
	settles(w);
	if (chance(w, 4) == 0 && pg->accepts && pg->error_at == FAKEPG_NEVER)
		nobody_waits_for_nothing(w);
}

/* Whoever has got what he wanted goes: in the end all have. */
static void all_are_served(struct world *w)
{
	unsigned waiting = CROWD;

	w->s->pg.error_at = FAKEPG_NEVER;
	w->s->pg.accepts = true;
	pass(w, BACKOFF);
	for (unsigned round = 0; round < 4 * CROWD && waiting > 0; round++) {
		waiting = 0;
		answers(w, true);
		settles(w);
		for (unsigned i = 0; i < CROWD; i++) {
			if (w->guests[i].wish == NOTHING)
				goes(w, &w->guests[i]);
			waiting += w->guests[i].wish != GONE;
		}
		settles(w);
		pass(w, 2 * SEC);
	}
	if (waiting > 0)
		fail_msg("world %u: %u were never served", w->number, waiting);
}

/* However they stand when it is told to stop: it does, and does not log in anew meanwhile. */
static void all_is_over(struct world *w)
{
	unsigned before, after;

	w->s->pg.error_at = FAKEPG_NEVER;
	w->s->pg.accepts = true;
	before = logins(w);
	sim_stop(w->s, 30 * SEC);
	settles(w);
	for (unsigned i = 0; i < 2 * CROWD; i++) {
		answers(w, true);
		pass(w, 2 * SEC);
	}
	after = logins(w);
	if (!w->s->stopped || after - before > CROWD)
		fail_msg("world %u: stopped %d, after %u logins", w->number, w->s->stopped, after - before);
}

static void begin(struct world *w, uint32_t number)
{
	struct sim *s = sim_new();

	*w = (struct world){.s = s, .seed = number * 2654435761u, .number = number};
	s->steps = 10;
	s->target.pool_size = 1 + chance(w, 3);
	s->target.min_pool_size = chance(w, 2) ? 0 : 1 + chance(w, s->target.pool_size);
	s->target.max_db_connections = chance(w, 5);
	s->target.query_wait_timeout_us = 0;
	s->target.server_idle_timeout_us = chance(w, 2) ? 0 : 10 * SEC;
	s->target.server_lifetime_us = chance(w, 2) ? 3600 * SEC : 60 * SEC;
	sim_start(s);
}

static void crowds(void **state)
{
	(void)state;
	for (uint32_t n = 0; n < WORLDS; n++) {
		struct world w;

		begin(&w, n);
		for (unsigned i = 0; i < STEPS; i++)
			step(&w);
		if (n % 2 == 0)
			all_are_served(&w);
		else
			all_is_over(&w);
		sim_free(w.s);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(crowds)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
