#include "config.h"
#include "kit.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "io/resolver.h"

/* ---- the lookup under the test's control ---- */

static struct {
	atomic_uint calls;
	atomic_uint running, most_running;
	atomic_bool hold; /* lookups wait as long as it is set */
	atomic_bool fail;
	atomic_uint last_byte; /* of 10.0.0.x */
} dns;

static int fake_lookup(const char *name, struct addr *out, size_t max, struct err *e)
{
	unsigned now = atomic_fetch_add(&dns.running, 1) + 1, most = atomic_load(&dns.most_running);
	char ip[32];

	while (now > most && !atomic_compare_exchange_weak(&dns.most_running, &most, now))
		;
	atomic_fetch_add(&dns.calls, 1);
	while (atomic_load(&dns.hold))
		usleep(1000);
	atomic_fetch_sub(&dns.running, 1);
	if (strcmp(name, "empty") == 0)
		return 0;
	if (atomic_load(&dns.fail) || strncmp(name, "no-", 3) == 0)
		return err_set(e, ERR_RESOLVE, "no such name as %s", name);
	assert_true(max == RESOLVER_MAX_ADDRS);
	snprintf(ip, sizeof(ip), "10.0.0.%u", atomic_load(&dns.last_byte));
	addr_parse(&out[0], ip, 0);
	addr_parse(&out[1], "::2", 0);
	return 2;
}

/* ---- a clock that stands still ---- */

struct still {
	struct clock clock;
	_Atomic uint64_t us;
};

static uint64_t still_mono(const struct clock *c)
{
	return ((const struct still *)(const void *)c)->us;
}

static int64_t still_wall(const struct clock *c)
{
	(void)c;
	return 0;
}

struct fixture {
	struct loop *l;
	struct mailbox *mb;
	struct still still;
	struct resolver *r;
};

#define SEC CLOCK_US_PER_SEC

static struct fixture *begin(unsigned threads, unsigned max_pending, uint64_t stale_us)
{
	struct fixture *f = calloc(1, sizeof(*f));
	struct resolver_opts o = {
		.threads = threads,
		.max_pending = max_pending,
		.ttl_us = 15 * SEC,
		.neg_ttl_us = 5 * SEC,
		.stale_us = stale_us,
		.lookup = fake_lookup,
	};
	struct err e;

	dns.calls = dns.running = dns.most_running = 0;
	dns.hold = dns.fail = false;
	dns.last_byte = 1;
	f->still.clock = (struct clock){still_mono, still_wall};
	f->still.us = 1000 * SEC;
	f->l = kit_loop();
	f->mb = mailbox_new(f->l, NULL, &e);
	assert_non_null(f->mb);
	f->r = resolver_new(&o, &f->still.clock, &e);
	assert_non_null(f->r);
	return f;
}

static void end(struct fixture *f)
{
	resolver_free(f->r);
	if (f->mb) {
		mailbox_close(f->mb);
		mailbox_unref(f->mb);
	}
	loop_free(f->l);
	free(f);
}

struct ask {
	struct resolve_op *op;
	unsigned calls;
	char text[ADDR_TEXT]; /* of the first address */
	size_t count;
	bool stale;
	struct err err;
};

static void on_resolved(void *arg, const struct resolve_result *r, const struct err *e)
{
	struct ask *a = arg;

	a->op = NULL;
	a->calls++;
	assert_true(!r != !e);
	a->err = e ? *e : (struct err){0};
	a->count = r ? r->count : 0;
	a->stale = r && r->stale;
	if (r)
		addr_host_text(&r->addrs[0], a->text);
}

static void start(struct fixture *f, struct ask *a, const char *name)
{
	*a = (struct ask){0};
	a->op = resolve_start(f->r, f->l, f->mb, name, on_resolved, a);
	assert_non_null(a->op);
	assert_int_equal(a->calls, 0); /* never inside start */
}

static struct ask ask(struct fixture *f, const char *name)
{
	struct ask a;

	start(f, &a, name);
	kit_until(f->l, !a.op);
	assert_int_equal(a.calls, 1);
	return a;
}

/* ---- tests ---- */

static void literals_need_no_thread(void **state)
{
	struct fixture *f = begin(1, 1, 0);
	struct ask a;

	(void)state;
	dns.hold = true;
	a = ask(f, "127.0.0.1");
	assert_string_equal(a.text, "127.0.0.1");
	assert_int_equal(a.count, 1);
	a = ask(f, "::1");
	assert_string_equal(a.text, "::1");
	assert_int_equal(dns.calls, 0);
	dns.hold = false;
	end(f);
}

