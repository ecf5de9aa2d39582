/* A name service that fails, or answers nobody, under load: sessions that stand do not notice, an old answer is better than
 * none, and who has to be refused is told which name and why. */
#include "sim.h"
#include <netinet/in.h>
#include <pthread.h>
#include <time.h>
#include "base/mem.h"

/* The name service: on the resolver's threads. */
static struct {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	enum { NAMES_WORK, NAMES_FAIL, NAMES_HANG } how;
	unsigned asked, hanging;
} names = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

static int lookup(const char *name, struct addr *out, size_t max, struct err *e)
{
	struct sockaddr_in *sin = (struct sockaddr_in *)&out->ss;
	bool works;

	(void)max;
	pthread_mutex_lock(&names.lock);
	names.asked++;
	names.hanging++;
	while (names.how == NAMES_HANG)
		pthread_cond_wait(&names.changed, &names.lock);
	names.hanging--;
	works = names.how == NAMES_WORK;
	pthread_mutex_unlock(&names.lock);
	if (!works)
		return err_set(e, ERR_RESOLVE, "cannot resolve host name \"%s\": Temporary failure in name resolution",
			       name);
	*out = (struct addr){.len = sizeof(*sin)};
	sin->sin_family = AF_INET;
	sin->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	return 1;
}

static void names_are(int how)
{
	pthread_mutex_lock(&names.lock);
	names.how = how;
	pthread_cond_broadcast(&names.changed);
	pthread_mutex_unlock(&names.lock);
}

static unsigned hanging(void)
{
	unsigned n;

	pthread_mutex_lock(&names.lock);
	n = names.hanging;
	pthread_mutex_unlock(&names.lock);
	return n;
}

#define STALE_US (300 * SEC)

static struct sim *begin(void)
{
	const struct resolver_opts ro = {.threads = 2,
					 .max_pending = 4,
					 .ttl_us = 15 * SEC,
					 .neg_ttl_us = 1 * SEC,
					 .stale_us = STALE_US,
					 .lookup = lookup};
	struct sim *s = sim_new();
	struct err e;

	names_are(NAMES_WORK);
	resolver_free(s->resolver);
	s->resolver = resolver_new(&ro, &s->clock.clock, &e);
	assert_non_null(s->resolver);
	free(s->target.host);
	s->target.host = mem_strdup("db.test");
	s->target.port = fakepg_tcp(&s->pg);
	sim_start(s);
	return s;
}

/* Waits until it has been told something, in both times: that of the simulator, and that of the resolver's threads. */
static void until_told(struct sim_client *c)
{
	for (int i = 0; i < 100 && c->said_n == 0; i++) {
		sim_pass(c->sim, 100 * MS);
		loop_turn(c->sim->loop, 500);
		sim_settle(c->sim);
	}
}

/* A client whose query has been answered. */
static struct sim_client *served(struct sim *s)
{
	struct sim_client *c = sim_login(s, "joe", NULL);

	until_told(c);
	c->said_n = 0;
	sim_query(c, "SELECT 1");
	until_told(c);
	sim_expect(c, "CZ");
	return c;
}

static void refused(struct sim *s, const char *text)
{
	struct sim_client *c = sim_login(s, "joe", NULL);

	sim_until(s, sim_closed(c));
	sim_expect_fatal(c, "08001", text);
}

static const struct err *why;
static struct err why_copy;

static void keep(void *arg, const struct target *t, const struct health *h)
{
	struct sim *s = arg;

	(void)t;
	why = health_why(h, s->clock.now_us);
	if (why)
		why_copy = *why;
}

static enum err_code health(struct sim *s)
{
	proxy_health(s->proxy, keep, s);
	return why ? why_copy.code : ERR_NONE;
}

static void failing_under_load(void **state)
{
	struct sim *s = begin();
	struct sim_client *first = served(s), *second;

	(void)state;
	names_are(NAMES_FAIL);
	sim_pass(s, 20 * SEC); /* the answer is not fresh any more */
	second = served(s);    /* but good enough */
	sim_assert_servers(s, 0, 2);
	assert_int_equal(health(s), ERR_NONE);
	for (int i = 0; i < 10; i++) {
		sim_pass(s, STALE_US / 10 + SEC);
		sim_works(first);
		sim_works(second);
	}
	sim_say(second, "X"); /* and its server stays, idle */
	sim_settle(s);
	served(s);
	/* Now somebody needs a new connection. Who only logs in is welcomed: there are servers. */
	struct sim_client *third = sim_client(s);
	sim_query(third, "SELECT 1");
	sim_until(s, health(s) == ERR_RESOLVE);
	sim_works(first); /* nobody else has noticed */
	assert_non_null(strstr(why_copy.msg, "\"db.test\": Temporary failure"));
	assert_int_equal(third->said_n, 0);
	/* It had been promised query_wait_timeout, and waits for less than that. */
	names_are(NAMES_WORK);
	until_told(third);
	sim_expect(third, "CZ");
	assert_int_equal(health(s), ERR_NONE);
	sim_free(s);
}

/* From the start: nothing is known, and everybody is told. Then it goes on by itself. */
static void failing_from_the_start(void **state)
{
	struct sim *s = begin();

	(void)state;
	names_are(NAMES_FAIL);
	for (int i = 0; i < 20; i++)
		refused(s, "cannot resolve host name \"db.test\": Temporary failure in name resolution");
	assert_int_equal(health(s), ERR_RESOLVE);
	names_are(NAMES_WORK);
	sim_pass(s, 5 * SEC);
	served(s);
	assert_int_equal(health(s), ERR_NONE);
	sim_free(s);
}

/* No answer at all, with as many lookups at a time as there are threads: who has a session works on, who wants one is
 * told after server_connect_timeout, and the end does not wait for the name service. */
static void silent_under_load(void **state)
{
	struct sim *s = begin();
	struct sim_client *first = served(s), *crowd[12];
	struct timespec begun, ended;

	(void)state;
	names_are(NAMES_HANG);
	sim_pass(s, 20 * SEC);
	served(s); /* with the old answer */
	sim_pass(s, STALE_US);
	for (size_t i = 0; i < 12; i++) {
		crowd[i] = sim_client(s); /* there are servers: it is welcomed */
		sim_query(crowd[i], "SELECT 1");
	}
	sim_settle(s);
	sim_works(first);
	assert_true(hanging() > 0 && hanging() <= 2);
	sim_pass(s, 16 * SEC);
	assert_int_equal(health(s), ERR_RESOLVE);
	assert_non_null(strstr(why_copy.msg, "no answer within 15.0 s"));
	sim_works(first);
	sim_pass(s, 120 * SEC);
	for (size_t i = 0; i < 12; i++)
		sim_expect_fatal(crowd[i], "08006", "query_wait_timeout");
	sim_works(first);
	/* The end: the threads are left behind. */
	clock_gettime(CLOCK_MONOTONIC, &begun);
	sim_free(s);
	clock_gettime(CLOCK_MONOTONIC, &ended);
	assert_true(ended.tv_sec - begun.tv_sec <= 3);
	names_are(NAMES_WORK);
	while (hanging() > 0)
		nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(failing_under_load),
		cmocka_unit_test(failing_from_the_start),
		cmocka_unit_test(silent_under_load),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
