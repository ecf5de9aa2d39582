#include "config.h" /* for mkostemp */
#include "aws/cache_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include "aws/date.h"
#include "base/mem.h"

void cache_file_set(struct json *j, const char *path, struct slice text)
{
	char *copy = slice_dup(text);

	json_set_string(j, path, copy);
	mem_free_str_wipe(copy);
}

void cache_file_set_date(struct json *j, const char *path, int64_t wall_us)
{
	char date[DATE_RFC3339_SIZE];

	date_format_rfc3339(wall_us, date);
	json_set_string(j, path, date);
}

static int write_all(int fd, struct slice s)
{
	while (s.n > 0) {
		ssize_t n = write(fd, s.p, s.n);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return -1;
		s = slice_of(s.p + n, s.n - (size_t)n);
	}
	return fsync(fd);
}

static bool is_ours(const struct stat *st)
{
	return st->st_uid == geteuid() || st->st_uid == 0;
}

/* Where to write, owned: path, or what the link leads to. NULL with e. */
static char *find_target(const char *path, struct err *e)
{
	struct stat link, file;
	char *target;

	if (lstat(path, &link) != 0 || !S_ISLNK(link.st_mode))
		return mem_strdup(path);
	target = realpath(path, NULL);
	if (!target || lstat(target, &file) != 0)
		err_set(e, ERR_CREDENTIALS, "the renewed token cannot be written to %s: %m", path);
	else if (!is_ours(&link) || !is_ours(&file) || !S_ISREG(file.st_mode))
		err_set(e, ERR_CREDENTIALS, "the renewed token is not written: %s leads to %s, and one of them is not this user's",
			path, target);
	else
		return target;
	free(target);
	return NULL;
}

static int replace(const char *path, const struct json *j, struct err *e)
{
	char *temporary = mem_printf("%s.XXXXXX", path);
	int fd = mkostemp(temporary, O_CLOEXEC), rc = -1; /* mode 0600 */
	struct buf text;

	buf_init_secret(&text, 2 * CACHE_FILE_MAX);
	json_print(j, &text);
	if (fd >= 0) {
		rc = text.full ? -1 : write_all(fd, buf_slice(&text));
		if (close(fd) != 0)
			rc = -1;
		if (rc == 0)
			rc = rename(temporary, path);
	}
	if (rc != 0)
		err_set(e, ERR_CREDENTIALS, "the renewed token cannot be written to %s: %m", path);
	if (rc != 0 && fd >= 0)
		unlink(temporary);
	buf_free(&text);
	free(temporary);
	return rc;
}

int cache_file_write(const char *path, const struct json *j, struct err *e)
{
	char *target = find_target(path, e);
	int rc = target ? replace(target, j, e) : -1;

	free(target);
	return rc;
}
