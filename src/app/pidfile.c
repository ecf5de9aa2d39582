/* For nobody else's eyes: whoever can open the file can lock it, and keep pgiam from starting again after a
 * crash.
 *
 * The lock (flock, held while the descriptor is open) decides between two pgiam. The file is removed while
 * locked, and a file that vanished between open and lock is opened anew, so that two processes never hold two
 * files of one name.
 *
 * What is in the file decides whether it is a pid file at all, and nobody else's: a path with a slip in it
 * must not cost somebody a file. Only nothing, or a number and a line end, is written over, and as in
 * PgBouncer no number of a process that runs. Our own is: in a container every start may get the same. */
#include "app/pidfile.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/mem.h"

#define PID_TEXT_MAX 11 /* 2^31 and a line end */

struct pidfile {
	char *path;
	int fd;
};

/* Is the open file still the one with this name? */
static bool is_current(int fd, const char *path)
{
	struct stat open_st, name_st;

	return fstat(fd, &open_st) == 0 && stat(path, &name_st) == 0 && open_st.st_ino == name_st.st_ino &&
	       open_st.st_dev == name_st.st_dev;
}

static int open_locked(const char *path, struct err *e)
{
	for (;;) {
		int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600);

		if (fd < 0)
			return err_set(e, ERR_IO, "cannot open the pid file %s: %m", path);
		if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
			bool held = errno == EWOULDBLOCK;

			err_set(e, ERR_IO,
				held ? "the pid file %s is held by another pgiam that runs"
				     : "cannot lock the pid file %s: %m",
				path);
			close(fd);
			return -1;
		}
		if (is_current(fd, path))
			return fd;
		close(fd);
	}
}

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
	int fd = open_locked(path, e), n;

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
	(void)unlink(p->path);
	close(p->fd);
	free(p->path);
	free(p);
}
