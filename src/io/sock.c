/* "Short means empty" holds for stream sockets: the kernel ends a recv early only when its queue is
 * empty, and a send only when its buffer is full. What arrives later is told by epoll, which is
 * level-triggered, so nothing can be missed. */
#include "config.h" /* for syscall */
#include "io/sock.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "base/mem.h"

/* recv and send are cancellation points: in a program with threads glibc (2.36) pays two atomic operations for
 * that, all four together more than a percent of a short transaction. No thread is ever cancelled here. */
#if defined SYS_recvfrom && defined SYS_sendto && !defined WITH_SANITIZERS
static ssize_t sys_recv(int fd, void *p, size_t n)
{
	return syscall(SYS_recvfrom, fd, p, n, 0, NULL, NULL);
}

static ssize_t sys_send(int fd, const void *p, size_t n)
{
	return syscall(SYS_sendto, fd, p, n, MSG_NOSIGNAL, NULL, 0);
}
#else
static ssize_t sys_recv(int fd, void *p, size_t n)
{
	return recv(fd, p, n, 0);
}

static ssize_t sys_send(int fd, const void *p, size_t n)
{
	return send(fd, p, n, MSG_NOSIGNAL);
}
#endif

/* There only while it holds bytes: an idle connection pays a pointer. */
struct sock_kept {
	size_t sent, filled;
	unsigned char data[SOCK_KEPT_BYTES];
};

ssize_t sock_recv(struct sock *s, void *p, size_t n)
{
	ssize_t r;

	if (s->drained)
		return SOCK_AGAIN;
	do
		r = sys_recv(s->fd, p, n);
	while (r < 0 && errno == EINTR);
	if (r > 0) {
		s->drained = (size_t)r < n;
		return r;
	}
	if (r == 0) {
		s->eof = true;
		return 0;
	}
	if (errno == EAGAIN || errno == EWOULDBLOCK) {
		s->drained = true;
		return SOCK_AGAIN;
	}
	s->error = errno;
	return SOCK_FAIL;
}

ssize_t sock_send(struct sock *s, const void *p, size_t n)
{
	ssize_t r;

	if (s->clogged)
		return SOCK_AGAIN;
	do
		r = sys_send(s->fd, p, n);
	while (r < 0 && errno == EINTR);
	if (r >= 0) {
		s->clogged = (size_t)r < n;
		return r > 0 ? r : SOCK_AGAIN;
	}
	if (errno == EAGAIN || errno == EWOULDBLOCK) {
		s->clogged = true;
		return SOCK_AGAIN;
	}
	s->error = errno;
	return SOCK_FAIL;
}

/* ---- the BIO ---- */

ssize_t sock_flush(struct sock *s)
{
	struct sock_kept *k = s->kept;

	if (!k)
		return 0;
	while (k->sent < k->filled) {
		ssize_t r = sock_send(s, k->data + k->sent, k->filled - k->sent);

		if (r < 0)
			return r;
		k->sent += (size_t)r;
	}
	sock_forget(s);
	return 0;
}

void sock_forget(struct sock *s)
{
	free(s->kept);
	s->kept = NULL;
}

/* Whole or not at all. */
static bool sock_keep(struct sock *s, const char *p, size_t n)
{
	struct sock_kept *k = s->kept;

	if (n > SOCK_KEPT_BYTES - (k ? k->filled : 0))
		return false;
	if (!k) {
		k = s->kept = mem_alloc(sizeof *k);
		k->sent = k->filled = 0;
	}
	memcpy(k->data + k->filled, p, n);
	k->filled += n;
	return true;
}

static int sock_bio_read(BIO *b, char *p, size_t n, size_t *got)
{
	struct sock *s = BIO_get_data(b);
	ssize_t r;

	BIO_clear_retry_flags(b);
	if (s->reads == 0) {
		/* Looks like an empty socket; what is really in it brings the next event. */
		BIO_set_retry_read(b);
		return 0;
	}
	s->reads--;
	r = sock_recv(s, p, n);
	if (r > 0) {
		*got = (size_t)r;
		return 1;
	}
	if (r == SOCK_AGAIN)
		BIO_set_retry_read(b);
	return 0;
}

/* Of n bytes the socket took *put. */
static int sock_bio_keep(BIO *b, const char *p, size_t n, size_t *put)
{
	if (sock_keep(BIO_get_data(b), p + *put, n - *put))
		*put = n;
	if (*put == 0)
		BIO_set_retry_write(b);
	return *put > 0;
}

static int sock_bio_write(BIO *b, const char *p, size_t n, size_t *put)
{
	struct sock *s = BIO_get_data(b);
	ssize_t r = s->kept ? sock_flush(s) : 0;

	BIO_clear_retry_flags(b);
	if (r == 0)
		r = sock_send(s, p, n);
	if (r == SOCK_FAIL)
		return 0;
	*put = r > 0 ? (size_t)r : 0;
	return *put == n || sock_bio_keep(b, p, n, put);
}

static long sock_bio_ctrl(BIO *b, int cmd, long larg, void *parg)
{
	const struct sock *s = BIO_get_data(b);

	(void)larg;
	(void)parg;
	switch (cmd) {
	case BIO_CTRL_FLUSH: return 1;
	case BIO_CTRL_EOF: return s->eof;
	default: return 0;
	}
}

static int sock_bio_create(BIO *b)
{
	BIO_set_init(b, 1);
	return 1;
}

BIO_METHOD *sock_bio_method_new(void)
{
	BIO_METHOD *m = BIO_meth_new(BIO_TYPE_SOURCE_SINK, "pgiam socket");

	if (m && BIO_meth_set_read_ex(m, sock_bio_read) && BIO_meth_set_write_ex(m, sock_bio_write) &&
	    BIO_meth_set_ctrl(m, sock_bio_ctrl) && BIO_meth_set_create(m, sock_bio_create))
		return m;
	BIO_meth_free(m);
	return NULL;
}
