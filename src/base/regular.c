/* Opened without waiting first and looked at then: between a look and an opening another file may take the name. */
#include "base/regular.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>
#include "base/mem.h"

#define PIECE 4096

/* Takes what the descriptor has. 0, or -1 with errno. */
static int read_all(int fd, struct buf *out)
{
	unsigned char piece[PIECE];
	ssize_t n;

	do {
		n = read(fd, piece, sizeof(piece));
		if (n > 0 && buf_add(out, piece, (size_t)n) != 0) {
			errno = EFBIG;
			n = -1;
			break;
		}
	} while (n > 0 || (n < 0 && errno == EINTR));
	mem_wipe(piece, sizeof(piece)); /* many a file holds a secret */
	return (int)n;
}

int regular_read(const char *path, enum err_code code, struct buf *out, struct stat *st, struct err *e)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK), saved = errno, rc = -1;
	struct stat own;

	if (!st)
		st = &own;
	if (fd < 0) {
		err_set(e, code, "cannot open %s: %m", path);
	} else if (fstat(fd, st) != 0 || !S_ISREG(st->st_mode)) {
		saved = EINVAL;
		err_set(e, code, "%s is no regular file", path);
	} else if (read_all(fd, out) == 0) {
		rc = 0;
	} else {
		saved = errno;
		if (saved == EFBIG)
			err_set(e, code, "%s is longer than %zu bytes", path, out->max);
		else
			err_set(e, code, "cannot read %s: %m", path);
	}
	if (fd >= 0)
		close(fd);
	errno = saved;
	return rc;
}

bool regular_look(const char *path, struct regular_mark *out)
{
	struct stat st;

	*out = (struct regular_mark){.present = stat(path, &st) == 0};
	if (out->present) {
		out->dev = st.st_dev;
		out->ino = st.st_ino;
		out->size = st.st_size;
		out->mtime = st.st_mtim;
		out->ctime = st.st_ctim;
	}
	return out->present;
}

static bool same_time(const struct timespec *a, const struct timespec *b)
{
	return a->tv_sec == b->tv_sec && a->tv_nsec == b->tv_nsec;
}

bool regular_changed(const char *path, const struct regular_mark *since)
{
	struct regular_mark now;

	regular_look(path, &now);
	return now.present != since->present || now.dev != since->dev || now.ino != since->ino ||
	       now.size != since->size || !same_time(&now.mtime, &since->mtime) || !same_time(&now.ctime, &since->ctime);
}
