/* For nobody else's eyes: whoever can open the file can lock it, and keep pgiam from starting again after a crash.
 *
 * The lock (flock, held while the descriptor is open) decides, not the number in the file: a number may have
 * become somebody else's. The file is removed while locked, and a file that vanished between open and lock is
 * opened anew, so that two processes never hold two files of one name. */
#include "app/pidfile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/mem.h"

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

struct pidfile *pidfile_new(const char *path, struct err *e)
{
	char text[32];
	struct pidfile *p;
	int fd = open_locked(path, e), n;

	if (fd < 0)
		return NULL;
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
