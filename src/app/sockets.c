#include "app/sockets.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include "base/mem.h"

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

int sockets_open(struct sockets *s, const struct conf_listen *listen, size_t count,
		 const struct listen_opts *o, struct err *e)
{
	size_t opened = 0;

	*s = (struct sockets){.listen = listen, .count = count, .fd = mem_array(count, sizeof(int))};
	for (size_t i = 0; i < count; i++)
		s->fd[i] = -1;
	for (size_t i = 0; i < count; i++) {
		s->fd[i] = listener_open(&listen[i].addr, o, e);
		opened += s->fd[i] >= 0;
		if (s->fd[i] < 0 && !(listen[i].optional && is_missing(&listen[i].addr)))
			goto fail;
	}
	if (opened || count == 0)
		return 0;
fail:
	sockets_close(s);
	return -1;
}

void sockets_close(struct sockets *s)
{
	for (size_t i = 0; i < s->count; i++)
		if (s->fd[i] >= 0)
			listener_close_fd(s->fd[i], &s->listen[i].addr);
	free(s->fd);
	*s = (struct sockets){0};
}

void sockets_text(const struct sockets *s, char *out, size_t size)
{
	size_t at = 0;

	out[0] = '\0';
	for (size_t i = 0; i < s->count; i++) {
		if (s->fd[i] < 0)
			continue;
		int n = snprintf(out + at, size - at, "%s%s", at ? " " : "", s->listen[i].text);

		if (n < 0 || (size_t)n >= size - at)
			return;
		at += (size_t)n;
	}
}
