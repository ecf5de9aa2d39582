/* The ways of a server back to idle when its client has left: every combination of what may lie between. */
#include "sim.h"
#include <stdio.h>
#include "pg/message.h"

enum leaves {
	BETWEEN, /* two queries */
	DURING,  /* a query: its end is waited for as if he were there */
	BROKEN,  /* the same, but what he is owed cannot reach him any more */
	LASTING, /* a query, which pgiam cancels at last */
	LEAVES,
};

struct way {
	enum leaves leaves;
	bool fenced; /* a cancel is under way: it could hit whoever comes next */
	bool in_tx;  /* a transaction is left open */
	bool resets; /* there is a reset query */
};

/* The server lets go of the CancelRequest. */
static void cancel_is_through(struct sim *s)
{
	for (unsigned i = 0; i < s->pg.n; i++)
		if (s->pg.conns[i]->cancel)
			fakepg_close(s->pg.conns[i]);
	sim_settle(s);
}

static void walk(const struct way *w)
{
	struct sim *s = sim_new();
	struct sim_client *c;
	char asked[64];

	s->target.pool_size = 1;
	s->pg.hold_cancel = w->fenced;
	if (!w->resets)
		s->target.reset_query[0] = '\0';
	sim_start(s);
	c = sim_hanging(s);
	fakepg_log(sim_server(s));
	sim_server(s)->tx = w->in_tx ? 'T' : 'I';
	if (w->fenced && w->leaves != LASTING)
		sim_cancel(s, c);
	sim_settle(s);
	if (w->leaves == BETWEEN) {
		sim_answer(s, "CZ");
		sim_expect(c, "CZ");
	}
	if (w->leaves == BROKEN) {
		/* a connection closed with unread bytes is reset */
		c->p.deaf = true;
		message_notice(&sim_server(s)->p.out, &(struct message_error){"NOTICE", "00000", "unread", NULL, NULL});
		sim_settle(s);
	}
	sim_vanish(c);
	sim_pass(s, w->leaves == LASTING ? 6 * SEC : 0);
	assert_int_equal(s->pg.cancels, w->fenced || w->leaves == LASTING);
	if (w->leaves != BETWEEN)
		sim_answer(s, "CZ");
	sim_settle(s);
	if (w->fenced) {
		assert_string_equal(fakepg_log(sim_server(s)), "");
		cancel_is_through(s);
	}
	snprintf(asked, sizeof(asked), "%s%s", w->in_tx ? "Q:ROLLBACK;" : "", w->resets ? "Q:DISCARD ALL;" : "");
	assert_string_equal(fakepg_log(sim_server(s)), asked);
	sim_assert_servers(s, 1, 0);
	sim_works(sim_client(s));
	assert_int_equal(fakepg_open(&s->pg), 1);
	sim_assert_servers(s, 0, 1);
	sim_free(s);
}

static void all_ways_back(void **state)
{
	(void)state;
	for (unsigned i = 0; i < LEAVES * 8; i++) {
		struct way w = {.leaves = i / 8, .fenced = i & 4, .in_tx = i & 2, .resets = i & 1};

		print_message("left %s, %s, %s, %s\n",
		              (const char *const[]){"between queries", "during a query", "broken",
		                                    "during a query that lasts"}[w.leaves],
		              w.fenced ? "fenced" : "not fenced", w.in_tx ? "in a transaction" : "idle",
		              w.resets ? "reset" : "no reset");
		walk(&w);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_ways_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
