/* The hot path of everything: what a transaction costs here is paid by every transaction.
 *
 * Two libevent events, because switching one of them is one epoll_ctl where re-assigning a common one
 * is two. The read event is taken out lazily: turning want_read off costs nothing unless bytes arrive
 * meanwhile, and most pauses are shorter than that. The write event is taken out at once, because a
 * socket is nearly always writable. */
#include "config.h"
#include "io/stream_private.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <event2/event.h>
#include "base/mem.h"

static void stream_on_writable(evutil_socket_t fd, short events, void *arg);

static void stream_arm_write(struct stream *s)
{
	if (!s->ev_write) {
		s->ev_write = mem_alloc(sizeof *s->ev_write);
		event_assign(s->ev_write, loop_base(s->loop), s->sock.fd, EV_WRITE | EV_PERSIST, stream_on_writable, s);
	}
	event_add(s->ev_write, NULL);
}

void stream_update(struct stream *s)
{
	unsigned need = (s->want & STREAM_READABLE ? s->read_on : 0) |
			(s->want & STREAM_WRITABLE ? s->write_on : 0) | (s->sock.kept ? STREAM_WRITABLE : 0);
	bool later = s->kicked || (s->held && (s->want & STREAM_READABLE));

	if (need & ~s->armed & STREAM_READABLE) {
		event_add(&s->ev_read, NULL);
		s->armed |= STREAM_READABLE;
	}
	if ((need ^ s->armed) & STREAM_WRITABLE) {
		if (need & STREAM_WRITABLE)
			stream_arm_write(s);
		else
			event_del(s->ev_write);
		s->armed ^= STREAM_WRITABLE;
	}
	if (later != s->later) {
		if (later)
			defer_set(&s->soon);
		else
			defer_clear(&s->soon);
		s->later = later;
	}
}

/* TLS need not wait for the other direction any more. */
static void stream_on_own(struct stream *s, unsigned what)
{
	if (what & STREAM_READABLE)
		s->read_on = STREAM_READABLE;
	if (what & STREAM_WRITABLE)
		s->write_on = STREAM_WRITABLE;
	stream_update(s);
}

static void stream_ready(struct stream *s, unsigned fired)
{
	unsigned what = 0;

	if (s->read_on & fired)
		what |= STREAM_READABLE;
	if (s->write_on & fired)
		what |= STREAM_WRITABLE;
	what &= s->want;
	if (!what) {
		/* Nobody wants it any more, or TLS waits for the other direction: now it would spin. */
		event_del(fired == STREAM_READABLE ? &s->ev_read : s->ev_write);
		s->armed &= ~fired;
		return;
	}
	if (((what & STREAM_READABLE) && s->read_on != STREAM_READABLE) ||
	    ((what & STREAM_WRITABLE) && s->write_on != STREAM_WRITABLE))
		stream_on_own(s, what);
	s->cb(s->arg, what);
}

ssize_t stream_broken(struct stream *s, const char *why)
{
	char text[128];

	if (!s->error)
		s->error = mem_strdup(why ? why : strerror_r(s->sock.error, text, sizeof text));
	sock_forget(&s->sock);
	return STREAM_FAIL;
}

static ssize_t stream_unwritable(struct stream *s)
{
	s->mute = true;
	return stream_broken(s, NULL);
}

static void stream_on_readable(evutil_socket_t fd, short events, void *arg)
{
	struct stream *s = arg;

	(void)fd;
	(void)events;
	s->sock.drained = false;
	stream_ready(s, STREAM_READABLE);
}

static void stream_on_writable(evutil_socket_t fd, short events, void *arg)
{
	struct stream *s = arg;
	ssize_t r;

	(void)fd;
	(void)events;
	s->sock.clogged = false;
	/* First what the socket's BIO kept, whether or not the owner wants to write: he could not before. */
	r = sock_flush(&s->sock);
	if (r == SOCK_AGAIN)
		return;
	if (r == SOCK_FAIL)
		stream_unwritable(s);
	stream_ready(s, STREAM_WRITABLE);
}

static void stream_on_soon(void *arg)
{
	struct stream *s = arg;

	s->later = false;
	s->kicked = false;
	/* Still held if the owner does not read now: it is announced again, as a socket's bytes are. */
	stream_update(s);
	s->cb(s->arg, STREAM_READABLE);
}

