/* A user and password that a store keeps for logins, with all that is around it: credentials come when the test says so, AWS
 * answers when it says so, a worker's source asks. Worker and control loop turn in one thread. */
#ifndef TESTS_UNIT_AWS_KEPT_KIT_H
#define TESTS_UNIT_AWS_KEPT_KIT_H

#include "fake_http.h"
#include "two.h"
#include "aws/cache.h"
#include "aws/secret_store.h"
#include "aws/skew.h"
#include "aws/source_secret.h"

struct kept {
	struct two two;
	struct fake_provider provider;
	struct fake_http http;
	struct skew skew;
	struct provider_deps deps;
	struct cache *cache;
	struct secret_store *store;
	struct desk *desk; /* NULL: closed, and the two above are gone */
	struct secret_source *source;
	/* the answer */
	unsigned times;
	char password[64], user[64];
	uint64_t no;
	struct err e;
};

/* With the reader that new_reader makes of its deps. */
static inline struct kept *kept_new(const char *name, struct secret_reader *(*new_reader)(const struct provider_deps *d))
{
	static const char *const env[] = {NULL};
	struct kept *k = mem_zalloc(sizeof(*k));

	k->two.clock = fake_clock_make();
	two_start(&k->two, NULL);
	fake_provider_init(&k->provider);
	fake_http_init(&k->http);
	skew_init(&k->skew);
	k->deps = (struct provider_deps){.loop = k->two.control, .env = env, .http = &k->http.base, .skew = &k->skew};
	k->cache = cache_new(k->two.control, &k->provider.base, &k->skew);
	k->store = secret_store_new(&(struct secret_store_opts){
		.deps = &k->deps, .cache = k->cache, .reader = new_reader(&k->deps), .name = name});
	k->desk = secret_store_desk(k->store, k->two.control_mail);
	k->source = source_secret_new(&(struct source_secret_opts){
		.source = {.desk = k->desk, .worker = k->two.worker, .worker_mail = k->two.worker_mail},
		.from = name,
		.hint = "Look."});
	return k;
}

/* The control thread's side; idempotent. */
static inline void kept_close(struct kept *k)
{
	if (!k->desk)
		return;
	desk_close(k->desk);
	secret_store_free(k->store);
	cache_free(k->cache);
	k->desk = NULL;
}

static inline int kept_teardown(void **state)
{
	struct kept *k = *state;

	k->source->ops->free(k->source);
	kept_close(k);
	assert_int_equal(fake_http_pending(&k->http), 0);
	two_end(&k->two);
	free(k);
	return 0;
}

static inline void kept_take(void *arg, const struct secret_answer *a, const struct err *e)
{
	struct kept *k = arg;

	assert_int_equal(a == NULL, e != NULL);
	k->times++;
	k->password[0] = '\0';
	if (a) {
		snprintf(k->password, sizeof(k->password), "%.*s", SLICE_FMT(a->secret));
		snprintf(k->user, sizeof(k->user), "%s", a->user);
		k->no = a->no;
	} else {
		k->e = *e;
	}
}

/* A login asks; nothing has turned since. */
static inline struct secret_op *kept_start(struct kept *k)
{
	static const struct secret_request rq = {"db.example", 5432, "joe"};
	unsigned times = k->times;
	struct secret_op *op = k->source->ops->start(k->source, &rq, kept_take, k);

	assert_int_equal(k->times, times);
	return op;
}

/* A login is given this password, at once. */
static inline void kept_gives(struct kept *k, const char *password)
{
	unsigned times = k->times;

	kept_start(k);
	two_settle(&k->two);
	assert_int_equal(k->times, times + 1);
	assert_string_equal(k->password, password);
}

static inline struct secret_store_stats kept_stats(struct kept *k)
{
	struct secret_store_stats st;

	secret_store_collect(k->store, &st);
	return st;
}

/* A server turns down the password of this number: is it worth asking again? */
static inline bool kept_refused_no(struct kept *k, uint64_t no)
{
	bool again = k->source->ops->refused(k->source, no);

	two_settle(&k->two);
	return again;
}

/* The same of what was given last. */
static inline bool kept_refused(struct kept *k)
{
	return kept_refused_no(k, k->no);
}

#endif