static void answers_are_cached(void **state)
{
	struct fixture *f = begin(2, 10, 0);
	struct ask a = ask(f, "db");

	(void)state;
	assert_int_equal(a.count, 2);
	assert_string_equal(a.text, "10.0.0.1");
	assert_false(a.stale);
	dns.last_byte = 2;
	f->still.us += 15 * SEC - 1;
	a = ask(f, "db");
	assert_string_equal(a.text, "10.0.0.1");
	assert_int_equal(dns.calls, 1);
	f->still.us += 1;
	a = ask(f, "db");
	assert_string_equal(a.text, "10.0.0.2");
	assert_false(a.stale);
	assert_int_equal(dns.calls, 2);
	ask(f, "other");
	assert_int_equal(dns.calls, 3);
	end(f);
}

static void failures_are_cached_for_less(void **state)
{
	struct fixture *f = begin(1, 10, 0);
	struct ask a = ask(f, "no-db");

	(void)state;
	assert_int_equal(a.err.code, ERR_RESOLVE);
	assert_string_equal(a.err.msg, "no such name as no-db");
	a = ask(f, "no-db");
	assert_int_equal(a.err.code, ERR_RESOLVE);
	assert_int_equal(dns.calls, 1);
	f->still.us += 5 * SEC;
	ask(f, "no-db");
	assert_int_equal(dns.calls, 2);
	a = ask(f, "empty");
	assert_int_equal(a.err.code, ERR_RESOLVE);
	end(f);
}

static void stale_is_better_than_none(void **state)
{
	struct fixture *f = begin(1, 10, 60 * SEC);
	struct ask a = ask(f, "db");

	(void)state;
	dns.fail = true;
	f->still.us += 20 * SEC;
	a = ask(f, "db");
	assert_true(a.stale);
	assert_string_equal(a.text, "10.0.0.1");
	assert_int_equal(dns.calls, 2);
	a = ask(f, "db"); /* the failure is remembered, the old answer stands in */
	assert_true(a.stale);
	assert_int_equal(dns.calls, 2);
	f->still.us += 5 * SEC;
	dns.fail = false;
	dns.last_byte = 7;
	a = ask(f, "db");
	assert_false(a.stale);
	assert_string_equal(a.text, "10.0.0.7");
	dns.fail = true;
	f->still.us += 75 * SEC; /* too old even for that */
	a = ask(f, "db");
	assert_int_equal(a.err.code, ERR_RESOLVE);
	end(f);
}

/* A lookup that hangs is as good as failed, if there is an old answer. */
static void stale_while_it_hangs(void **state)
{
	struct fixture *f = begin(1, 10, 60 * SEC);
	struct ask a = ask(f, "db"), b;
	uint64_t before = kit_now_us();

	(void)state;
	f->still.us += 20 * SEC;
	dns.hold = true;
	start(f, &a, "db");
	start(f, &b, "new"); /* has none */
	kit_until(f->l, !a.op);
	assert_true(a.stale);
	assert_string_equal(a.text, "10.0.0.1");
	assert_true(kit_now_us() - before >= 1900000);
	assert_int_equal(b.calls, 0);
	dns.hold = false;
	kit_until(f->l, !b.op);
	kit_for(f->l, 20000);
	assert_int_equal(a.calls, 1);
	end(f);
}

static void one_lookup_a_name(void **state)
{
	struct fixture *f = begin(4, 10, 0);
	struct ask a[20];

	(void)state;
	dns.hold = true;
	for (int i = 0; i < 20; i++)
		start(f, &a[i], "db");
	kit_until(f->l, dns.calls);
	kit_for(f->l, 20000);
	dns.hold = false;
	for (int i = 0; i < 20; i++)
		kit_until(f->l, !a[i].op);
	assert_int_equal(dns.calls, 1);
	for (int i = 0; i < 20; i++)
		assert_string_equal(a[i].text, "10.0.0.1");
	end(f);
}