struct stream *stream_new(struct loop *l, int fd, stream_cb cb, void *arg)
{
	struct stream *s = mem_zalloc(sizeof *s);

	s->loop = l;
	s->cb = cb;
	s->arg = arg;
	s->sock.fd = fd;
	s->read_on = STREAM_READABLE;
	s->write_on = STREAM_WRITABLE;
	event_assign(&s->ev_read, loop_base(l), fd, EV_READ | EV_PERSIST, stream_on_readable, s);
	defer_init(&s->soon, l, stream_on_soon, s);
	return s;
}

void stream_set_owner(struct stream *s, stream_cb cb, void *arg)
{
	s->cb = cb;
	s->arg = arg;
	s->want = 0;
	s->kicked = false;
	stream_update(s);
}

static void stream_release(void *p)
{
	struct stream *s = p;

	free(s->ev_write);
	free(s->error);
	free(s);
}

static void stream_shut(struct stream *s, bool notify)
{
	/* Before the descriptor goes: epoll must not keep one that is closed and handed out again. */
	event_del(&s->ev_read);
	if (s->ev_write)
		event_del(s->ev_write);
	defer_clear(&s->soon);
	stream_tls_close(s, notify);
	sock_forget(&s->sock);
	close(s->sock.fd);
	s->sock.fd = -1;
	loop_free_later(s->loop, stream_release, s);
}

void stream_close(struct stream *s)
{
	if (s)
		stream_shut(s, !s->error);
}

void stream_drain(struct stream *s)
{
	unsigned char chunk[16384];
	size_t left = STREAM_DRAIN_BYTES;
	ssize_t n;

	/* below TLS: what it would be does not matter any more */
	do {
		n = recv(s->sock.fd, chunk, sizeof chunk, MSG_DONTWAIT);
		left -= n > 0 ? (size_t)n : 0;
	} while (left >= sizeof chunk && (n > 0 || (n < 0 && errno == EINTR)));
}

ssize_t stream_read(struct stream *s, void *p, size_t n)
{
	ssize_t r;

	assert(n > 0 && !s->hs);
	if (s->error && !s->mute)
		return STREAM_FAIL;
	r = s->ssl ? stream_tls_read(s, p, n) : sock_recv(&s->sock, p, n);
	/* Known once: who asks again without an event is given a real answer. */
	if (r == SOCK_AGAIN) {
		s->sock.drained = false;
	} else if (r == SOCK_FAIL) {
		s->mute = false;
		return stream_broken(s, NULL);
	}
	return r;
}

ssize_t stream_write(struct stream *s, const void *p, size_t n)
{
	ssize_t r;

	assert(n > 0 && !s->hs);
	if (s->error)
		return STREAM_FAIL;
	r = s->ssl ? stream_tls_write(s, p, n) : sock_send(&s->sock, p, n);
	if (r == SOCK_AGAIN) {
		s->sock.clogged = false;
	} else if (r == SOCK_FAIL) {
		return stream_unwritable(s);
	}
	return r;
}

static void stream_want(struct stream *s, unsigned what, bool on)
{
	unsigned want = on ? s->want | what : s->want & ~what;

	if (want == s->want)
		return;
	s->want = want;
	stream_update(s);
}

void stream_want_read(struct stream *s, bool on)
{
	stream_want(s, STREAM_READABLE, on);
}

void stream_want_write(struct stream *s, bool on)
{
	stream_want(s, STREAM_WRITABLE, on);
}

void stream_kick(struct stream *s)
{
	s->kicked = true;
	stream_update(s);
}

bool stream_peek(struct stream *s)
{
	char c;
	ssize_t r;

	if (s->error || s->sock.eof)
		return true;
	do
		r = recv(s->sock.fd, &c, 1, MSG_PEEK | MSG_DONTWAIT);
	while (r < 0 && errno == EINTR);
	if (stream_is_tls(s) && (r > 0 || s->held))
		return stream_tls_peek(s);
	if (r >= 0)
		return true;
	if (errno == EAGAIN || errno == EWOULDBLOCK)
		return false;
	/* The kernel tells it once. */
	s->sock.error = errno;
	stream_broken(s, NULL);
	return true;
}

const char *stream_error(const struct stream *s)
{
	return s->error ? s->error : "";
}

int stream_fd(const struct stream *s)
{
	return s->sock.fd;
}

bool stream_is_tls(const struct stream *s)
{
	return s->ssl && !s->hs;
}
