/* Loads configurations from text, variables and words, and keeps what was said about them. */
#ifndef PGIAM_TESTS_UNIT_APP_CONF_TEST_H
#define PGIAM_TESTS_UNIT_APP_CONF_TEST_H

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>
#include "app/conf_build.h"
#include "base/mem.h"

#define DSQL            "abcdefghijklmnopqrstuvwxyz.dsql.us-east-1.on.aws"
#define RDS             "mydb.c9akciq32rgw.us-east-1.rds.amazonaws.com"
#define CONF_TEST_WORDS 16

/* In a directory of its own, where "t.ini" is the file. */
struct conf_test {
	char dir[32];
	struct conf *c;  /* NULL: refused */
	struct buf said; /* "error|t.ini:2|text|hint\n" ... */
	struct err e;
};

static inline int conf_test_setup(void **state)
{
	struct conf_test *t = calloc(1, sizeof(*t));

	if (!t)
		return -1;
	snprintf(t->dir, sizeof(t->dir), "/tmp/pgiam-conf-XXXXXX");
	if (!mkdtemp(t->dir) || chdir(t->dir) != 0)
		return -1;
	buf_init(&t->said, 1 << 20);
	*state = t;
	return 0;
}

static inline int conf_test_teardown(void **state)
{
	struct conf_test *t = *state;
	int rc = 0;

	conf_unref(t->c);
	buf_free(&t->said);
	unlink("t.ini");
	unlink("extra");
	if (chdir("/") != 0 || rmdir(t->dir) != 0)
		rc = -1;
	free(t);
	return rc;
}

static inline void conf_test_problem(void *arg, const struct conf_problem *p)
{
	static const char *const levels[] = {"error", "warning", "note", "debug"};
	struct conf_test *t = arg;

	buf_printf(&t->said, "%s|%s|%s|%s\n", levels[p->level], p->where, p->text, p->hint);
}

static inline void conf_test_write(const char *name, const char *text)
{
	FILE *f = fopen(name, "w");

	assert_non_null(f);
	fputs(text, f);
	assert_int_equal(fclose(f), 0);
	assert_int_equal(chmod(name, 0600), 0);
}

/* file: text, or NULL for none. env and args end with NULL; either may be NULL. */
static inline int conf_test_load(struct conf_test *t, const char *file, const char *const *env,
				 const char *const *args)
{
	struct conf_input in = {.env = env, .problem = conf_test_problem, .problem_arg = t};
	char *words[CONF_TEST_WORDS] = {NULL};
	int rc;

	if (file) {
		conf_test_write("t.ini", file);
		in.file = "t.ini";
	}
	for (; args && args[in.argc]; in.argc++) {
		assert_true(in.argc < CONF_TEST_WORDS);
		words[in.argc] = (char *)(uintptr_t)args[in.argc];
	}
	in.argv = words;
	conf_unref(t->c);
	buf_clear(&t->said);
	rc = conf_load(&in, NULL, &t->c, &t->e);
	if ((rc == 0) != (t->c != NULL))
		fail_msg("conf_load returned %d with%s configuration", rc, t->c ? " a" : "out");
	if (rc != 0 && !strstr(buf_cstr(&t->said), "error|"))
		fail_msg("refused without a word: %s", t->e.msg);
	return rc;
}

#define ARGS(...) ((const char *const[]){__VA_ARGS__, NULL})

/* It is good, and was said to be without an error. */
static inline void conf_test_good(struct conf_test *t, const char *file, const char *const *env,
				  const char *const *args)
{
	if (conf_test_load(t, file, env, args) != 0)
		fail_msg("%s\n%s", t->e.msg, buf_cstr(&t->said));
	assert_null(strstr(buf_cstr(&t->said), "error|"));
}

static inline void conf_test_said(struct conf_test *t, const char *what)
{
	if (!strstr(buf_cstr(&t->said), what))
		fail_msg("\"%s\" was not said, but:\n%s", what, buf_cstr(&t->said));
}

/* It is refused by one error, and this is it: "t.ini:2|text". */
static inline void conf_test_bad(struct conf_test *t, const char *file, const char *const *args,
				 const char *what)
{
	char *line = mem_printf("error|%s", what);

	if (conf_test_load(t, file, NULL, args) == 0)
		fail_msg("taken: %s", file ? file : args[0]);
	conf_test_said(t, line);
	free(line);
	if (t->e.detail[0])
		fail_msg("more than one error:\n%s", buf_cstr(&t->said));
}

/* The option's present value. */
static inline const char *conf_test_value(const struct conf_test *t, const char *name)
{
	for (size_t i = 0; i < OPT_COUNT; i++)
		if (strcmp(options_get(i)->name, name) == 0)
			return t->c->priv->values.set[i].text;
	fail_msg("no option %s", name);
	return NULL;
}

#endif