static void bounded(void **state)
{
	struct fixture *f = begin(2, 3, 0);
	struct ask a[8];
	char name[16];
	int refused = 0;

	(void)state;
	dns.hold = true;
	for (int i = 0; i < 8; i++) {
		snprintf(name, sizeof(name), "db%d", i);
		start(f, &a[i], name);
		if (i < 2)
			kit_until(f->l, dns.running == (unsigned)i + 1);
	}
	kit_for(f->l, 20000);
	for (int i = 0; i < 8; i++)
		if (!a[i].op) {
			refused++;
			assert_int_equal(a[i].err.code, ERR_RESOLVE);
			assert_non_null(strstr(a[i].err.msg, "too many"));
		}
	assert_int_equal(refused, 3); /* two run, three wait */
	dns.hold = false;
	for (int i = 0; i < 8; i++)
		kit_until(f->l, !a[i].op);
	assert_int_equal(dns.most_running, 2);
	end(f);
}

/* The cache forgets the names not asked for longest. */
static void the_cache_is_bounded(void **state)
{
	struct fixture *f = begin(1, 10, 0);
	char name[16];

	(void)state;
	for (int i = 0; i < 1100; i++) {
		snprintf(name, sizeof(name), "db%d", i);
		ask(f, name);
		ask(f, "often");
	}
	assert_int_equal(dns.calls, 1101);
	ask(f, "db1099");
	ask(f, "often");
	assert_int_equal(dns.calls, 1101);
	ask(f, "db0");
	assert_int_equal(dns.calls, 1102);
	end(f);
}

/* ---- ends in every order ---- */

static void cancel(struct ask *a)
{
	resolve_cancel(a->op);
	a->op = NULL;
}

static void cancel_in_any_phase(void **state)
{
	struct fixture *f = begin(1, 100, 0);
	struct ask a, b, c, d;

	(void)state;
	resolve_cancel(NULL);
	start(f, &a, "127.0.0.1"); /* deferred */
	cancel(&a);
	dns.hold = true;
	start(f, &b, "running");
	kit_until(f->l, dns.running);
	start(f, &c, "queued");
	start(f, &d, "running"); /* a second one waits for the same */
	cancel(&b);
	cancel(&c);
	dns.hold = false;
	kit_until(f->l, !d.op);
	ask(f, "later");
	assert_int_equal(a.calls + b.calls + c.calls, 0);
	/* posted but not delivered: the thread is done, the loop has not turned */
	start(f, &a, "posted");
	while (dns.calls < 4 || dns.running)
		usleep(1000);
	usleep(20000);
	cancel(&a);
	kit_for(f->l, 20000);
	assert_int_equal(a.calls, 0);
	end(f);
}

static void free_answers_who_waits(void **state)
{
	struct fixture *f = begin(1, 10, 0);
	struct ask a, b;
	uint64_t before;

	(void)state;
	dns.hold = true;
	start(f, &a, "stuck");
	kit_until(f->l, dns.running);
	start(f, &b, "queued");
	before = kit_now_us();
	resolver_free(f->r); /* leaves the thread behind */
	assert_true(kit_now_us() - before < 3 * SEC);
	kit_until(f->l, !a.op && !b.op);
	assert_non_null(strstr(a.err.msg, "shutting down"));
	assert_int_equal(b.err.code, ERR_RESOLVE);
	dns.hold = false;
	while (dns.running)
		usleep(1000);
	usleep(50000);
	f->r = NULL;
	end(f);
}

static void mailbox_closes_first(void **state)
{
	struct fixture *f = begin(1, 10, 0);
	struct ask a, b;

	(void)state;
	/* the answer lies in the mailbox when it closes; the owner cancels later */
	start(f, &a, "posted");
	while (!dns.calls || dns.running)
		usleep(1000);
	usleep(20000);
	/* and one whose answer finds it closed */
	dns.hold = true;
	start(f, &b, "late");
	mailbox_close(f->mb);
	dns.hold = false;
	resolver_free(f->r);
	f->r = NULL;
	cancel(&a);
	cancel(&b);
	assert_int_equal(a.calls + b.calls, 0);
	mailbox_unref(f->mb);
	f->mb = NULL;
	end(f);
}

static void callbacks_may_start_and_cancel(void *arg, const struct resolve_result *r, const struct err *e)
{
	struct ask *a = arg;

	(void)r;
	(void)e;
	a[0].op = NULL;
	a[0].calls++;
	cancel(&a[1]);
}

