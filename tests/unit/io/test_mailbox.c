/* io/mailbox and io/offload: several threads; meant for TSan too. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>
#include <cmocka.h>
#include "base/mem.h"
#include "io/mailbox.h"
#include "io/offload.h"

#define SENDERS 4
#define LETTERS 5000

struct receiver {
	struct loop *l;
	struct mailbox *mb;
	unsigned got, next[SENDERS];
	unsigned close_at; /* closes the mailbox at this many; 0: never */
};

struct letter {
	struct mail mail; /* first */
	unsigned sender, number;
	atomic_uint *dropped;
};

static void letter_deliver(struct mail *m, void *receiver)
{
	struct letter *t = (struct letter *)m;
	struct receiver *r = receiver;

	assert_int_equal(t->number, r->next[t->sender]); /* in the sender's order */
	r->next[t->sender]++;
	r->got++;
	free(t);
	if (r->close_at == r->got) {
		mailbox_close(r->mb);
		mailbox_unref(r->mb);
		r->mb = NULL;
	}
}

static void letter_drop(struct mail *m)
{
	struct letter *t = (struct letter *)m;

	atomic_fetch_add(t->dropped, 1);
	free(t);
}

static bool post(struct mailbox *mb, unsigned sender, unsigned number, atomic_uint *dropped)
{
	struct letter *t = mem_alloc(sizeof(*t));

	*t = (struct letter){
		.mail = {.deliver = letter_deliver, .drop = letter_drop},
		.sender = sender,
		.number = number,
		.dropped = dropped
        };
	return mailbox_post(mb, &t->mail);
}

struct sender {
	pthread_t thread;
	struct mailbox *mb; /* a reference */
	unsigned index;
	atomic_uint *dropped;
};

static void *send_all(void *arg)
{
	struct sender *s = arg;

	for (unsigned i = 0; i < LETTERS; i++) {
		post(s->mb, s->index, i, s->dropped);
		if (i % 1000 == 0)
			usleep(1000); /* let the receiver run dry now and then */
	}
	mailbox_unref(s->mb);
	return NULL;
}

static void start_senders(struct sender *s, struct receiver *r, atomic_uint *dropped)
{
	for (unsigned i = 0; i < SENDERS; i++) {
		s[i] = (struct sender){.mb = mailbox_ref(r->mb), .index = i, .dropped = dropped};
		assert_int_equal(pthread_create(&s[i].thread, NULL, send_all, &s[i]), 0);
	}
}

static void receiver_init(struct receiver *r)
{
	*r = (struct receiver){.l = loop_new(clock_system(), NULL, NULL)};
	r->mb = mailbox_new(r->l, r, NULL);
	assert_non_null(r->mb);
}

static void from_several_threads(void **state)
{
	struct receiver r;
	struct sender s[SENDERS];
	atomic_uint dropped = 0;

	(void)state;
	receiver_init(&r);
	start_senders(s, &r, &dropped);
	while (r.got < SENDERS * LETTERS)
		loop_turn(r.l, 10000000);
	for (unsigned i = 0; i < SENDERS; i++)
		pthread_join(s[i].thread, NULL);
	assert_int_equal(r.got, SENDERS * LETTERS);
	assert_int_equal(dropped, 0);
	mailbox_close(r.mb);
	mailbox_close(r.mb);
	mailbox_unref(r.mb);
	mailbox_unref(NULL);
	loop_free(r.l);
}

static void closed_in_the_middle(void **state)
{
	struct receiver r;
	struct sender s[SENDERS];
	atomic_uint dropped = 0;

	(void)state;
	receiver_init(&r);
	r.close_at = LETTERS;
	start_senders(s, &r, &dropped);
	while (r.mb)
		loop_turn(r.l, 10000000);
	loop_free(r.l); /* the senders may still be sending */
	for (unsigned i = 0; i < SENDERS; i++)
		pthread_join(s[i].thread, NULL);
	/* each letter exactly once: delivered or dropped */
	assert_int_equal(r.got, LETTERS);
	assert_int_equal(r.got + dropped, SENDERS * LETTERS);
}

static void one_burst_one_wake_up(void **state)
{
	struct receiver r;
	atomic_uint dropped = 0;

	(void)state;
	receiver_init(&r);
	for (unsigned i = 0; i < 100; i++)
		assert_true(post(r.mb, 0, i, &dropped));
	assert_int_equal(r.got, 0); /* never inside post */
	loop_turn(r.l, 10000000);
	assert_int_equal(r.got, 100);
	loop_turn(r.l, 0);
	/* what waits when it is closed is dropped, and so is what comes then */
	post(r.mb, 0, 100, &dropped);
	mailbox_close(r.mb);
	assert_int_equal(dropped, 1);
	assert_false(post(r.mb, 0, 101, &dropped));
	assert_int_equal(dropped, 2);
	mailbox_unref(r.mb);
	loop_free(r.l);
}

