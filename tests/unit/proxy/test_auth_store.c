/* The files that say who may log in, while they change. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>
#include "base/buf.h"
#include "base/mem.h"
#include "proxy/auth_store.h"

static const unsigned char key[AUTH_KEY_BYTES] = {1};
static const char *const names[AUTH_FILE_COUNT] = {"users", "hba", "ident"};

struct world {
	struct clock clock; /* first */
	uint64_t now_us;
	struct log *log;
	struct buf said;
	char dir[32];
	struct auth_store *store;
	struct auth_store_opts o;
	unsigned bad[AUTH_FILE_COUNT];
	struct err e;
};

static uint64_t mono(const struct clock *c)
{
	return ((const struct world *)c)->now_us;
}

static int64_t wall(const struct clock *c)
{
	return (int64_t)mono(c);
}

static void sink(void *arg, const char *line, size_t n)
{
	buf_add(&((struct world *)arg)->said, line, n);
}

static int setup(void **state)
{
	struct world *w = mem_zalloc(sizeof(*w));

	w->clock = (struct clock){mono, wall};
	w->now_us = 5 * CLOCK_US_PER_SEC;
	buf_init(&w->said, 1 << 20);
	w->log = log_new(&w->clock, LOG_INFO, LOG_KEY_VALUE, sink, w);
	memcpy(w->dir, "/tmp/pgiam-store-XXXXXX", 24);
	*state = w;
	return mkdtemp(w->dir) && chdir(w->dir) == 0 ? 0 : -1;
}

static int teardown(void **state)
{
	struct world *w = *state;
	int rc;

	auth_store_unref(w->store);
	for (size_t i = 0; i < AUTH_FILE_COUNT; i++)
		unlink(names[i]);
	rc = chdir("/") == 0 && rmdir(w->dir) == 0 ? 0 : -1;
	log_free(w->log);
	buf_free(&w->said);
	free(w);
	return rc;
}

static void on_bad(void *arg, enum auth_file which, struct err *e)
{
	struct world *w = arg;

	w->bad[which]++;
	w->e = *e;
}

/* As an editor does it: another file takes the name. */
static void put(enum auth_file which, const char *text)
{
	FILE *f = fopen("new", "w");

	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
	assert_int_equal(rename("new", names[which]), 0);
}

/* NULL: there is no such file. */
static void begin(struct world *w, const char *users, const char *hba, const char *ident)
{
	const char *const texts[AUTH_FILE_COUNT] = {users, hba, ident};

	for (enum auth_file i = AUTH_FILE_USERS; i < AUTH_FILE_COUNT; i++) {
		w->o.path[i] = texts[i] ? names[i] : NULL;
		if (texts[i])
			put(i, texts[i]);
	}
	w->store = auth_store_new(&w->o, on_bad, w);
}

static void later(struct world *w)
{
	w->now_us += CLOCK_US_PER_SEC;
}

static bool knows(struct world *w, const char *user)
{
	struct auth_secret secret;
	bool known = auth_store_secret(w->store, &w->clock, w->log, key, user, &secret);

	auth_secret_clear(&secret);
	return known;
}

static void said(struct world *w, const char *what)
{
	if (!strstr(buf_cstr(&w->said), what))
		fail_msg("\"%s\" was not said, but: %s", what, buf_cstr(&w->said));
	buf_clear(&w->said);
}

static void silent(struct world *w)
{
	assert_string_equal(buf_cstr(&w->said), "");
}

/* The method for this database user on a unix socket; AUTH_TYPE_REJECT: no line. */
static enum auth_type method(const struct auth_rules *r, const char *user)
{
	const struct hba_client c = {.local = true, .database = "app", .user = user};
	struct hba_answer a = {AUTH_TYPE_REJECT, NULL};

	(void)hba_find(r->hba, &c, &a);
	return a.method;
}

static enum auth_type asked(struct world *w, const char *user)
{
	const struct auth_rules *r = auth_store_rules(w->store, &w->clock, w->log);
	enum auth_type m = method(r, user);

	auth_rules_unref(r);
	return m;
}

/* ---- auth_file ---- */

