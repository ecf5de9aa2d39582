/* Certificates, keys and CA files that change under a running process. */
#include "kit.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/buf.h"
#include "base/mem.h"
#include "io/tls_live.h"

#define DAY_US (86400 * (int64_t)CLOCK_US_PER_SEC)

struct fixture {
	struct clock clock; /* first */
	uint64_t mono_us;
	int64_t wall_us;
	struct log *log;
	struct buf said;
	struct kit_tls tls;
	struct tls_live *live; /* of a server with t.pem and t.key */
	struct tls_ctx *last;  /* that changed() saw */
	char *cert, *key;
};

static uint64_t mono(const struct clock *c)
{
	return ((const struct fixture *)c)->mono_us;
}

static int64_t wall(const struct clock *c)
{
	return ((const struct fixture *)c)->wall_us;
}

static void sink(void *arg, const char *line, size_t n)
{
	buf_add(&((struct fixture *)arg)->said, line, n);
}

/* Puts a certificate and a key in place of those that are there, as an operator does. */
static void put(struct fixture *f, const struct kit_cert *cert, const struct kit_cert *key)
{
	char *from;

	if (cert) {
		from = kit_write_cert(f->tls.dir, "new", cert);
		assert_int_equal(rename(from, f->cert), 0);
		free(from);
	}
	if (key) {
		from = kit_write_key(f->tls.dir, "new", key, NULL);
		assert_int_equal(rename(from, f->key), 0);
		free(from);
	}
}

static int setup(void **state)
{
	struct fixture *f = mem_zalloc(sizeof *f);
	struct err e;
	struct tls_ctx *c;

	f->clock = (struct clock){mono, wall};
	f->mono_us = 5 * CLOCK_US_PER_SEC;
	f->wall_us = clock_wall_us(clock_system());
	buf_init(&f->said, 1 << 20);
	f->log = log_new(&f->clock, LOG_INFO, LOG_KEY_VALUE, sink, f);
	kit_tls_init(&f->tls, "db.example.com", NULL);
	f->cert = mem_printf("%s/t.pem", f->tls.dir);
	f->key = mem_printf("%s/t.key", f->tls.dir);
	put(f, &f->tls.server, &f->tls.server);
	c = tls_server_ctx_new(&(struct tls_opts){.cert_file = f->cert, .key_file = f->key}, &e);
	assert_non_null(c);
	f->live = tls_live_new(c);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	tls_ctx_unref(f->last);
	tls_live_unref(f->live);
	tls_live_unref(NULL);
	log_free(f->log);
	buf_free(&f->said);
	kit_tls_fini(&f->tls);
	free(f->cert);
	free(f->key);
	free(f);
	return 0;
}

static void said(struct fixture *f, const char *what)
{
	if (!strstr(buf_cstr(&f->said), what))
		fail_msg("\"%s\" was not said, but: %s", what, buf_cstr(&f->said));
	buf_clear(&f->said);
}

static void silent(struct fixture *f)
{
	assert_string_equal(buf_cstr(&f->said), "");
}

/* Is it another context than the last time? */
static bool changed(struct fixture *f)
{
	struct tls_ctx *c = tls_live_get(f->live, &f->clock, f->log);
	bool other = c != f->last;

	tls_ctx_unref(f->last);
	f->last = c; /* kept, so that no other one gets its address */
	return other;
}

static void later(struct fixture *f)
{
	f->mono_us += CLOCK_US_PER_SEC;
}

static void new_files_are_taken(void **state)
{
	struct fixture *f = *state;
	struct kit_cert c = kit_cert_new(&(struct kit_cert_opts){.cn = "two", .to_days = 90}, &f->tls.ca);
	struct tls_ctx *kept = tls_live_get(f->live, &f->clock, f->log);
	int64_t before = tls_live_expires_sec(f->live);

	changed(f);
	assert_false(changed(f));
	put(f, &c, &c);
	assert_false(changed(f)); /* not looked at within the second */
	later(f);
	assert_true(changed(f));
	said(f, "TLS files read again");
	assert_true(tls_live_expires_sec(f->live) > before);
	later(f);
	assert_false(changed(f));
	silent(f);
	tls_ctx_unref(kept); /* lived on for its connections */
	kit_cert_free(&c);
}

