#include "aws/file.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#define PIECE 4096

static int read_all(int fd, struct buf *out)
{
	for (;;) {
		unsigned char piece[PIECE];
		ssize_t n = read(fd, piece, sizeof(piece));

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n == 0 ? 0 : -1;
		if (buf_add(out, piece, (size_t)n) != 0)
			return 1;
	}
}

int file_read(const char *path, const char *what, struct buf *out, struct err *e)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY), rc, saved;
	struct stat st;

	if (fd < 0) {
		saved = errno;
		err_set(e, ERR_CREDENTIALS, "%s: cannot open %s: %m", what, path);
		errno = saved;
		return -1;
	}
	if (fstat(fd, &st) == 0 && !S_ISREG(st.st_mode)) {
		close(fd);
		errno = EINVAL;
		return err_set(e, ERR_CREDENTIALS, "%s: %s is no regular file", what, path);
	}
	rc = read_all(fd, out);
	saved = errno;
	if (rc < 0)
		err_set(e, ERR_CREDENTIALS, "%s: cannot read %s: %m", what, path);
	else if (rc > 0)
		err_set(e, ERR_CREDENTIALS, "%s: %s is longer than %zu bytes", what, path, out->max);
	close(fd);
	errno = rc < 0 ? saved : 0;
	return rc == 0 ? 0 : -1;
}

int file_read_token(const char *path, const char *what, struct buf *out, struct err *e)
{
	if (file_read(path, what, out, e) != 0)
		return -1;
	while (out->n > 0 && memchr(" \t\r\n", out->p[out->n - 1], 4))
		out->n--;
	if (out->n == 0)
		return err_set(e, ERR_CREDENTIALS, "%s: %s is empty", what, path);
	for (size_t i = 0; i < out->n; i++) {
		if (out->p[i] < ' ' || out->p[i] > '~')
			return err_set(e, ERR_CREDENTIALS,
				       "%s: %s has a byte at position %zu that no token has", what, path,
				       i + 1);
	}
	return 0;
}
