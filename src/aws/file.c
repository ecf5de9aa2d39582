#include "aws/file.h"

#include "base/regular.h"

int file_read(const char *path, const char *what, struct buf *out, struct err *e)
{
	return regular_read(path, ERR_CREDENTIALS, out, NULL, e) == 0 ? 0 : err_prefix(e, "%s", what);
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