static void bad_files_change_nothing(void **state)
{
	struct fixture *f = *state;
	struct kit_cert c = kit_cert_new(&(struct kit_cert_opts){.cn = "two"}, &f->tls.ca);

	changed(f);
	put(f, &c, NULL); /* the key is still the old one: the operator has not got further yet */
	later(f);
	assert_false(changed(f));
	said(f, "TLS files cannot be used; what was read before stays");
	for (int i = 0; i < 5; i++) {
		later(f);
		assert_false(changed(f));
	}
	silent(f); /* said once */
	put(f, NULL, &c);
	later(f);
	assert_true(changed(f));
	said(f, "TLS files read again");
	unlink(f->cert);
	later(f);
	assert_false(changed(f));
	said(f, "No such file");
	put(f, &c, &c);
	later(f);
	assert_true(changed(f));
	kit_cert_free(&c);
}

static void reading_on_demand(void **state)
{
	struct fixture *f = *state;
	struct kit_cert c = kit_cert_new(&(struct kit_cert_opts){.cn = "two"}, &f->tls.ca);

	changed(f);
	assert_int_equal(tls_live_reload(f->live, &f->clock, f->log), 0); /* nothing has changed: read all the same */
	said(f, "TLS files read again");
	put(f, NULL, &c);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(tls_live_reload(f->live, &f->clock, f->log), -1);
		said(f, "cannot be used"); /* each time it is asked for */
	}
	put(f, &c, NULL);
	assert_int_equal(tls_live_reload(f->live, &f->clock, f->log), 0); /* without waiting for the second */
	assert_true(changed(f));
	kit_cert_free(&c);
}

static void the_end_is_announced(void **state)
{
	struct fixture *f = *state;

	f->wall_us -= 60 * (int64_t)CLOCK_US_PER_SEC; /* 30 days and a minute are left */
	changed(f);
	silent(f);
	for (int days = 29; days > 26; days--) {
		f->wall_us += DAY_US;
		for (int i = 0; i < 3; i++) {
			char want[64];

			later(f);
			assert_false(changed(f));
			snprintf(want, sizeof want, "days_left=%d", days);
			if (i == 0)
				said(f, want);
			else
				silent(f); /* once a day */
		}
	}
	f->wall_us += 40 * DAY_US;
	later(f);
	changed(f);
	said(f, "a certificate has expired\"");
	/* and whenever it is read */
	assert_int_equal(tls_live_reload(f->live, &f->clock, f->log), 0);
	said(f, "a certificate has expired\"");
}

/* Ours is made again before it expires, in a process that runs for a year. */
static void a_self_made_one_is_renewed(void **state)
{
	struct fixture *f = *state;
	struct err e;
	struct tls_ctx *first;

	tls_live_unref(f->live);
	f->live = tls_live_new(tls_server_ctx_new(&(struct tls_opts){.host_name = "localhost"}, &e));
	first = tls_live_get(f->live, &f->clock, f->log);
	changed(f);
	f->wall_us += 330 * DAY_US;
	later(f);
	assert_false(changed(f));
	assert_int_equal(tls_live_reload(f->live, &f->clock, f->log), 0); /* there is no file: it stays */
	assert_false(changed(f));
	f->wall_us += 10 * DAY_US;
	later(f);
	assert_true(changed(f));
	assert_null(strstr(buf_cstr(&f->said), "expire"));
	tls_ctx_unref(first);
}

/* ---- threads ---- */

#define THREADS 4

struct user {
	pthread_t thread;
	struct tls_live *live;
	struct log *log;
	struct buf said;
	atomic_bool *stop;
	unsigned long gets;
	bool bad;
};

static void to_buf(void *arg, const char *line, size_t n)
{
	buf_add(arg, line, n);
}

