/* Looked at when a client logs in, as password_file is: an idle process stays idle, and one stat(2) a second is little. */
#include "proxy/auth_store.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/mem.h"

#define LOOK_US CLOCK_US_PER_SEC

struct auth_store {
	struct loop *loop;
	const char *path;
	struct auth_users *users;
	struct stat seen;    /* of what was read last, or could not be */
	uint64_t looked_us;  /* 0: never */
};

/* Reads all of an open file into out. */
static int read_all(int fd, const char *path, struct buf *out, struct err *e)
{
	for (;;) {
		unsigned char *p = buf_space(out, 65536);
		ssize_t n;

		if (!p)
			return err_set(e, ERR_CONFIG, "%s is longer than %u bytes", path, AUTH_USERS_MAX_FILE);
		do
			n = read(fd, p, 65536);
		while (n < 0 && errno == EINTR);
		if (n < 0)
			return err_set(e, ERR_IO, "cannot read %s: %m", path);
		if (n == 0)
			return 0;
		out->n += (size_t)n;
	}
}

int auth_store_text(const char *path, struct buf *out, bool *exposed, struct err *e)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK), rc = -1; /* a FIFO must not block */
	struct stat st;

	if (fd < 0)
		return err_set(e, ERR_IO, "cannot open %s: %m", path);
	if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode))
		err_set(e, ERR_IO, "%s is not a regular file", path);
	else
		rc = read_all(fd, path, out, e);
	if (rc == 0 && exposed)
		*exposed = (st.st_mode & S_IRWXO) != 0;
	close(fd);
	return rc;
}

struct auth_users *auth_store_read(const char *path, bool *exposed, struct err *e)
{
	struct auth_users *u = NULL;
	struct buf text;

	buf_init_secret(&text, AUTH_STORE_MAX);
	if (auth_store_text(path, &text, exposed, e) == 0) {
		u = auth_users_parse(buf_slice(&text), e);
		if (!u)
			err_prefix(e, "%s", path);
	}
	buf_free(&text);
	return u;
}

struct auth_store *auth_store_new(struct loop *l, const char *path)
{
	struct auth_store *s;

	if (!path)
		return NULL;
	s = mem_zalloc(sizeof(*s));
	s->loop = l;
	s->path = path;
	return s;
}

void auth_store_free(struct auth_store *s)
{
	if (!s)
		return;
	auth_users_free(s->users);
	free(s);
}

static bool same(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_size == b->st_size &&
	       a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec &&
	       a->st_ctim.tv_sec == b->st_ctim.tv_sec && a->st_ctim.tv_nsec == b->st_ctim.tv_nsec;
}

static void look(struct auth_store *s)
{
	struct auth_users *fresh;
	struct stat st = {0}; /* stays so if it is not there */
	struct err e;
	bool first = s->looked_us == 0;

	s->looked_us = loop_now_us(s->loop);
	(void)stat(s->path, &st);
	if (!first && same(&st, &s->seen))
		return;
	s->seen = st; /* from before it is read: what changes meanwhile is seen the next time */
	fresh = auth_store_read(s->path, NULL, &e);
	if (!fresh) {
		log_error(loop_log(s->loop), "auth_file cannot be used: what it said before holds", LERR(&e));
		return;
	}
	if (!first)
		log_info(loop_log(s->loop), "auth_file was read again", LS("file", s->path));
	auth_users_free(s->users);
	s->users = fresh;
}

const struct auth_users *auth_store_users(struct auth_store *s)
{
	if (!s)
		return NULL;
	if (s->looked_us == 0 || loop_now_us(s->loop) - s->looked_us >= LOOK_US)
		look(s);
	return s->users;
}
