/* app/password_source. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>
#include "app/password_source.h"

struct given {
	struct loop *loop;
	unsigned calls;
	char text[100];
	uint64_t no;
	struct err e; /* ERR_NONE: text is the secret */
};

static int setup(void **state)
{
	struct given *g = calloc(1, sizeof(*g));
	char dir[] = "/tmp/pgiam-pw-XXXXXX";

	if (!g || !mkdtemp(dir) || chdir(dir) != 0)
		return -1;
	g->loop = loop_new(clock_system(), NULL, NULL);
	*state = g;
	return g->loop ? 0 : -1;
}

static int teardown(void **state)
{
	struct given *g = *state;
	char dir[100];

	unlink("pw");
	if (!getcwd(dir, sizeof(dir)) || chdir("/") != 0 || rmdir(dir) != 0)
		return -1;
	loop_free(g->loop);
	free(g);
	return 0;
}

static void on_secret(void *arg, const struct secret_answer *a, const struct err *e)
{
	struct given *g = arg;

	assert_int_equal(!a, e != NULL);
	g->calls++;
	g->e = e ? *e : (struct err){.code = ERR_NONE};
	snprintf(g->text, sizeof(g->text), "%.*s", a ? (int)a->secret.n : 0,
		 a ? (const char *)a->secret.p : "");
	if (a) {
		assert_null(a->user);
		g->no = a->no;
	}
}

static void ask(struct given *g, struct secret_source *s)
{
	const struct secret_request rq = {.host = "db", .port = 5432, .user = "u"};

	g->calls = 0;
	assert_non_null(s->ops->start(s, &rq, on_secret, g));
	assert_int_equal(g->calls, 0); /* never inside start */
	for (int i = 0; i < 3; i++)
		loop_turn(g->loop, 0);
	assert_int_equal(g->calls, 1);
}

static void put(const char *text, size_t n)
{
	FILE *f = fopen("pw", "w");

	assert_non_null(f);
	assert_int_equal(fwrite(text, 1, n, f), n);
	assert_int_equal(fclose(f), 0);
}

#define PUT(text) put((text), sizeof(text) - 1)

static void from_configuration(void **state)
{
	struct given *g = *state;
	const struct conf_secret c = {.kind = TARGET_AUTH_PASSWORD, .password = (char[]){"p w"}};
	struct secret_source *s = password_source_new(&c, g->loop);
	struct err e = {0};

	assert_int_equal(s->ops->kind, SECRET_PASSWORD);
	ask(g, s);
	assert_string_equal(g->text, "p w");
	assert_false(s->ops->refused(s, g->no)); /* it will be the same again */
	s->ops->explain(s, &(struct secret_request){.user = "joe"}, g->no, &e);
	assert_non_null(strstr(e.detail, "\"joe\" is from the configuration"));
	assert_null(strstr(e.detail, "p w"));
	s->ops->free(s);
}

static void from_file(void **state)
{
	struct given *g = *state;
	const struct conf_secret c = {.kind = TARGET_AUTH_PASSWORD, .password_file = (char[]){"pw"}};
	struct secret_source *s = password_source_new(&c, g->loop);
	struct err e = {0};
	uint64_t first;

	assert_false(s->ops->first(s, NULL)); /* a server may not ask */
	ask(g, s);
	assert_int_equal(g->e.code, ERR_IO);
	assert_non_null(strstr(g->e.msg, "cannot open pw: No such file"));
	assert_true(s->ops->first(s, NULL)); /* nobody is dialled for nothing */
	PUT("one\n");
	ask(g, s);
	assert_false(s->ops->first(s, NULL));
	assert_string_equal(g->text, "one");
	first = g->no;
	assert_int_not_equal(first, 0);
	assert_false(s->ops->refused(s, g->no));
	PUT("two\r\n");
	assert_true(s->ops->refused(s, g->no));
	ask(g, s);
	assert_string_equal(g->text, "two");
	assert_false(s->ops->refused(s, g->no));
	assert_true(s->ops->refused(s, first)); /* another login had that one */
	ask(g, s);
	assert_true(s->ops->refused(s, first));
	assert_false(s->ops->refused(s, g->no));
	PUT("two\n"); /* the same in other words */
	assert_false(s->ops->refused(s, g->no));
	s->ops->explain(s, &(struct secret_request){.user = "joe"}, g->no, &e);
	assert_non_null(strstr(e.detail, "\"joe\" is from pw"));
	s->ops->free(s);
}

static void cancelled(void **state)
{
	struct given *g = *state;
	const struct conf_secret c = {.kind = TARGET_AUTH_PASSWORD, .password = (char[]){"x"}};
	struct secret_source *s = password_source_new(&c, g->loop);
	const struct secret_request rq = {.host = "db", .port = 5432, .user = "u"};

	g->calls = 0;
	s->ops->cancel(s->ops->start(s, &rq, on_secret, g));
	for (int i = 0; i < 3; i++)
		loop_turn(g->loop, 0);
	assert_int_equal(g->calls, 0);
	s->ops->free(s);
}

static void reads(const char *text, size_t n, const char *want)
{
	struct buf b;
	struct err e;

	put(text, n);
	buf_init_secret(&b, PASSWORD_SOURCE_MAX);
	assert_int_equal(password_source_read("pw", &b, &e), 0);
	assert_string_equal(buf_cstr(&b), want);
	buf_free(&b);
}

static void refuses(const char *path, const char *words)
{
	struct buf b;
	struct err e;

	buf_init_secret(&b, PASSWORD_SOURCE_MAX);
	assert_int_equal(password_source_read(path, &b, &e), -1);
	assert_int_equal(e.code, ERR_IO);
	if (!strstr(e.msg, words))
		fail_msg("%s", e.msg);
	buf_free(&b);
}

static void files(void **state)
{
	static char big[PASSWORD_SOURCE_MAX + 1];

	(void)state;
	reads("a", 1, "a");
	reads("a\n\n", 3, "a\n"); /* one newline */
	reads(" a \n", 4, " a ");
	PUT("");
	refuses("pw", "pw is empty");
	PUT("\n");
	refuses("pw", "pw is empty");
	put("a\0b", 3);
	refuses("pw", "a NUL in pw");
	memset(big, 'x', sizeof(big));
	put(big, sizeof(big));
	refuses("pw", "longer than 65535");
	refuses("/", "no regular file");
	refuses("/dev/zero", "no regular file");
	unlink("pw");
	assert_int_equal(mkfifo("pw", 0600), 0); /* opening it must not wait for a writer */
	refuses("pw", "no regular file");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(from_configuration),
		cmocka_unit_test(from_file),
		cmocka_unit_test(cancelled),
		cmocka_unit_test(files),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
