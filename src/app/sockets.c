#include "app/sockets.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/un.h>
#include <unistd.h>
#include "base/mem.h"
#include "io/socket_lock.h"

struct sockets_entry {
	struct addr addr;
	char *text;
	bool passed_on;
	struct socket_lock *lock; /* of a unix socket with a file, if it is ours */
};

static void add(struct sockets *s, int fd, struct sockets_entry entry)
{
	s->fd = mem_resize(s->fd, (s->count + 1) * sizeof(s->fd[0]));
	s->more = mem_resize(s->more, (s->count + 1) * sizeof(s->more[0]));
	s->fd[s->count] = fd;
	s->more[s->count++] = entry;
}

/* Does this machine lack the address altogether? Tried anew, because listener_open says it in words. */
static bool is_missing(const struct addr *a)
{
	int fd = socket(a->ss.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	bool missing;

	if (fd < 0)
		return errno == EAFNOSUPPORT;
	struct addr any = *a;

	addr_set_port(&any, 0);
	missing = bind(fd, (const struct sockaddr *)&any.ss, any.len) < 0 && errno == EADDRNOTAVAIL;
	close(fd);
	return missing;
}

static int open_one(struct sockets *s, const struct conf_listen *l, const struct listen_opts *o, struct err *e)
{
	const struct sockaddr_un *un = (const struct sockaddr_un *)(const void *)&l->addr.ss;
	struct socket_lock *lock = NULL;
	int fd;

	if (addr_is_unix(&l->addr) && un->sun_path[0] && (lock = socket_lock_new(un->sun_path, e)) == NULL)
		return err_prefix(e, "cannot listen on %s", l->text);
	fd = listener_open(&l->addr, o, e);
	if (fd < 0) {
		socket_lock_free(lock);
		return -1;
	}
	add(s, fd, (struct sockets_entry){.addr = l->addr, .text = mem_strdup(l->text), .lock = lock});
	return 0;
}

int sockets_open(struct sockets *s, const struct conf_listen *listen, size_t count,
		 const struct listen_opts *o, struct err *e)
{
	*s = (struct sockets){0};
	for (size_t i = 0; i < count; i++)
		if (open_one(s, &listen[i], o, e) < 0 && !(listen[i].optional && is_missing(&listen[i].addr)))
			goto fail;
	if (s->count || count == 0)
		return 0;
fail:
	sockets_close(s);
	return -1;
}

void sockets_add(struct sockets *s, int fd, const struct addr *a)
{
	char text[ADDR_TEXT];

	add(s, fd, (struct sockets_entry){.addr = *a, .text = mem_strdup(addr_text(a, text)), .passed_on = true});
}

/* The files, once nobody listens. */
static void remove_files(struct sockets_entry *m)
{
	if (!m->passed_on)
		listener_remove_file(&m->addr);
	socket_lock_free(m->lock);
	m->lock = NULL;
}

void sockets_close(struct sockets *s)
{
	for (size_t i = 0; i < s->count; i++) {
		close(s->fd[i]);
		remove_files(&s->more[i]);
		free(s->more[i].text);
	}
	free(s->fd);
	free(s->more);
	*s = (struct sockets){0};
}

/* Not close: another thread may be about to accept, and the number would be the next descriptor's. */
void sockets_refuse(struct sockets *s)
{
	for (size_t i = 0; i < s->count; i++)
		if (!s->more[i].passed_on)
			(void)shutdown(s->fd[i], SHUT_RDWR);
}

void sockets_abandon(struct sockets *s)
{
	sockets_refuse(s);
	for (size_t i = 0; i < s->count; i++)
		remove_files(&s->more[i]);
}

void sockets_text(const struct sockets *s, char *out, size_t size)
{
	size_t at = 0;

	out[0] = '\0';
	for (size_t i = 0; i < s->count; i++) {
		int n = snprintf(out + at, size - at, "%s%s", at ? " " : "", s->more[i].text);

		if (n < 0 || (size_t)n >= size - at)
			return;
		at += (size_t)n;
	}
}
