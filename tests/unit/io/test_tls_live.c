/* Certificates, keys and CA files that change under a running process. */
#include "kit.h"

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

/* The context, and is it another than `old`? Only compared, so that it need not be alive. */
static bool changed(struct fixture *f, const struct tls_ctx **old)
{
	struct tls_ctx *c = tls_live_get(f->live, &f->clock, f->log);
	bool other = c != *old;

	*old = c;
	tls_ctx_unref(c);
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
	const struct tls_ctx *now = NULL;
	struct tls_ctx *kept = tls_live_get(f->live, &f->clock, f->log);
	int64_t before = tls_live_expires_sec(f->live);

	now = kept;
	assert_false(changed(f, &now));
	put(f, &c, &c);
	assert_false(changed(f, &now)); /* not looked at within the second */
	later(f);
	assert_true(changed(f, &now));
	said(f, "TLS files read again");
	assert_true(tls_live_expires_sec(f->live) > before);
	later(f);
	assert_false(changed(f, &now));
	silent(f);
	tls_ctx_unref(kept); /* lived on for its connections */
	kit_cert_free(&c);
}

static void bad_files_change_nothing(void **state)
{
	struct fixture *f = *state;
	struct kit_cert c = kit_cert_new(&(struct kit_cert_opts){.cn = "two"}, &f->tls.ca);
	const struct tls_ctx *now = NULL;

	changed(f, &now);
	put(f, &c, NULL); /* the key is still the old one: the operator has not got further yet */
	later(f);
	assert_false(changed(f, &now));
	said(f, "TLS files cannot be used; what was read before stays");
	for (int i = 0; i < 5; i++) {
		later(f);
		assert_false(changed(f, &now));
	}
	silent(f); /* said once */
	put(f, NULL, &c);
	later(f);
	assert_true(changed(f, &now));
	said(f, "TLS files read again");
	unlink(f->cert);
	later(f);
	assert_false(changed(f, &now));
	said(f, "No such file");
	put(f, &c, &c);
	later(f);
	assert_true(changed(f, &now));
	kit_cert_free(&c);
}

static void reading_on_demand(void **state)
{
	struct fixture *f = *state;
	struct kit_cert c = kit_cert_new(&(struct kit_cert_opts){.cn = "two"}, &f->tls.ca);
	const struct tls_ctx *now = NULL;

	changed(f, &now);
	assert_int_equal(tls_live_reload(f->live, &f->clock, f->log), 0); /* nothing has changed: read all the same */
	said(f, "TLS files read again");
	put(f, NULL, &c);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(tls_live_reload(f->live, &f->clock, f->log), -1);
		said(f, "cannot be used"); /* each time it is asked for */
	}
	put(f, &c, NULL);
	assert_int_equal(tls_live_reload(f->live, &f->clock, f->log), 0); /* without waiting for the second */
	assert_true(changed(f, &now));
	kit_cert_free(&c);
}

static void the_end_is_announced(void **state)
{
	struct fixture *f = *state;
	const struct tls_ctx *now = NULL;

	f->wall_us -= 60 * (int64_t)CLOCK_US_PER_SEC; /* 30 days and a minute are left */
	changed(f, &now);
	silent(f);
	for (int days = 29; days > 26; days--) {
		f->wall_us += DAY_US;
		for (int i = 0; i < 3; i++) {
			char want[64];

			later(f);
			assert_false(changed(f, &now));
			snprintf(want, sizeof want, "days_left=%d", days);
			if (i == 0)
				said(f, want);
			else
				silent(f); /* once a day */
		}
	}
	f->wall_us += 40 * DAY_US;
	later(f);
	changed(f, &now);
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
	const struct tls_ctx *now = NULL;
	struct tls_ctx *first;

	tls_live_unref(f->live);
	f->live = tls_live_new(tls_server_ctx_new(&(struct tls_opts){.host_name = "localhost"}, &e));
	first = tls_live_get(f->live, &f->clock, f->log);
	now = first;
	f->wall_us += 330 * DAY_US;
	later(f);
	assert_false(changed(f, &now));
	assert_int_equal(tls_live_reload(f->live, &f->clock, f->log), 0); /* there is no file: it stays */
	assert_false(changed(f, &now));
	f->wall_us += 10 * DAY_US;
	later(f);
	assert_true(changed(f, &now));
	assert_null(strstr(buf_cstr(&f->said), "expire"));
	tls_ctx_unref(first);
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(new_files_are_taken, setup, teardown),
		cmocka_unit_test_setup_teardown(bad_files_change_nothing, setup, teardown),
		cmocka_unit_test_setup_teardown(reading_on_demand, setup, teardown),
		cmocka_unit_test_setup_teardown(the_end_is_announced, setup, teardown),
		cmocka_unit_test_setup_teardown(a_self_made_one_is_renewed, setup, teardown),
		cmocka_unit_test_setup_teardown(equal_options_share, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
