#include "config.h"
#include "serve.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* False if serve_stop came first. */
static bool wait_for(struct serve *s, int fd)
{
	struct pollfd p[2] = {
		{fd,         POLLIN, 0},
                {s->quit[0], POLLIN, 0}
        };

	poll(p, 2, -1);
	return !p[1].revents;
}

static ssize_t get(SSL *ssl, int fd, void *p, size_t n)
{
	return ssl ? SSL_read(ssl, p, (int)n) : read(fd, p, n);
}

static void put(SSL *ssl, int fd, const void *p, size_t n)
{
	if (ssl)
		SSL_write(ssl, p, (int)n);
	else if (send(fd, p, n, MSG_NOSIGNAL) < 0)
		return;
}

/* Headers, and as much of a body as they promise. */
static bool complete(const char *request, size_t n)
{
	const char *end = strstr(request, "\r\n\r\n"), *length = strcasestr(request, "content-length:");

	return end && n >= (size_t)(end + 4 - request) +
				      (length && length < end ? strtoul(length + 15, NULL, 10) : 0);
}

static void talk(struct serve *s, int fd)
{
	SSL *ssl = s->tls ? SSL_new(s->tls) : NULL;
	size_t at = 0;
	char *filler = NULL;

	if (ssl && (SSL_set_fd(ssl, fd), SSL_accept(ssl) != 1))
		goto out;
	memset(s->request, 0, sizeof(s->request));
	while (!s->drop && !complete(s->request, at)) {
		ssize_t n;

		if (!(ssl && SSL_pending(ssl)) && !wait_for(s, fd))
			goto out;
		n = get(ssl, fd, s->request + at, sizeof(s->request) - 1 - at);
		if (n <= 0)
			goto out;
		at += (size_t)n;
	}
	if (s->drop)
		goto out;
	if (s->reply) {
		put(ssl, fd, s->reply, strlen(s->reply));
		filler = malloc(s->filler + 1);
		memset(filler, 'x', s->filler + 1);
		if (s->filler)
			put(ssl, fd, filler, s->filler);
	} else {
		char c;

		/* until the client or the test ends it */
		while (wait_for(s, fd) && get(ssl, fd, &c, 1) > 0)
			;
	}
out:
	free(filler);
	SSL_free(ssl);
	close(fd);
}

static void *run(void *arg)
{
	struct serve *s = arg;

	for (unsigned i = 0; i < (s->connections ? s->connections : 1); i++) {
		int fd;

		if (!wait_for(s, s->fd))
			break;
		fd = accept(s->fd, NULL, NULL);
		if (fd >= 0)
			talk(s, fd);
	}
	return NULL;
}

void serve_start(struct serve *s, const char *path)
{
	s->fd = kit_listen(&s->addr, "127.0.0.1", 16);
	snprintf(s->url, sizeof(s->url), "%s://127.0.0.1:%u%s", s->tls ? "https" : "http",
		 addr_port(&s->addr), path);
	assert_int_equal(pipe(s->quit), 0);
	assert_int_equal(pthread_create(&s->thread, NULL, run, s), 0);
}

void serve_stop(struct serve *s)
{
	close(s->quit[1]);
	pthread_join(s->thread, NULL);
	close(s->quit[0]);
	close(s->fd);
}
