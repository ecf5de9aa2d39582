/* How signals and the workers' reports end the process, with workers that are made up: worker_stop and
 * sockets_close are the test's own. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "app/control.h"
#include "app/stop.h"
#include "io/loop.h"

#define TIMEOUT_US 25000000u

struct worker {
	unsigned stops;
	uint64_t grace_us;
};

void worker_stop(struct worker *w, uint64_t grace_us)
{
	w->stops++;
	w->grace_us = grace_us;
}

void sockets_close(struct sockets *s)
{
	s->count++;
}

static unsigned refusals;

void sockets_refuse(struct sockets *s)
{
	(void)s;
	refusals++;
}

static uint64_t now_us;

static uint64_t fake_mono(const struct clock *c)
{
	(void)c;
	return now_us;
}

static int64_t fake_wall(const struct clock *c)
{
	(void)c;
	return (int64_t)now_us;
}

static const struct clock fake_clock = {fake_mono, fake_wall};

struct fixture {
	struct loop *loop;
	struct worker worker[2], *workers[2];
	struct sockets sockets;
	struct stop *stop;
};

static int setup(void **state)
{
	static struct fixture f;
	struct err e;

	now_us = 1000000;
	refusals = 0;
	f = (struct fixture){
		.workers = {&f.worker[0], &f.worker[1]}
        };
	f.loop = loop_new(&fake_clock, NULL, &e);
	f.stop = stop_new(&(struct stop_deps){.loop = f.loop,
					      .workers = f.workers,
					      .count = 2,
					      .sockets = &f.sockets,
					      .shutdown_timeout_us = TIMEOUT_US});
	*state = &f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	stop_free(f->stop);
	stop_free(NULL);
	loop_free(f->loop);
	return 0;
}

static void ordered(struct fixture *f, unsigned stops, uint64_t grace_us)
{
	for (int i = 0; i < 2; i++) {
		assert_int_equal(f->worker[i].stops, stops);
		assert_int_equal(f->worker[i].grace_us, grace_us);
	}
}

static void graces(void **state)
{
	struct fixture *f = *state;

	assert_false(stop_is_asked(f->stop));
	stop_signal(f->stop, SIGHUP);
	ordered(f, 0, 0);
	assert_false(stop_is_asked(f->stop));
	stop_signal(f->stop, SIGTERM);
	ordered(f, 1, TIMEOUT_US);
	assert_true(stop_is_asked(f->stop));
	stop_signal(f->stop, SIGHUP);
	ordered(f, 1, TIMEOUT_US);
	stop_signal(f->stop, SIGTERM);
	ordered(f, 2, 0);
}

static void sigint_is_shorter(void **state)
{
	struct fixture *f = *state;

	stop_signal(f->stop, SIGINT);
	ordered(f, 1, CONTROL_INT_GRACE_US);
	stop_signal(f->stop, SIGINT);
	ordered(f, 2, 0);
}

static void sigquit_is_now(void **state)
{
	struct fixture *f = *state;

	stop_signal(f->stop, SIGQUIT);
	ordered(f, 1, 0);
}

/* The sockets go when the last worker accepts no more, the loop ends with the last worker. */
static void reports(void **state)
{
	struct fixture *f = *state;

	stop_signal(f->stop, SIGTERM);
	stop_heard(f->stop, 1, WORKER_CLOSED);
	stop_heard(f->stop, 1, WORKER_ENDED);
	assert_int_equal(f->sockets.count, 0);
	stop_heard(f->stop, 0, WORKER_CLOSED);
	assert_int_equal(f->sockets.count, 1);
	stop_heard(f->stop, 0, WORKER_ENDED);
	now_us += 2000000;
	loop_run(f->loop); /* returns: it was told to stop */
	assert_int_equal(refusals, 0);
	assert_false(stop_is_abandoned(f->stop));
}

/* One that still holds a listening socket keeps nobody waiting before it. */
static void a_worker_that_does_not_stop_accepting(void **state)
{
	struct fixture *f = *state;

	refusals = 0;
	stop_signal(f->stop, SIGTERM);
	stop_heard(f->stop, 0, WORKER_CLOSED);
	now_us += 900000;
	loop_turn(f->loop, 0);
	assert_int_equal(refusals, 0);
	now_us += 200000;
	loop_turn(f->loop, 0);
	assert_int_equal(refusals, 1);
	assert_int_equal(f->sockets.count, 0);
	stop_heard(f->stop, 1, WORKER_CLOSED); /* late */
	assert_int_equal(f->sockets.count, 1);
}

/* A worker that does not end keeps the process for the grace and a little more, not for ever. */
static void patience_ends(void **state)
{
	struct fixture *f = *state;

	stop_signal(f->stop, SIGTERM);
	stop_heard(f->stop, 0, WORKER_CLOSED);
	stop_heard(f->stop, 0, WORKER_ENDED);
	now_us += TIMEOUT_US;
	loop_turn(f->loop, 0);
	assert_false(stop_is_abandoned(f->stop));
	now_us += 6000000;
	loop_turn(f->loop, 0);
	assert_true(stop_is_abandoned(f->stop));
	loop_run(f->loop);
	stop_signal(f->stop, SIGTERM); /* nothing more to be done */
	ordered(f, 1, TIMEOUT_US);
}

static void third_signal(void **state)
{
	struct fixture *f = *state;

	stop_signal(f->stop, SIGTERM);
	stop_signal(f->stop, SIGTERM);
	assert_false(stop_is_abandoned(f->stop));
	stop_signal(f->stop, SIGTERM);
	assert_true(stop_is_abandoned(f->stop));
	loop_run(f->loop);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(graces),  T(sigint_is_shorter), T(sigquit_is_now),
		T(reports), T(patience_ends),     T(third_signal),
		T(a_worker_that_does_not_stop_accepting),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
