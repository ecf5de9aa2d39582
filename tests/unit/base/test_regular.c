/* base/regular. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>
#include "base/regular.h"

static char dir[32];

static int setup(void **state)
{
	(void)state;
	memcpy(dir, "/tmp/pgiam-regular-XXXXXX", 26);
	return mkdtemp(dir) && chdir(dir) == 0 ? 0 : -1;
}

static int teardown(void **state)
{
	(void)state;
	unlink("f");
	unlink("g");
	return chdir("/") == 0 && rmdir(dir) == 0 ? 0 : -1;
}

static void put(const char *name, size_t n)
{
	FILE *f = fopen(name, "w");

	assert_non_null(f);
	for (size_t i = 0; i < n; i++)
		fputc('a' + (int)(i % 26), f);
	assert_int_equal(fclose(f), 0);
}

static void reads(void **state)
{
	static const size_t sizes[] = {0, 1, 4095, 4096, 4097, 10000};

	(void)state;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
		struct stat st;
		struct buf b;
		struct err e;

		put("f", sizes[i]);
		buf_init_secret(&b, sizes[i]); /* as long as it may be */
		assert_int_equal(regular_read("f", ERR_CONFIG, &b, &st, &e), 0);
		assert_int_equal(b.n, sizes[i]);
		assert_int_equal(st.st_size, sizes[i]);
		for (size_t k = 0; k < b.n; k++)
			assert_int_equal(b.p[k], 'a' + k % 26);
		buf_free(&b);
		if (sizes[i] == 0)
			continue;
		buf_init(&b, sizes[i] - 1);
		assert_int_equal(regular_read("f", ERR_LIMIT, &b, NULL, &e), -1);
		assert_int_equal(errno, EFBIG);
		assert_int_equal(e.code, ERR_LIMIT);
		assert_non_null(strstr(e.msg, "f is longer than"));
		buf_free(&b);
	}
}

/* Adds to what is there. */
static void adds(void **state)
{
	struct buf b;

	(void)state;
	put("f", 3);
	buf_init(&b, 10);
	buf_add_str(&b, "x");
	assert_int_equal(regular_read("f", ERR_CONFIG, &b, NULL, NULL), 0);
	assert_string_equal(buf_cstr(&b), "xabc");
	buf_free(&b);
}

static void refuses(const char *path, int error, const char *words)
{
	struct buf b;
	struct err e;

	buf_init(&b, 100);
	alarm(10); /* it would wait for ever otherwise */
	assert_int_equal(regular_read(path, ERR_IO, &b, NULL, &e), -1);
	assert_int_equal(errno, error);
	alarm(0);
	assert_int_equal(e.code, ERR_IO);
	if (!strstr(e.msg, words) || !strstr(e.msg, path))
		fail_msg("%s", e.msg);
	assert_int_equal(b.n, 0);
	buf_free(&b);
}

static void what_is_no_file(void **state)
{
	(void)state;
	refuses("nothing", ENOENT, "cannot open nothing: No such file");
	refuses("/", EINVAL, "is no regular file");
	refuses("/dev/zero", EINVAL, "is no regular file");
	assert_int_equal(mkfifo("f", 0600), 0);
	refuses("f", EINVAL, "is no regular file");
	assert_int_equal(symlink("f", "g"), 0);
	refuses("g", EINVAL, "is no regular file");
}

static void changes(void **state)
{
	struct regular_mark m;

	(void)state;
	assert_false(regular_look("f", &m));
	assert_false(regular_changed("f", &m));
	put("f", 1);
	assert_true(regular_changed("f", &m));
	assert_true(regular_look("f", &m));
	assert_false(regular_changed("f", &m));
	put("f", 2);
	assert_true(regular_changed("f", &m));
	regular_look("f", &m);
	put("g", 2);
	assert_int_equal(rename("g", "f"), 0); /* another one of the same size */
	assert_true(regular_changed("f", &m));
	regular_look("f", &m);
	assert_int_equal(unlink("f"), 0);
	assert_true(regular_changed("f", &m));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(reads, setup, teardown),
		cmocka_unit_test_setup_teardown(adds, setup, teardown),
		cmocka_unit_test_setup_teardown(what_is_no_file, setup, teardown),
		cmocka_unit_test_setup_teardown(changes, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