static void users_change(void **state)
{
	struct world *w = *state;

	begin(w, "\"joe\" \"x\"\n", NULL, NULL);
	assert_non_null(w->store);
	assert_null(auth_store_rules(w->store, &w->clock, w->log));
	assert_true(knows(w, "joe"));
	put(AUTH_FILE_USERS, "\"ann\" \"x\"\n");
	assert_true(knows(w, "joe")); /* not looked at within the second */
	later(w);
	assert_false(knows(w, "joe"));
	assert_true(knows(w, "ann"));
	said(w, "auth_file was read again");
	later(w);
	assert_true(knows(w, "ann"));
	silent(w);
}

/* Told once, counted, tried once each time it changes; what it said before holds. */
static void users_of_no_use(void **state)
{
	struct world *w = *state;
	struct auth_summary is;

	begin(w, "\"joe\" \"x\"\n", NULL, NULL);
	put(AUTH_FILE_USERS, "\"ann\" \"x\"\njoe\n");
	for (int i = 0; i < 3; i++) {
		later(w);
		assert_true(knows(w, "joe"));
		assert_false(knows(w, "ann"));
	}
	said(w, "auth_file cannot be used: what it said before holds\" error=\"users: line 2");
	auth_store_summary(w->store, &is);
	assert_int_equal(is.users_failures, 1);
	assert_int_equal(is.users[AUTH_KIND_PLAIN], 1);
	unlink("users");
	later(w);
	assert_true(knows(w, "joe"));
	said(w, "No such file");
	assert_int_equal(mkfifo("users", 0600), 0);
	later(w);
	alarm(10);
	assert_true(knows(w, "joe"));
	alarm(0);
	said(w, "is no regular file");
	auth_store_summary(w->store, &is);
	assert_int_equal(is.users_failures, 3);
	put(AUTH_FILE_USERS, "\"ann\" \"x\"\n");
	later(w);
	assert_true(knows(w, "ann"));
}

/* ---- the other two ---- */

static void rules_change(void **state)
{
	struct world *w = *state;
	const struct auth_rules *kept;

	begin(w, NULL, "local all joe trust\n", NULL);
	assert_non_null(w->store);
	assert_false(knows(w, "joe"));
	assert_int_equal(asked(w, "joe"), AUTH_TYPE_TRUST);
	kept = auth_store_rules(w->store, &w->clock, w->log);
	put(AUTH_FILE_HBA, "local all joe reject\nlocal all ann peer\n");
	assert_int_equal(asked(w, "ann"), AUTH_TYPE_REJECT);
	later(w);
	assert_int_equal(asked(w, "ann"), AUTH_TYPE_PEER);
	said(w, "were read again");
	assert_int_equal(method(kept, "joe"), AUTH_TYPE_TRUST); /* who began with them goes on with them */
	auth_rules_unref(kept);
}

/* They are one: a map that a line names is there, whichever of the two changes. */
static void maps_are_looked_for(void **state)
{
	struct world *w = *state;
	const struct auth_rules *r;

	begin(w, NULL, "local all all peer map=m\n", "m joe app\n");
	put(AUTH_FILE_IDENT, "n joe app\n");
	later(w);
	r = auth_store_rules(w->store, &w->clock, w->log);
	assert_true(hba_ident_allows(r->ident, "m", "joe", "app"));
	auth_rules_unref(r);
	said(w, "hba: auth_ident_file has no map \\\"m\\\"");
	put(AUTH_FILE_HBA, "local all all peer map=n\n");
	later(w);
	r = auth_store_rules(w->store, &w->clock, w->log);
	assert_true(hba_ident_allows(r->ident, "n", "joe", "app"));
	auth_rules_unref(r);
	put(AUTH_FILE_IDENT, "n joe\n");
	later(w);
	assert_int_equal(asked(w, "app"), AUTH_TYPE_PEER);
	said(w, "ident: line 1");
}

/* Where both have changed and the one that is read first is of no use, the other is not due again and again. */
static void maps_of_no_use(void **state)
{
	struct world *w = *state;
	struct auth_summary is;

	begin(w, NULL, "local all joe trust\n", "m joe joe\n");
	assert_int_equal(asked(w, "joe"), AUTH_TYPE_TRUST);
	put(AUTH_FILE_HBA, "local all joe reject\nlocal all ann peer\n");
	put(AUTH_FILE_IDENT, "nonsense\n");
	for (int i = 0; i < 3; i++) {
		later(w);
		assert_int_equal(asked(w, "joe"), AUTH_TYPE_TRUST);
	}
	auth_store_summary(w->store, &is);
	assert_int_equal(is.rules_failures, 1);
	put(AUTH_FILE_IDENT, "m joe ann\n");
	later(w);
	assert_int_equal(asked(w, "ann"), AUTH_TYPE_PEER);
}

