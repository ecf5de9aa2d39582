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

/* Longer text of a process that was killed: taken over, nothing of it left. */
static void stale(void **state)
{
	struct err e;
	FILE *f = fopen(path, "w");
	struct pidfile *p;
	struct stat st;

	(void)state;
	fputs("99999999\nrubbish rubbish rubbish\n", f);
	fclose(f);
	p = pidfile_new(path, &e);
	assert_non_null(p);
	assert_int_equal(written(), getpid());
	assert_int_equal(stat(path, &st), 0);
	assert_true(st.st_size < 12);
	/* who could open it could lock it, and wait for our end */
	assert_int_equal(st.st_mode & 07777, 0600);
	pidfile_free(p);
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
		cmocka_unit_test_setup_teardown(says_why_not, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
