/* Everything here is non-blocking and local, so that a turn of the simulator has an end and the same outcome every time. */
#include "peer.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

void peer_init(struct peer *p, int fd)
{
	*p = (struct peer){.fd = fd};
	buf_init(&p->in, PEER_MAX);
	buf_init(&p->out, PEER_MAX);
	if (fd >= 0 && fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK) != 0)
		abort();
}

void peer_close(struct peer *p)
{
	SSL_free(p->ssl);
	p->ssl = NULL;
	if (p->fd >= 0)
		close(p->fd);
	p->fd = -1;
	buf_free(&p->in);
	buf_free(&p->out);
}

void peer_say(struct peer *p, const void *bytes, size_t n)
{
	if (p->fd >= 0 && buf_add(&p->out, bytes, n) != 0)
		abort(); /* a test that says too much at once */
}

static void tls(struct peer *p, SSL_CTX *ctx)
{
	p->ssl = SSL_new(ctx);
	SSL_set_fd(p->ssl, p->fd);
	p->handshaking = true;
}

void peer_tls_accept(struct peer *p, SSL_CTX *ctx)
{
	tls(p, ctx);
	SSL_set_accept_state(p->ssl);
}

void peer_tls_connect(struct peer *p, SSL_CTX *ctx)
{
	tls(p, ctx);
	SSL_set_connect_state(p->ssl);
}

/* > 0 bytes, 0 nothing now, -1 the end is noted. */
static int outcome(struct peer *p, ssize_t n)
{
	int e;

	if (n > 0)
		return (int)n;
	if (p->ssl) {
		e = SSL_get_error(p->ssl, (int)n);
		if (e == SSL_ERROR_WANT_READ || e == SSL_ERROR_WANT_WRITE)
			return 0;
		p->broken = e != SSL_ERROR_ZERO_RETURN;
	} else if (n < 0) {
		if (errno == EAGAIN || errno == EWOULDBLOCK)
			return 0;
		p->broken = true;
	}
	p->eof = true;
	return -1;
}

static bool read_some(struct peer *p)
{
	bool moved = false;
	size_t left = p->step ? p->step : PEER_MAX;
	static char chunk[65536]; /* not on the stack: sanitizers would paint it every time */

	while (!p->deaf && !p->eof && left > 0) {
		size_t want = left < sizeof(chunk) ? left : sizeof(chunk);
		ssize_t n = p->ssl ? SSL_read(p->ssl, chunk, (int)want) : recv(p->fd, chunk, want, 0);
		int got = outcome(p, n);

		moved |= got != 0;
		if (got <= 0)
			break;
		if (buf_add(&p->in, chunk, (size_t)got) != 0)
			abort();
		p->got += (uint64_t)got;
		left -= (size_t)got;
		if (p->in.n > PEER_MAX / 2)
			break; /* whoever owns it takes it out first */
	}
	return moved;
}

static bool write_some(struct peer *p)
{
	bool moved = false;
	size_t left = p->step ? p->step : PEER_MAX;

	while (p->out.n > 0 && left > 0) {
		size_t want = p->out.n < left ? p->out.n : left;
		ssize_t n = p->ssl ? SSL_write(p->ssl, p->out.p, (int)want)
		                   : send(p->fd, p->out.p, want, MSG_NOSIGNAL);

		if (n <= 0) {
			bool eof = p->eof;
			if (outcome(p, n) < 0)
				buf_clear(&p->out); /* nobody is there to read it */
			p->eof = eof;
			break;
		}
		buf_drop_front(&p->out, (size_t)n);
		p->sent += (uint64_t)n;
		left -= (size_t)n;
		moved = true;
	}
	return moved;
}

bool peer_pump(struct peer *p)
{
	bool moved = false;

	if (p->fd < 0)
		return false;
	if (p->handshaking) {
		int rc = SSL_do_handshake(p->ssl);
		if (rc != 1) {
			bool was = p->eof;
			return outcome(p, rc) < 0 && !was;
		}
		p->handshaking = false;
		moved = true;
	}
	moved |= write_some(p);
	moved |= read_some(p);
	if (p->close_sent && p->out.n == 0) {
		buf_clear(&p->in);
		SSL_free(p->ssl);
		p->ssl = NULL;
		close(p->fd);
		p->fd = -1;
		moved = true;
	}
	return moved;
}
