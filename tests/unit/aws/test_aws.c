/* Credentials for a command without a loop, and questions to the desk from a second thread. */
#include "fake.h"
#include <pthread.h>
#include "aws/aws.h"
#include "aws/desk.h"

static const char *const no_env[] = {"AWS_EC2_METADATA_DISABLED=true", NULL};

static void once(void **state)
{
	const char *env[] = {"AWS_ACCESS_KEY_ID=AKIAX", "AWS_SECRET_ACCESS_KEY=s", NULL};
	int64_t skew_us;
	struct err e;
	struct credentials *c = aws_credentials_once(&(struct aws_whose){.env = env}, &skew_us, &e);

	(void)state;
	assert_non_null(c);
	credentials_unref(c);
	assert_null(aws_credentials_once(&(struct aws_whose){.env = no_env}, &skew_us, &e));
	assert_int_equal(e.code, ERR_CREDENTIALS);
	assert_non_null(strstr(e.detail, "AWS_ACCESS_KEY_ID"));
}

struct threaded {
	struct loop *loop;
	struct mailbox *mail;
};

static void *run_control(void *arg)
{
	loop_run(((struct threaded *)arg)->loop);
	return NULL;
}

struct stop_mail {
	struct mail mail;
	struct loop *loop;
};

static void stop_deliver(struct mail *m, void *receiver)
{
	(void)receiver;
	loop_stop(((struct stop_mail *)m)->loop);
	free(m);
}

static void stop_drop(struct mail *m)
{
	free(m);
}

static void count(void *arg, void *c, const struct err *e)
{
	assert_non_null(c);
	assert_null(e);
	++*(unsigned *)arg;
}

/* A thousand questions from a second thread, every third taken back: for ThreadSanitizer and the leak
 * checker. */
static void two_threads(void **state)
{
	const char *env[] = {"AWS_ACCESS_KEY_ID=AKIAX", "AWS_SECRET_ACCESS_KEY=s", NULL};
	struct threaded t = {.loop = loop_new(clock_system(), NULL, NULL)};
	struct loop *worker = loop_new(clock_system(), NULL, NULL);
	struct mailbox *worker_mail = mailbox_new(worker, NULL, NULL);
	struct stop_mail *stop = mem_zalloc(sizeof(*stop));
	struct provider *p = provider_env_new(&(struct provider_deps){.loop = t.loop, .env = env});
	struct cache *cache = cache_new(t.loop, p, NULL);
	struct desk *desk;
	unsigned answers = 0, kept = 0;
	pthread_t thread;

	(void)state;
	t.mail = mailbox_new(t.loop, NULL, NULL);
	desk = desk_new(cache, t.mail);
	assert_int_equal(pthread_create(&thread, NULL, run_control, &t), 0);
	for (int i = 0; i < 1000; i++) {
		struct desk_op *op = desk_ask(desk, worker_mail, NULL, count, &answers);

		if (i % 3 == 0)
			desk_cancel(op);
		else
			kept++;
		loop_turn(worker, 0);
	}
	while (answers < kept)
		loop_turn(worker, 100000);
	assert_int_equal(answers, kept);
	stop->loop = t.loop;
	stop->mail.deliver = stop_deliver;
	stop->mail.drop = stop_drop;
	mailbox_post(t.mail, &stop->mail);
	pthread_join(thread, NULL);
	desk_close(desk);
	cache_free(cache);
	mailbox_close(t.mail);
	mailbox_close(worker_mail);
	mailbox_unref(t.mail);
	mailbox_unref(worker_mail);
	loop_free(t.loop);
	loop_free(worker);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(once), cmocka_unit_test(two_threads)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
