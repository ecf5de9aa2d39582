#include "config.h" /* for mkostemp */
#include "aws/cache_file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "aws/date.h"
#include "base/mem.h"

#define LINKS_MAX 40 /* the kernel follows no more */

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

bool cache_file_life(const struct json *answer, double max_sec, int64_t now_wall_us, int64_t *expires_wall_us)
{
	double sec;

	if (!json_number(answer, "expiresIn", &sec) || sec < 1 || sec > max_sec)
		return false;
	*expires_wall_us = now_wall_us + (int64_t)(sec * 1000000);
	return true;
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

/* What the link at path says, from where it stands; owned, or NULL with errno. */
static char *read_link(const char *path)
{
	const char *slash = strrchr(path, '/');
	char text[PATH_MAX];
	ssize_t n = readlink(path, text, sizeof(text));

	if (n == PATH_MAX)
		errno = ENAMETOOLONG;
	if (n < 0 || n == PATH_MAX)
		return NULL;
	if (text[0] == '/' || !slash)
		return mem_strndup(text, (size_t)n);
	return mem_printf("%.*s/%.*s", (int)(slash - path), path, (int)n, text);
}

/* One step on: what is at path, a link or what a link leads to, says. NULL with e: nothing, or nothing to be followed. */
static char *follow(const char *path, const struct stat *at, const char *from, struct err *e)
{
	char *next = NULL;

	if (!is_ours(at) || !S_ISLNK(at->st_mode))
		err_set(e, ERR_CREDENTIALS, "the renewed token is not written: %s leads to %s, which is not this user's, or no file",
			from, path);
	else if (!(next = read_link(path)))
		err_set(e, ERR_CREDENTIALS, "the renewed token cannot be written to %s: %m", from);
	return next;
}

/* Where to write, owned: path, or what the link leads to. Step by step: each link on the way has a say in it. NULL with e. */
static char *find_target(const char *path, struct err *e)
{
	char *at = mem_strdup(path), *next;
	struct stat st;

	for (unsigned links = 0; links <= LINKS_MAX; links++) {
		bool there = lstat(at, &st) == 0;

		if (links == 0 ? !there || !S_ISLNK(st.st_mode) : there && S_ISREG(st.st_mode) && is_ours(&st))
			return at;
		if (!there)
			break;
		next = follow(at, &st, path, e);
		free(at);
		if (!next)
			return NULL;
		at = next;
		errno = ELOOP;
	}
	err_set(e, ERR_CREDENTIALS, "the renewed token cannot be written to %s: %m", path);
	free(at);
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
