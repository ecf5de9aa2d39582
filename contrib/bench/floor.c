/* The least a relay in user space can do: one thread, epoll, one connection to PostgreSQL for each client,
 * recv from one side, send to the other. No protocol, no pool. Its CPU time per transaction is the limit for
 * what a proxy may hope for.
 *
 *   floor LISTEN_PORT UPSTREAM_PORT
 *
 * A benchmark's yardstick: globals, blocking sends and connects are what make it small. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define MAX_FDS 65536

static int peer[MAX_FDS]; /* by descriptor; 0: none */
static char buf[65536];

static void watch(int ep, int fd)
{
	struct epoll_event ev = {.events = EPOLLIN, .data.fd = fd};
	int one = 1;

	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	epoll_ctl(ep, EPOLL_CTL_ADD, fd, &ev);
}

static void accept_one(int ep, int listener, const struct sockaddr_in *upstream)
{
	int c = accept(listener, NULL, NULL), s = socket(AF_INET, SOCK_STREAM, 0);

	if (c < 0 || s < 0 || c >= MAX_FDS || s >= MAX_FDS ||
	    connect(s, (const struct sockaddr *)upstream, sizeof(*upstream)) != 0) {
		close(c);
		close(s);
		return;
	}
	peer[c] = s;
	peer[s] = c;
	watch(ep, c);
	watch(ep, s);
}

static void relay(int fd)
{
	ssize_t n, w;

	if (!peer[fd]) /* its other side was closed earlier in this turn */
		return;
	n = recv(fd, buf, sizeof(buf), 0);
	if (n <= 0) {
		close(peer[fd]);
		close(fd);
		peer[peer[fd]] = 0;
		peer[fd] = 0;
		return;
	}
	for (ssize_t done = 0; done < n; done += w) {
		w = send(peer[fd], buf + done, (size_t)(n - done), MSG_NOSIGNAL);
		if (w < 0)
			break;
	}
}

int main(int argc, char **argv)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)},
			   upstream = a;
	int one = 1, listener = socket(AF_INET, SOCK_STREAM, 0), ep = epoll_create1(0);
	struct epoll_event evs[256];

	if (argc != 3) {
		fprintf(stderr, "usage: floor LISTEN_PORT UPSTREAM_PORT\n");
		return 2;
	}
	a.sin_port = htons((uint16_t)strtoul(argv[1], NULL, 10));
	upstream.sin_port = htons((uint16_t)strtoul(argv[2], NULL, 10));
	setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(listener, (struct sockaddr *)&a, sizeof(a)) != 0 || listen(listener, 1024) != 0) {
		perror("floor");
		return 1;
	}
	watch(ep, listener);
	for (;;) {
		int n = epoll_wait(ep, evs, 256, -1);
		for (int i = 0; i < n; i++) {
			if (evs[i].data.fd == listener)
				accept_one(ep, listener, &upstream);
			else
				relay(evs[i].data.fd);
		}
	}
}