static void cancel_another_inside_the_callback(void **state)
{
	struct fixture *f = begin(1, 10, 0);
	struct ask a[2] = {0};

	(void)state;
	dns.hold = true;
	a[0].op = resolve_start(f->r, f->l, f->mb, "db", callbacks_may_start_and_cancel, a);
	a[1].op = resolve_start(f->r, f->l, f->mb, "db", on_resolved, &a[1]);
	dns.hold = false;
	kit_until(f->l, a[0].calls);
	kit_for(f->l, 20000);
	assert_int_equal(a[1].calls, 0);
	end(f);
}

/* ---- several loops and threads at once: for TSan ---- */

struct storm {
	struct resolver *r;
	unsigned seed;
	unsigned answers;
};

static unsigned dice(struct storm *s)
{
	s->seed = s->seed * 1103515245 + 12345;
	return s->seed >> 16;
}

static void on_storm(void *arg, const struct resolve_result *r, const struct err *e)
{
	struct resolve_op **op = arg;

	(void)r;
	(void)e;
	*op = NULL;
}

static void *storm_thread(void *arg)
{
	struct storm *s = arg;
	struct loop *l = kit_loop();
	struct mailbox *mb = mailbox_new(l, NULL, NULL);
	struct resolve_op *op[8] = {0};
	char name[16];

	for (int round = 0; round < 300; round++) {
		unsigned i = dice(s) % 8;

		if (op[i] && dice(s) % 2) {
			resolve_cancel(op[i]);
			op[i] = NULL;
		} else if (!op[i]) {
			snprintf(name, sizeof(name), "%s%u", dice(s) % 4 ? "db" : "no-", dice(s) % 50);
			op[i] = resolve_start(s->r, l, mb, name, on_storm, &op[i]);
		}
		loop_turn(l, dice(s) % 3 ? 0 : 500);
	}
	for (int i = 0; i < 8; i++) {
		if (i % 2)
			resolve_cancel(op[i]);
		else
			kit_until(l, !op[i]);
	}
	mailbox_close(mb);
	mailbox_unref(mb);
	loop_free(l);
	return NULL;
}

static void storm(void **state)
{
	struct fixture *f = begin(3, 20, SEC);
	struct storm s[4];
	pthread_t t[4];

	(void)state;
	for (unsigned i = 0; i < 4; i++) {
		s[i] = (struct storm){.r = f->r, .seed = i + 1};
		assert_int_equal(pthread_create(&t[i], NULL, storm_thread, &s[i]), 0);
	}
	for (int i = 0; i < 20; i++) {
		usleep(5000);
		f->still.us += 3 * SEC;
	}
	for (int i = 0; i < 4; i++)
		pthread_join(t[i], NULL);
	end(f);
}

/* ---- the real one ---- */

static void system_lookup(void **state)
{
	struct resolver_opts o = {.threads = 1, .max_pending = 10, .ttl_us = SEC, .neg_ttl_us = SEC};
	struct loop *l = kit_loop();
	struct err e;
	struct mailbox *mb = mailbox_new(l, NULL, &e);
	struct resolver *r = resolver_new(&o, clock_system(), &e);
	struct fixture f = {.l = l, .mb = mb, .r = r};
	struct ask a = ask(&f, "localhost");

	(void)state;
	assert_true(a.count >= 1);
	assert_true(strcmp(a.text, "127.0.0.1") == 0 || strcmp(a.text, "::1") == 0);
	a = ask(&f, "bad name with spaces");
	assert_int_equal(a.err.code, ERR_RESOLVE);
	assert_non_null(strstr(a.err.msg, "cannot resolve host name \"bad name with spaces\": "));
	resolver_free(r);
	mailbox_close(mb);
	mailbox_unref(mb);
	loop_free(l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(literals_need_no_thread),
		cmocka_unit_test(answers_are_cached),
		cmocka_unit_test(failures_are_cached_for_less),
		cmocka_unit_test(stale_is_better_than_none),
		cmocka_unit_test(stale_while_it_hangs),
		cmocka_unit_test(one_lookup_a_name),
		cmocka_unit_test(bounded),
		cmocka_unit_test(the_cache_is_bounded),
		cmocka_unit_test(cancel_in_any_phase),
		cmocka_unit_test(free_answers_who_waits),
		cmocka_unit_test(mailbox_closes_first),
		cmocka_unit_test(cancel_another_inside_the_callback),
		cmocka_unit_test(storm),
		cmocka_unit_test(system_lookup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