/* As a worker: each get looks at the files, since its clock leaps. */
static void *use(void *arg)
{
	struct user *u = arg;
	struct fixture clock = {.clock = {mono, wall}, .wall_us = clock_wall_us(clock_system())};

	while (!atomic_load(u->stop)) {
		struct tls_ctx *c;

		clock.mono_us += CLOCK_US_PER_SEC;
		c = tls_live_get(u->live, &clock.clock, u->log);
		u->bad |= tls_ctx_expires_sec(c) <= 0;
		tls_ctx_unref(c);
		u->gets++;
	}
	return NULL;
}

/* Everybody has a whole context at any time, while files change and are read on demand. */
static void many_threads(void **state)
{
	struct fixture *f = *state;
	struct user users[THREADS];
	atomic_bool stop = false;

	for (int i = 0; i < THREADS; i++) {
		users[i] = (struct user){.live = tls_live_ref(f->live), .stop = &stop};
		buf_init(&users[i].said, 1 << 20);
		users[i].log = log_new(clock_system(), LOG_INFO, LOG_KEY_VALUE, to_buf, &users[i].said);
		assert_int_equal(pthread_create(&users[i].thread, NULL, use, &users[i]), 0);
	}
	for (int i = 0; i < 30; i++) {
		struct kit_cert c = kit_cert_new(&(struct kit_cert_opts){.cn = "x", .to_days = 40 + i}, &f->tls.ca);

		put(f, &c, i % 3 ? &c : NULL);
		tls_live_reload(f->live, &f->clock, f->log);
		assert_true(tls_live_expires_sec(f->live) > 0);
		put(f, NULL, &c);
		kit_cert_free(&c);
	}
	atomic_store(&stop, true);
	for (int i = 0; i < THREADS; i++) {
		pthread_join(users[i].thread, NULL);
		assert_true(users[i].gets > 0 && !users[i].bad);
		log_free(users[i].log);
		buf_free(&users[i].said);
		tls_live_unref(users[i].live);
	}
}

static void equal_options_share(void **state)
{
	struct fixture *f = *state;
	struct tls_opts o = {.cert_file = f->cert, .key_file = f->key}, other;

	assert_true(tls_live_is(f->live, &o));
#define DIFFERS(member, value)                                                                               \
	do {                                                                                                 \
		other = o;                                                                                   \
		other.member = (value);                                                                      \
		assert_false(tls_live_is(f->live, &other));                                                  \
	} while (0)
	DIFFERS(verify, TLS_VERIFY_CHAIN);
	DIFFERS(versions, TLS_VERSIONS_1_3);
	DIFFERS(ca_file, "x");
	DIFFERS(cert_file, "x");
	DIFFERS(key_file, NULL);
	DIFFERS(ciphers, "x");
	DIFFERS(ciphers13, "x");
	DIFFERS(groups, "x");
	DIFFERS(dhe, true);
	DIFFERS(alpn, "x");
}

/* What would be waited for when it is opened is not opened: alarm() ends the test if it is. */
static void a_fifo_stops_nobody(void **state)
{
	struct fixture *f = *state;

	for (int i = 0; i < 2; i++) {
		const char *path = i ? f->key : f->cert;

		put(f, &f->tls.server, &f->tls.server);
		assert_int_equal(unlink(path), 0);
		assert_int_equal(mkfifo(path, 0600), 0);
		alarm(10);
		assert_int_equal(tls_live_reload(f->live, &f->clock, f->log), -1);
		alarm(0);
		assert_non_null(strstr(buf_cstr(&f->said), "is no regular file"));
		buf_clear(&f->said);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(new_files_are_taken, setup, teardown),
		cmocka_unit_test_setup_teardown(bad_files_change_nothing, setup, teardown),
		cmocka_unit_test_setup_teardown(reading_on_demand, setup, teardown),
		cmocka_unit_test_setup_teardown(the_end_is_announced, setup, teardown),
		cmocka_unit_test_setup_teardown(a_self_made_one_is_renewed, setup, teardown),
		cmocka_unit_test_setup_teardown(many_threads, setup, teardown),
		cmocka_unit_test_setup_teardown(a_fifo_stops_nobody, setup, teardown),
		cmocka_unit_test_setup_teardown(equal_options_share, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
