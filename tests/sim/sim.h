/* The simulator: a whole proxy on a real loop whose clock stands still until the test moves it, a scripted server and
 * scripted clients, all on one thread over local sockets. A time-out of an hour takes a millisecond, and every run is
 * the same. */
#ifndef PGIAM_TESTS_SIM_SIM_H
#define PGIAM_TESTS_SIM_SIM_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "client.h"
#include "fakepg.h"
#include "proxy/proxy.h"

#define SEC CLOCK_US_PER_SEC
#define MS  CLOCK_US_PER_MS

struct sim_clock {
	struct clock clock; /* first */
	_Atomic uint64_t now_us; /* the resolver's threads look at it, too */
};

/* A secret source whose answers the test gives. */
struct sim_secret {
	struct secret_source base; /* first */
	struct secret_source_ops ops;
	struct loop *loop;
	const char *secret;  /* what it answers */
	const char *user;    /* and who logs in; NULL: who asked */
	const char *error;   /* or what it fails with, ... */
	enum err_code error_code; /* ... and as what */
	bool silent;         /* or neither */
	bool names_user;     /* it is asked first, ... */
	bool away;           /* ... and while it has nothing to give: its last answer was none */
	bool retry;          /* what refused() says */
	unsigned asked, refused, explained, pending;
	uint64_t refused_no; /* whose refusal it was told of last */
	struct list open; /* secret_op.node: pending */
};

#define SIM_CLIENTS 400

struct sim {
	struct sim_clock clock;
	struct log *log;
	struct buf log_text;
	struct loop *loop;
	struct mailbox *mail;
	struct resolver *resolver;
	struct offload *offload;
	struct fakepg pg;
	struct sim_secret secret;
	struct secret_source *sources[1];
	struct target target; /* changed by the test before sim_start */
	struct target *targets[2];
	struct proxy_opts opts;
	struct proxy *proxy;
	struct sim_client *clients[SIM_CLIENTS];
	unsigned n;
	unsigned patience; /* turns without a move until it counts as settled */
	unsigned steps;    /* of sim_pass, at most */
	bool stopped; /* proxy_stop's callback came */
	struct {      /* cancels for other workers, and the last one */
		unsigned count;
		uint32_t worker, pid;
		uint64_t no;
	} routed;
};

/* Makes the world; the test may change sim->target, ->opts, ->secret and ->pg before sim_start. */
struct sim *sim_new(void);
void sim_start(struct sim *s);

/* Both: a world whose pools have so many connections, and whatever else change (may be NULL) makes of it. */
struct sim *sim_begin(uint32_t pool_size, void (*change)(struct sim *));

/* The source, which was silent, answers now. */
void sim_secret_answer(struct sim *s);

/* The first server that is open; there must be one. */
struct fakepg_conn *sim_server(struct sim *s);

/* It hangs no longer, and says these (fakepg_answer). */
void sim_answer(struct sim *s, const char *types);

/* The proxy is to stop, unless it has; again: with another grace. stopped says when. */
void sim_stop(struct sim *s, uint64_t grace_us);

/* Ends the proxy and everybody in it, and checks that nothing is left: no buffer, no connection. sim_start may begin
 * again. */
void sim_end(struct sim *s);

/* The same, and no timer; then the world goes. */
void sim_free(struct sim *s);

/* Turns until nothing moves any more; time stands still. */
void sim_settle(struct sim *s);

/* Lets time go by, turning at every step. */
void sim_pass(struct sim *s, uint64_t us);

/* Turns, really waiting, until a helper thread has done its part. */
#define sim_until(s, cond)                                                                                    \
	do {                                                                                                  \
		for (unsigned tries_ = 0; !(cond); tries_++) {                                                \
			if (tries_ > 20000)                                                                   \
				fail_msg("waited in vain for %s", #cond);                                     \
			loop_turn((s)->loop, 500);                                                            \
			sim_settle(s);                                                                        \
		}                                                                                             \
	} while (0)

/* This worker's numbers, and those of the first database. Until the next call. */
const struct stats_snapshot *sim_stats(struct sim *s);
const struct stats *sim_db(struct sim *s);

/* Servers that are logged in and what they do: idle and linked must be as given, others none. */
void sim_assert_servers(struct sim *s, unsigned idle, unsigned active);

/* Does the log have this text? */
bool sim_logged(struct sim *s, const char *text);

#endif