static void no_descriptor_left(void **state)
{
	struct loop *l = loop_new(clock_system(), NULL, NULL);
	struct rlimit before, none;
	struct mailbox *mb;
	struct err e;

	(void)state;
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	none = before;
	none.rlim_cur = 0;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	mb = mailbox_new(l, NULL, &e);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	assert_null(mb);
	assert_int_equal(e.code, ERR_IO);
	assert_non_null(strstr(e.msg, "Too many open files"));
	loop_free(l);
}

/* ---- offload ---- */

struct job {
	atomic_uint *may_run; /* waits until it is 1; NULL: at once */
	pthread_t worker;
	unsigned worked, done, dropped;
	struct loop *stop;
};

static void job_work(void *data)
{
	struct job *j = data;

	while (j->may_run && !atomic_load(j->may_run))
		usleep(1000);
	j->worked++;
	j->worker = pthread_self();
}

static void job_done(void *data)
{
	struct job *j = data;

	j->done++;
}

static void job_drop(void *data)
{
	struct job *j = data;

	j->dropped++;
}

static void works_elsewhere(void **state)
{
	struct receiver r;
	struct offload *o = offload_new(10, NULL);
	struct job j[10] = {{0}};

	(void)state;
	receiver_init(&r);
	assert_non_null(o);
	for (int i = 0; i < 10; i++)
		assert_non_null(offload_start(o, r.mb, job_work, job_done, job_drop, &j[i]));
	for (int i = 0; i < 10; i++)
		assert_int_equal(j[i].done, 0); /* never inside start */
	while (j[9].done == 0)
		loop_turn(r.l, 10000000);
	for (int i = 0; i < 10; i++) {
		assert_int_equal(j[i].worked, 1);
		assert_int_equal(j[i].done, 1);
		assert_int_equal(j[i].dropped, 0);
		assert_false(pthread_equal(j[i].worker, pthread_self()));
	}
	offload_free(o);
	offload_free(NULL);
	mailbox_close(r.mb);
	mailbox_unref(r.mb);
	loop_free(r.l);
}

static void cancels_queued_and_running(void **state)
{
	struct receiver r;
	struct offload *o = offload_new(2, NULL);
	atomic_uint go = 0;
	struct job running = {.may_run = &go}, queued = {.may_run = &go}, kept = {.may_run = &go}, over = {0};
	struct offload_op *op_running, *op_queued;

	(void)state;
	receiver_init(&r);
	op_running = offload_start(o, r.mb, job_work, job_done, job_drop, &running);
	assert_non_null(op_running);
	/* until the helper took it from the queue there is room for one more only */
	do {
		usleep(1000);
		op_queued = offload_start(o, r.mb, job_work, job_done, job_drop, &queued);
		assert_non_null(op_queued);
		if (offload_start(o, r.mb, job_work, job_done, job_drop, &kept))
			break;
		offload_cancel(op_queued);
		queued.dropped = 0;
	} while (1);
	assert_null(offload_start(o, r.mb, job_work, job_done, job_drop, &over)); /* the queue is full */
	offload_cancel(op_queued); /* not begun: dropped at once */
	assert_int_equal(queued.dropped, 1);
	offload_cancel(op_running); /* the helper is at it: dropped when it is through */
	assert_int_equal(running.dropped, 0);
	atomic_store(&go, 1);
	while (kept.done == 0)
		loop_turn(r.l, 10000000);
	assert_int_equal(running.worked, 1);
	assert_int_equal(running.dropped, 1);
	assert_int_equal(running.done, 0);
	assert_int_equal(queued.worked, 0);
	assert_int_equal(queued.done, 0);
	assert_int_equal(over.worked, 0);
	offload_free(o);
	mailbox_close(r.mb);
	mailbox_unref(r.mb);
	loop_free(r.l);
}

static void the_mailbox_may_close_first(void **state)
{
	struct receiver r;
	struct offload *o = offload_new(2, NULL);
	atomic_uint go = 0;
	struct job j = {.may_run = &go};
	struct offload_op *op;

	(void)state;
	receiver_init(&r);
	op = offload_start(o, r.mb, job_work, job_done, job_drop, &j);
	usleep(20000); /* most likely running now; right either way */
	offload_cancel(op);
	mailbox_close(r.mb);
	mailbox_unref(r.mb);
	loop_free(r.l);
	atomic_store(&go, 1);
	offload_free(o);
	assert_int_equal(j.dropped, 1);
	assert_int_equal(j.done, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(from_several_threads),       cmocka_unit_test(closed_in_the_middle),
		cmocka_unit_test(one_burst_one_wake_up),      cmocka_unit_test(works_elsewhere),
		cmocka_unit_test(cancels_queued_and_running), cmocka_unit_test(the_mailbox_may_close_first),
		cmocka_unit_test(no_descriptor_left),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