/* What is refused at the start is refused later, too: nobody opens a door by editing a file. */
static void lines_that_are_refused(void **state)
{
	static const struct {
		const char *lines, *why;
	} cases[] = {
		{"host all all 10.0.0.0/8 trust\n", "hba: line 1: other hosts are let in by trust"},
		{"local all all peer\nhostssl all all all cert\n", "hba: line 2: cert needs TLS"},
		{"local all all md5\n", "hba: line 1: needs auth_file"},
		{"host all all all password\n", "hba: line 1: needs auth_file"},
		{"host all all all scram-sha-256\n", "hba: line 1: needs auth_file"},
		{"local all all map=x\n", "hba: line 1"},
	};
	struct world *w = *state;

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		begin(w, NULL, cases[i].lines, NULL);
		assert_null(w->store);
		assert_int_equal(w->bad[AUTH_FILE_HBA], i + 1);
		assert_non_null(strstr(w->e.msg, cases[i].why));
	}
	begin(w, NULL, "local all all peer\n", NULL);
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		put(AUTH_FILE_HBA, cases[i].lines);
		later(w);
		assert_int_equal(asked(w, "joe"), AUTH_TYPE_PEER);
		said(w, cases[i].why);
	}
	auth_store_unref(w->store);
	w->o.remote_trust = w->o.certificates = true;
	begin(w, "\"joe\" \"x\"\n",
	      "host all all 10.0.0.0/8 trust\nhostssl all all all cert\nlocal all joe md5\nhost all all all password\n", NULL);
	assert_int_equal(asked(w, "joe"), AUTH_TYPE_MD5);
}

/* ---- on demand ---- */

static void reading_on_demand(void **state)
{
	struct world *w = *state;
	struct auth_summary is;

	assert_int_equal(auth_store_reload(NULL, &w->clock, w->log), 0);
	begin(w, "\"joe\" \"x\"\n", "local all all peer map=m\n", "m joe app\nm ann app\n");
	assert_int_equal(auth_store_reload(w->store, &w->clock, w->log), 0); /* nothing has changed: read all the same */
	said(w, "auth_file was read again");
	put(AUTH_FILE_USERS, "joe\n");
	for (int i = 0; i < 2; i++) {
		assert_int_equal(auth_store_reload(w->store, &w->clock, w->log), 1);
		said(w, "auth_file cannot be used"); /* each time it is asked for */
	}
	put(AUTH_FILE_IDENT, "m\n");
	assert_int_equal(auth_store_reload(w->store, &w->clock, w->log), 2);
	said(w, "auth_hba_file or auth_ident_file cannot be used");
	assert_true(knows(w, "joe"));
	auth_store_summary(w->store, &is);
	assert_int_equal(is.users_failures, 3);
	assert_int_equal(is.rules_failures, 1);
	assert_int_equal(is.lines, 1);
	assert_int_equal(is.mappings, 2);
}

/* Each file that is of no use is told. */
static void all_that_is_wrong(void **state)
{
	struct world *w = *state;

	begin(w, "joe\n", "x\n", "m joe app\n");
	assert_null(w->store);
	assert_true(w->bad[AUTH_FILE_USERS] == 1 && w->bad[AUTH_FILE_HBA] == 1 && w->bad[AUTH_FILE_IDENT] == 0);
	begin(w, "\"joe\" \"x\"\n", "x\n", "m joe\n");
	assert_null(w->store);
	assert_true(w->bad[AUTH_FILE_USERS] == 1 && w->bad[AUTH_FILE_HBA] == 1 && w->bad[AUTH_FILE_IDENT] == 1);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(users_change),  T(users_of_no_use),        T(rules_change),      T(maps_are_looked_for), T(maps_of_no_use),
		T(lines_that_are_refused), T(reading_on_demand), T(all_that_is_wrong),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
