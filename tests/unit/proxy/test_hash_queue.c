/* How much the helper is given at a time, whatever becomes of those who asked. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <semaphore.h>
#include "base/mem.h"
#include "proxy/hash_queue.h"

#define PLACES 30 /* of the helper's queue */
#define ASKED  20

struct world {
	struct loop *loop;
	struct mailbox *mail;
	struct offload *offload;
	struct hash_queue *queue; /* NULL: it is gone */
	struct scram_secret how;
	struct hash_op *op[ASKED]; /* NULL: done, or cancelled */
	unsigned answers;
	sem_t held, go, reached;
};

struct asker {
	struct world *w;
	unsigned i;
};

static struct asker askers[ASKED];

static int setup(void **state)
{
	struct world *w = mem_zalloc(sizeof(*w));
	struct err e;

	w->loop = loop_new(clock_system(), NULL, &e);
	w->mail = mailbox_new(w->loop, NULL, &e);
	w->offload = offload_new(PLACES, &e);
	assert_true(w->loop && w->mail && w->offload);
	w->how = (struct scram_secret){.salt_bytes = 16, .iterations = 1};
	w->queue = mem_alloc(sizeof(*w->queue));
	hash_queue_init(w->queue, w->loop, w->offload, w->mail);
	sem_init(&w->held, 0, 0);
	sem_init(&w->go, 0, 0);
	sem_init(&w->reached, 0, 0);
	*state = w;
	return 0;
}

static void end_queue(struct world *w)
{
	hash_queue_fini(w->queue);
	free(w->queue);
	w->queue = NULL;
	mailbox_close(w->mail);
}

static int teardown(void **state)
{
	struct world *w = *state;

	mailbox_unref(w->mail);
	offload_free(w->offload);
	loop_free(w->loop);
	sem_destroy(&w->held);
	sem_destroy(&w->go);
	sem_destroy(&w->reached);
	free(w);
	return 0;
}

static void wait_for(sem_t *s)
{
	while (sem_wait(s) != 0)
		;
}

/* ---- what else the helper does ---- */

static void nothing(void *data)
{
	(void)data;
}

static void hold_on(void *data)
{
	struct world *w = data;

	sem_post(&w->held);
	wait_for(&w->go);
}

static void reach(void *data)
{
	sem_post(&((struct world *)data)->reached);
}

static void give(struct world *w, void (*work)(void *data))
{
	assert_non_null(offload_start(w->offload, w->mail, work, nothing, nothing, w));
}

/* The helper works at this until `go`. */
static void hold(struct world *w)
{
	give(w, hold_on);
	wait_for(&w->held);
}

/* Everything it was given so far is done; nothing of it was delivered. */
static void catch_up(struct world *w)
{
	give(w, reach);
	wait_for(&w->reached);
}

/* What waits for the helper. It must be held, or busy for long. */
static unsigned given(struct world *w)
{
	struct offload_op *op[PLACES];
	unsigned n = 0;

	while (n < PLACES && (op[n] = offload_start(w->offload, w->mail, nothing, nothing, nothing, NULL)))
		n++;
	for (unsigned i = 0; i < n; i++)
		offload_cancel(op[i]);
	return PLACES - n;
}

/* ---- who asks ---- */

static void answered(void *arg, const struct scram_keys *keys)
{
	struct asker *a = arg;

	(void)keys;
	a->w->op[a->i] = NULL;
	a->w->answers++;
}

static void ask(struct world *w, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		askers[i] = (struct asker){w, i};
		w->op[i] = hash_queue_start(w->queue, slice_str("sesame"), &w->how, answered, &askers[i]);
	}
}

static void cancel(struct world *w, unsigned from, unsigned to)
{
	for (unsigned i = from; i < to; i++) {
		hash_queue_cancel(w->op[i]);
		w->op[i] = NULL;
	}
}

static void until_answers(struct world *w, unsigned n)
{
	while (w->answers < n)
		loop_turn(w->loop, CLOCK_US_PER_SEC);
}

/* ---- tests ---- */

static void few_at_a_time(void **state)
{
	struct world *w = *state;

	hold(w);
	ask(w, ASKED);
	assert_int_equal(given(w), HASH_QUEUE_RUNNING);
	assert_int_equal(w->queue->running, HASH_QUEUE_RUNNING);
	sem_post(&w->go);
	until_answers(w, ASKED);
	assert_int_equal(w->queue->running, 0);
	assert_int_equal(w->queue->started, ASKED);
	end_queue(w);
}

/* Who waits and goes makes no room; who goes before the helper has begun with him does. */
static void gone_before_it_began(void **state)
{
	struct world *w = *state;

	hold(w);
	ask(w, ASKED);
	cancel(w, ASKED - 2, ASKED);
	assert_int_equal(given(w), HASH_QUEUE_RUNNING);
	cancel(w, 0, 3);
	assert_int_equal(given(w), HASH_QUEUE_RUNNING);
	sem_post(&w->go);
	until_answers(w, ASKED - 5);
	assert_int_equal(w->queue->running, 0);
	end_queue(w);
}

/* Who logs in and vanishes keeps his places until the helper has given them back: otherwise he would get others for it
 * at once, as often as he likes. */
static void gone_when_it_is_done(void **state)
{
	struct world *w = *state;

	ask(w, ASKED);
	catch_up(w);
	hold(w);
	cancel(w, 0, HASH_QUEUE_RUNNING);
	assert_int_equal(given(w), 0);
	assert_int_equal(w->queue->running, HASH_QUEUE_RUNNING);
	loop_turn(w->loop, CLOCK_US_PER_SEC); /* now they come back */
	assert_int_equal(given(w), HASH_QUEUE_RUNNING);
	sem_post(&w->go);
	until_answers(w, ASKED - HASH_QUEUE_RUNNING);
	assert_int_equal(w->queue->running, 0);
	end_queue(w);
}

/* The queue goes while the helper is still at what nobody waits for: delivered in vain by the mailbox's end, */
static void queue_gone_before_delivery(void **state)
{
	struct world *w = *state;

	ask(w, 3);
	catch_up(w);
	cancel(w, 0, 3);
	end_queue(w);
}

/* or on the helper's own thread. */
static void queue_gone_before_the_end(void **state)
{
	struct world *w = *state;

	w->how.iterations = 300000;
	ask(w, 1);
	while (given(w) > 0) /* until the helper has taken it */
		;
	cancel(w, 0, 1);
	end_queue(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(few_at_a_time, setup, teardown),
		cmocka_unit_test_setup_teardown(gone_before_it_began, setup, teardown),
		cmocka_unit_test_setup_teardown(gone_when_it_is_done, setup, teardown),
		cmocka_unit_test_setup_teardown(queue_gone_before_delivery, setup, teardown),
		cmocka_unit_test_setup_teardown(queue_gone_before_the_end, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
