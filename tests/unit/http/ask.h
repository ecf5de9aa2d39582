/* A raw HTTP client on the same loop as the server: sends exactly the bytes it is told to. */
#ifndef PGIAM_TESTS_UNIT_HTTP_ASK_H
#define PGIAM_TESTS_UNIT_HTTP_ASK_H

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>
#include "io/addr.h"
#include "io/loop.h"

/* A listening socket on a free port of 127.0.0.1; *a gets its address. */
static inline int ask_listen(struct addr *a)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	assert_int_equal(addr_parse(a, "127.0.0.1", 0), 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&a->ss, a->len), 0);
	assert_int_equal(listen(fd, 64), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&a->ss, &a->len), 0);
	return fd;
}

static inline int ask_connect(const struct addr *a)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	assert_int_equal(connect(fd, (const struct sockaddr *)&a->ss, a->len), 0);
	return fd;
}

static inline void ask_send(int fd, const char *s, size_t n)
{
	assert_int_equal(send(fd, s, n, MSG_NOSIGNAL), (ssize_t)n);
}

/* Turns the loop until the server closes or wait_us is over. True if it closed; out gets what it said. */
static inline bool ask_read(struct loop *l, int fd, char *out, size_t size, uint64_t wait_us)
{
	uint64_t end = clock_mono_us(clock_system()) + wait_us;
	size_t at = 0;

	while (clock_mono_us(clock_system()) < end) {
		ssize_t n;

		loop_turn(l, 2000);
		n = recv(fd, out + at, size - 1 - at, MSG_DONTWAIT);
		if (n > 0)
			at += (size_t)n;
		out[at] = '\0';
		if (n == 0 || (n < 0 && errno != EAGAIN))
			return true;
	}
	out[at] = '\0';
	return false;
}

/* Sends a whole request and returns its status, or 0 if the server closed without one. */
static inline int ask(struct loop *l, const struct addr *a, const char *request, char *out, size_t size)
{
	int fd = ask_connect(a), status = 0;

	ask_send(fd, request, strlen(request));
	assert_true(ask_read(l, fd, out, size, 5000000));
	close(fd);
	if (sscanf(out, "HTTP/1.%*d %d", &status) != 1)
		status = 0;
	return status;
}

#endif
