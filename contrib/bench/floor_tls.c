/* The least a relay can do between a plaintext client and PostgreSQL behind TLS: like floor.c, with OpenSSL
 * on one side and read-ahead on, so that a turn costs one recv. Verifies nothing.
 *
 *   floor_tls LISTEN_PORT UPSTREAM_PORT
 *
 * A benchmark's yardstick: globals and blocking handshakes are what make it small. */
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define MAX_FDS 65536

static int peer[MAX_FDS]; /* by descriptor; 0: none */
static SSL *tls[MAX_FDS]; /* of the server's side */
static char buf[65536];

static void watch(int ep, int fd)
{
	struct epoll_event ev = {.events = EPOLLIN, .data.fd = fd};
	int one = 1;

	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	epoll_ctl(ep, EPOLL_CTL_ADD, fd, &ev);
}

/* SSLRequest and the handshake, blocking. */
static SSL *start_tls(SSL_CTX *ctx, int fd)
{
	static const char request[8] = {0, 0, 0, 8, 0x04, (char)0xd2, 0x16, 0x2f};
	char answer;
	SSL *ssl;

	if (write(fd, request, sizeof(request)) != (ssize_t)sizeof(request) || read(fd, &answer, 1) != 1 ||
	    answer != 'S')
		return NULL;
	ssl = SSL_new(ctx);
	SSL_set_fd(ssl, fd);
	if (SSL_connect(ssl) != 1) {
		SSL_free(ssl);
		return NULL;
	}
	fcntl(fd, F_SETFL, O_NONBLOCK);
	return ssl;
}

static void accept_one(int ep, int listener, const struct sockaddr_in *upstream, SSL_CTX *ctx)
{
	int c = accept(listener, NULL, NULL), s = socket(AF_INET, SOCK_STREAM, 0);

	if (c < 0 || s < 0 || c >= MAX_FDS || s >= MAX_FDS ||
	    connect(s, (const struct sockaddr *)upstream, sizeof(*upstream)) != 0 ||
	    !(tls[s] = start_tls(ctx, s))) {
		close(c);
		close(s);
		return;
	}
	peer[c] = s;
	peer[s] = c;
	watch(ep, c);
	watch(ep, s);
}

static void end(int fd)
{
	int pair[2] = {fd, peer[fd]};

	for (int i = 0; i < 2; i++) {
		SSL_free(tls[pair[i]]);
		tls[pair[i]] = NULL;
		peer[pair[i]] = 0;
		close(pair[i]);
	}
}

static void from_server(int fd)
{
	do { /* with read-ahead whole records wait inside OpenSSL: SSL_has_pending tells, SSL_pending does not
	      */
		int n = SSL_read(tls[fd], buf, sizeof(buf)), w;
		if (n <= 0) {
			if (SSL_get_error(tls[fd], n) != SSL_ERROR_WANT_READ)
				end(fd);
			return;
		}
		for (int done = 0; done < n; done += w) {
			w = (int)send(peer[fd], buf + done, (size_t)(n - done), MSG_NOSIGNAL);
			if (w < 0)
				break;
		}
	} while (SSL_has_pending(tls[fd]));
}

static void from_client(int fd)
{
	ssize_t n = recv(fd, buf, sizeof(buf), 0);
	SSL *ssl = tls[peer[fd]];
	int w;

	if (n <= 0) {
		end(fd);
		return;
	}
	do
		w = SSL_write(ssl, buf, (int)n);
	while (w <= 0 && SSL_get_error(ssl, w) == SSL_ERROR_WANT_WRITE);
}

int main(int argc, char **argv)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)},
			   upstream = a;
	int one = 1, listener = socket(AF_INET, SOCK_STREAM, 0), ep = epoll_create1(0);
	struct epoll_event evs[256];
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());

	if (argc != 3) {
		fprintf(stderr, "usage: floor_tls LISTEN_PORT UPSTREAM_PORT\n");
		return 2;
	}
	SSL_CTX_set_default_read_buffer_len(ctx, sizeof(buf));
	SSL_CTX_set_read_ahead(ctx, 1);
	a.sin_port = htons((uint16_t)strtoul(argv[1], NULL, 10));
	upstream.sin_port = htons((uint16_t)strtoul(argv[2], NULL, 10));
	setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(listener, (struct sockaddr *)&a, sizeof(a)) != 0 || listen(listener, 1024) != 0) {
		perror("floor_tls");
		return 1;
	}
	watch(ep, listener);
	for (;;) {
		int n = epoll_wait(ep, evs, 256, -1);
		for (int i = 0; i < n; i++) {
			int fd = evs[i].data.fd;
			if (fd == listener)
				accept_one(ep, listener, &upstream, ctx);
			else if (peer[fd] && tls[fd])
				from_server(fd);
			else if (peer[fd])
				from_client(fd);
		}
	}
}
