/* A pid file is a lock: held by one process, taken over from a dead one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>
#include "app/pidfile.h"

static char dir[64], path[96];

static int setup(void **state)
{
	(void)state;
	snprintf(dir, sizeof dir, "/tmp/pgiam-pidfile-XXXXXX");
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof path, "%s/pid", dir);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	unlink(path);
	return rmdir(dir);
}

static long written(void)
{
	FILE *f = fopen(path, "r");
	char text[32] = "";

	assert_non_null(f);
	assert_non_null(fgets(text, sizeof text, f));
	assert_null(fgets(text, 0, f));
	fclose(f);
	return strtol(text, NULL, 10);
}

static void writes_and_removes(void **state)
{
	struct err e;
	struct pidfile *p = pidfile_new(path, &e);

	(void)state;
	assert_non_null(p);
	assert_int_equal(written(), getpid());
	pidfile_free(p);
	assert_int_equal(access(path, F_OK), -1);
	pidfile_free(NULL);
}

static void held_by_another(void **state)
{
	struct err e = {0};
	struct pidfile *p = pidfile_new(path, &e);
	int status;
	pid_t child;

	(void)state;
	fflush(NULL);
	child = fork();
	if (child == 0)
		_exit(pidfile_new(path, &e) == NULL && strstr(e.msg, "another pgiam") ? 0 : 1);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	assert_int_equal(written(), getpid()); /* and left alone */
	pidfile_free(p);
}

static void fill(const char *text)
{
	FILE *f = fopen(path, "w");

	fputs(text, f);
	fclose(f);
}

/* Left by a process that was killed: taken over, nothing of it left. */
static void stale(void **state)
{
	struct err e;
	struct pidfile *p;
	struct stat st;

	(void)state;
	fill("2147483647\n"); /* more than pid_max can be */
	p = pidfile_new(path, &e);
	assert_non_null(p);
	assert_int_equal(written(), getpid());
	assert_int_equal(stat(path, &st), 0);
	assert_true(st.st_size < 11);
	/* who could open it could lock it, and wait for our end */
	assert_int_equal(st.st_mode & 07777, 0600);
	pidfile_free(p);
}

static void ours_or_empty(void **state)
{
	static const char *const good[] = {"", "0", "2147483647"};
	char own[32];
	struct err e;

	(void)state;
	for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
		fill(good[i]);
		pidfile_free(pidfile_new(path, &e));
		assert_int_equal(access(path, F_OK), -1);
	}
	snprintf(own, sizeof own, "%ld\n", (long)getpid());
	fill(own);
	pidfile_free(pidfile_new(path, &e));
	assert_int_equal(access(path, F_OK), -1);
}

/* Whose file it is can be told from what is in it only if it is exactly that. */
static void somebody_elses_file_is_left_alone(void **state)
{
	static const char *const texts[] = {
		"99999999\nrubbish\n", "\n",    "12 \n", " 12\n", "-1\n",         "+7\n",   "12\n\n",
		"[pgiam]\n",           "12x\n", "x\n",   "0x10",  "999999999999", "12\r\n", "2147483648",
	};
	struct err e;

	(void)state;
	for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
		char back[64] = "";
		FILE *f;

		fill(texts[i]);
		chmod(path, 0644);
		assert_null(pidfile_new(path, &e));
		assert_non_null(strstr(e.msg, "is no pid file"));
		assert_non_null(strstr(e.hint, "pidfile"));
		f = fopen(path, "r");
		assert_int_equal(fread(back, 1, sizeof back, f), strlen(texts[i]));
		fclose(f);
		assert_string_equal(back, texts[i]);
	}
}

/* A pid file of another program, or of a pgiam that locks another file system's. */
static void names_a_process_that_runs(void **state)
{
	struct err e;
	char text[32];

	(void)state;
	snprintf(text, sizeof text, "%ld\n", (long)getppid());
	fill(text);
	assert_null(pidfile_new(path, &e));
	assert_non_null(strstr(e.msg, "which runs"));
	assert_non_null(strstr(e.hint, "remove the file"));
	assert_int_equal(written(), getppid());
}

/* Removed by somebody, and made anew by another pgiam: not ours to remove. */
static void is_not_ours_any_more(void **state)
{
	struct err e;
	struct pidfile *first = pidfile_new(path, &e), *second;

	(void)state;
	assert_non_null(first);
	unlink(path);
	second = pidfile_new(path, &e);
	assert_non_null(second);
	pidfile_free(first);
	assert_int_equal(access(path, F_OK), 0);
	pidfile_free(second);
	assert_int_equal(access(path, F_OK), -1);
}

static void says_why_not(void **state)
{
	struct err e = {0};

	(void)state;
	assert_null(pidfile_new("/nowhere/at/all/pid", &e));
	assert_non_null(strstr(e.msg, "/nowhere/at/all/pid"));
	assert_null(pidfile_new(dir, &e));
	assert_int_equal(symlink("/etc/passwd", path), 0); /* somebody's trap */
	assert_null(pidfile_new(path, &e));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(writes_and_removes, setup, teardown),
		cmocka_unit_test_setup_teardown(held_by_another, setup, teardown),
		cmocka_unit_test_setup_teardown(stale, setup, teardown),
		cmocka_unit_test_setup_teardown(ours_or_empty, setup, teardown),
		cmocka_unit_test_setup_teardown(somebody_elses_file_is_left_alone, setup, teardown),
		cmocka_unit_test_setup_teardown(names_a_process_that_runs, setup, teardown),
		cmocka_unit_test_setup_teardown(is_not_ours_any_more, setup, teardown),
		cmocka_unit_test_setup_teardown(says_why_not, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
