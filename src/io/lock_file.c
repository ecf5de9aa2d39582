/* For nobody else's eyes: whoever can open the file can lock it, and keep pgiam from starting again after a crash.
 *
 * Its owner removes the file while it is locked, and a file that vanished between open and lock is opened anew, so that
 * two processes never hold two files of one name. */
#include "config.h"
#include "io/lock_file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

bool lock_file_is_current(int fd, const char *path)
{
	struct stat open_st, name_st;

	return fstat(fd, &open_st) == 0 && stat(path, &name_st) == 0 && open_st.st_ino == name_st.st_ino &&
	       open_st.st_dev == name_st.st_dev;
}

/* Somebody who may write to the directory can put another's file there by a second name, for us to empty: a lock file has
 * one name. (The kernel forbids that only where fs.protected_hardlinks is set.) */
static bool is_ordinary(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_nlink == 1;
}

/* A lock file begins with its process's number. */
static void say_held(int fd, const char *path, const char *what, enum err_code code, struct err *e)
{
	char text[12] = "";
	ssize_t n = pread(fd, text, sizeof(text) - 1, 0);
	size_t digits = n > 0 ? strspn(text, "0123456789") : 0;

	err_set(e, code, "the %s %s is held by another pgiam that runs%s%.*s", what, path, digits ? ", process " : "",
		(int)digits, text);
	err_hint(e, "Stop that one first, or let this one have files and ports of its own.");
}

int lock_file_open(const char *path, const char *what, enum err_code code, struct err *e)
{
	for (;;) {
		int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600);

		if (fd < 0) {
			err_set(e, code, "cannot open the %s %s: %m", what, path);
			err_hint(e, "The directory must exist and be one pgiam's user may write to; a file of that name in it "
				    "may be another user's.");
			return -1;
		}
		if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
			if (errno == EWOULDBLOCK)
				say_held(fd, path, what, code, e);
			else
				err_set(e, code, "cannot lock the %s %s: %m", what, path);
			close(fd);
			return -1;
		}
		if (!lock_file_is_current(fd, path)) {
			close(fd);
			continue;
		}
		if (is_ordinary(fd))
			return fd;
		close(fd);
		err_set(e, code, "the %s %s is no ordinary file, or another file's second name", what, path);
		err_hint(e, "See what it is, and remove it.");
		return -1;
	}
}
