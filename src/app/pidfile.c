/* The lock decides between two pgiam.
 *
 * What is in the file decides whether it is a pid file at all, and nobody else's: a path with a slip in it
 * must not cost somebody a file. Only nothing, or a number and a line end, is written over, and as in
 * PgBouncer no number of a process that runs. Our own is: in a container every start may get the same. */
#include "app/pidfile.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/mem.h"
#include "io/lock_file.h"

#define PID_TEXT_MAX 11 /* 2^31 and a line end */

struct pidfile {
	char *path;
	int fd;
};

/* The number in a file that holds nothing else; 0 if it is empty, -1 if it holds something else. */
static long read_pid(int fd)
{
	char text[PID_TEXT_MAX + 1];
	ssize_t n = pread(fd, text, sizeof text, 0);
	long pid = 0;
	ssize_t i;

	if (n < 0 || n > PID_TEXT_MAX)
		return -1;
	for (i = 0; i < n && text[i] >= '0' && text[i] <= '9'; i++)
		pid = pid * 10 + (text[i] - '0');
	bool whole = i == n || (i > 0 && i + 1 == n && text[i] == '\n');

	return whole && pid <= INT_MAX ? pid : -1;
}

/* May the file be written over? */
static int check_content(int fd, const char *path, struct err *e)
{
	struct stat st;
	long pid;

	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		return err_set(e, ERR_IO, "the pid file %s is not a regular file", path);
	pid = read_pid(fd);
	if (pid < 0) {
		err_set(e, ERR_IO, "%s is no pid file, and is left alone", path);
		err_hint(e, "A pid file is empty or holds one number. Choose another name for pidfile, or "
			    "remove this file.");
		return -1;
	}
	if (pid == 0 || pid == getpid() || (kill((pid_t)pid, 0) < 0 && errno == ESRCH))
		return 0;
	err_set(e, ERR_IO, "the pid file %s names process %ld, which runs", path, pid);
	err_hint(e, "If it is a pgiam, stop it; if the process is something else, remove the file.");
	return -1;
}

struct pidfile *pidfile_new(const char *path, struct err *e)
{
	char text[32];
	struct pidfile *p;
	int fd = lock_file_open(path, "pid file", ERR_IO, e), n;

	if (fd < 0)
		return NULL;
	if (check_content(fd, path, e) < 0) {
		close(fd);
		return NULL;
	}
	n = snprintf(text, sizeof text, "%ld\n", (long)getpid());
	(void)fchmod(fd, 0600); /* an old one; somebody else's is as it is */
	if (ftruncate(fd, 0) < 0 || write(fd, text, (size_t)n) != n) {
		err_set(e, ERR_IO, "cannot write the pid file %s: %m", path);
		close(fd);
		return NULL;
	}
	p = mem_zalloc(sizeof *p);
	p->path = mem_strdup(path);
	p->fd = fd;
	return p;
}

void pidfile_free(struct pidfile *p)
{
	if (p == NULL)
		return;
	if (lock_file_is_current(p->fd, p->path))
		(void)unlink(p->path);
	close(p->fd);
	free(p->path);
	free(p);
}
