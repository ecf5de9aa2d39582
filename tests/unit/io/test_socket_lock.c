/* Who may have a socket's lock file, and who is dead. */
#include "config.h"
#include "kit.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include "base/mem.h"
#include "io/socket_lock.h"

static char *dir, *path, *name;

static int setup(void **state)
{
	(void)state;
	dir = kit_dir_new();
	path = mem_printf("%s/.s.PGSQL.5432", dir);
	name = mem_printf("%s.lock", path);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	kit_dir_free(dir);
	free(path);
	free(name);
	return 0;
}

static bool exists(void)
{
	struct stat st;

	return stat(name, &st) == 0;
}

static void put(const char *text)
{
	free(kit_write(dir, ".s.PGSQL.5432.lock", text, strlen(text)));
}

static void read_back(char text[512])
{
	int fd = open(name, O_RDONLY | O_CLOEXEC);
	ssize_t n = read(fd, text, 511);

	assert_true(n > 0);
	text[n] = '\0';
	close(fd);
}

static void is_taken_once(void **state)
{
	struct socket_lock *l;
	struct err e;
	char text[512], wanted[32];
	struct stat st;

	(void)state;
	l = socket_lock_new(path, &e);
	assert_non_null(l);
	read_back(text);
	snprintf(wanted, sizeof wanted, "%ld\npgiam\n", (long)getpid()); /* as PostgreSQL reads it */
	assert_int_equal(strncmp(text, wanted, strlen(wanted)), 0);
	assert_non_null(strstr(text, "\n5432\n"));
	assert_non_null(strstr(text, dir));
	assert_int_equal(stat(name, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_null(socket_lock_new(path, &e));
	assert_int_equal(e.code, ERR_CONFIG);
	assert_non_null(strstr(e.msg, name));
	assert_non_null(strstr(e.msg, "another pgiam"));
	socket_lock_free(l);
	assert_false(exists());
	l = socket_lock_new(path, &e);
	assert_non_null(l);
	socket_lock_free(l);
	socket_lock_free(NULL);
}

/* Another process, which lives until the pipe is closed. */
static pid_t somebody(int *keep)
{
	int p[2];
	pid_t pid;
	char c;

	assert_int_equal(pipe(p), 0);
	pid = fork();
	if (pid == 0) {
		close(p[1]);
		_exit(read(p[0], &c, 1) != 0);
	}
	close(p[0]);
	*keep = p[1];
	return pid;
}

static void numbers(void **state)
{
	struct socket_lock *l;
	struct err e;
	char text[128];
	int keep;
	pid_t pid = somebody(&keep);

	(void)state;
	/* a PostgreSQL that lives */
	snprintf(text, sizeof text, "%ld\n/var/lib/postgresql/15/main\n1700000000\n5432\n/tmp\n", (long)pid);
	put(text);
	assert_null(socket_lock_new(path, &e));
	snprintf(text, sizeof text, "process %ld", (long)pid);
	assert_non_null(strstr(e.msg, text));
	assert_non_null(strstr(e.hint, "remove"));
	assert_true(exists());
	/* a pgiam that died, its number taken by somebody else */
	snprintf(text, sizeof text, "%ld\npgiam\n1700000000\n5432\n/tmp\n", (long)pid);
	put(text);
	l = socket_lock_new(path, &e);
	assert_non_null(l);
	socket_lock_free(l);
	/* a PostgreSQL that died */
	close(keep);
	waitpid(pid, NULL, 0);
	snprintf(text, sizeof text, "%ld\n/var/lib/postgresql/15/main\n1700000000\n5432\n/tmp\n", (long)pid);
	put(text);
	l = socket_lock_new(path, &e);
	assert_non_null(l);
	socket_lock_free(l);
}

/* Ours from an earlier life in a container, or nothing that can be read. */
static void stale_files(void **state)
{
	char own[64], parent[64]; /* a shell that started us, and has the number now */
	const char *texts[] = {own, parent, "", "x", "-1\n/data\n", "99999999999999999999\n/data\n", "0\n/data\n", "12"};
	struct err e;

	(void)state;
	snprintf(own, sizeof own, "%ld\n/data\n", (long)getpid());
	snprintf(parent, sizeof parent, "%ld\n/data\n", (long)getppid());
	for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
		struct socket_lock *l;

		put(texts[i]);
		l = socket_lock_new(path, &e);
		if (!l)
			fail_msg("\"%s\": %s", texts[i], e.msg);
		socket_lock_free(l);
	}
}

static void what_is_in_the_way(void **state)
{
	struct err e;
	char *target = kit_write(dir, "precious", "x", 1), *file = mem_printf("%s/none/.s.PGSQL.5432", dir);
	struct stat st;
	struct socket_lock *l;

	(void)state;
	assert_int_equal(symlink(target, name), 0);
	assert_null(socket_lock_new(path, &e));
	assert_non_null(strstr(e.msg, "cannot open the lock file"));
	assert_int_equal(stat(target, &st), 0);
	assert_int_equal(st.st_size, 1);
	unlink(name);
	assert_int_equal(link(target, name), 0);
	assert_null(socket_lock_new(path, &e));
	assert_non_null(strstr(e.msg, "second name"));
	assert_int_equal(stat(target, &st), 0);
	assert_int_equal(st.st_size, 1);
	unlink(name);
	assert_int_equal(mkfifo(name, 0600), 0);
	assert_null(socket_lock_new(path, &e));
	assert_non_null(strstr(e.msg, "no ordinary file"));
	unlink(name);
	assert_null(socket_lock_new(file, &e));
	assert_non_null(strstr(e.hint, "directory"));
	/* removed and made anew by somebody: not ours to remove */
	l = socket_lock_new(path, &e);
	assert_non_null(l);
	unlink(name);
	put("1\n/data\n");
	socket_lock_free(l);
	assert_true(exists());
	free(target);
	free(file);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(is_taken_once, setup, teardown),
		cmocka_unit_test_setup_teardown(numbers, setup, teardown),
		cmocka_unit_test_setup_teardown(stale_files, setup, teardown),
		cmocka_unit_test_setup_teardown(what_is_in_the_way, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
