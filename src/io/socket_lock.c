/* Among pgiams flock decides. PostgreSQL holds no flock; of its files the number decides, as it does for PostgreSQL. Which
 * of the two wrote the file tells the second line. */
#include "config.h"
#include "io/socket_lock.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/clock.h"
#include "base/mem.h"
#include "io/lock_file.h"

#define OUR_LINE "pgiam" /* where PostgreSQL writes its data directory */

struct socket_lock {
	char *path;
	int fd;
};

/* Who stands in a file that nobody has locked: a process that lives and is no pgiam, or 0. */
static long holder(int fd)
{
	char text[256], *end;
	ssize_t n = pread(fd, text, sizeof text - 1, 0);
	long pid;

	if (n <= 0)
		return 0;
	text[n] = '\0';
	errno = 0;
	pid = strtol(text, &end, 10);
	if (errno || pid <= 0 || pid > INT_MAX || *end != '\n')
		return 0;
	if (strncmp(end + 1, OUR_LINE "\n", sizeof(OUR_LINE)) == 0)
		return 0;
	if (pid == getpid() || pid == getppid()) /* ours by now */
		return 0;
	return kill((pid_t)pid, 0) == 0 || errno == EPERM ? pid : 0;
}

/* The locked file of this name, unless it is somebody's who lives. */
static int take(const char *name, struct err *e)
{
	int fd = lock_file_open(name, "lock file", ERR_CONFIG, e);
	long pid;

	if (fd < 0)
		return -1;
	pid = holder(fd);
	if (pid == 0)
		return fd;
	close(fd);
	err_set(e, ERR_CONFIG, "the lock file %s belongs to process %ld, which runs", name, pid);
	err_hint(e, "If that process is not a PostgreSQL with this socket, remove the file.");
	return -1;
}

struct socket_lock *socket_lock_new(const char *path, struct err *e)
{
	const char *slash = strrchr(path, '/'), *dot = strrchr(path, '.');
	char *name = mem_printf("%s.lock", path), *text;
	struct socket_lock *l;
	int fd = take(name, e);
	ssize_t n;

	if (fd < 0) {
		free(name);
		return NULL;
	}
	/* process, who, since when, port, directory */
	text = mem_printf("%ld\n" OUR_LINE "\n%lld\n%s\n%.*s\n", (long)getpid(), (long long)(clock_wall_us(clock_system()) / (int64_t)CLOCK_US_PER_SEC),
			  dot ? dot + 1 : "",
			  slash ? (int)(slash - path) : 0, path);
	n = (ssize_t)strlen(text);
	if (ftruncate(fd, 0) < 0 || pwrite(fd, text, (size_t)n, 0) != n) {
		err_set(e, ERR_CONFIG, "cannot write the lock file %s: %m", name);
		(void)unlink(name);
		close(fd);
		free(text);
		free(name);
		return NULL;
	}
	free(text);
	l = mem_zalloc(sizeof *l);
	l->path = name;
	l->fd = fd;
	return l;
}

void socket_lock_free(struct socket_lock *l)
{
	if (l == NULL)
		return;
	if (lock_file_is_current(l->fd, l->path))
		(void)unlink(l->path);
	close(l->fd);
	free(l->path);
	free(l);
}
