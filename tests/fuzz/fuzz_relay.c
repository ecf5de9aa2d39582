/* proxy/relay: bytes of a client and of a server, whole messages and fragments, slow readers, ends and changes of client
 * at any time. The relay must never assert or leak; what it passes on must be what was said, in order; and when it
 * says that nothing is owed, nothing is.
 *
 * The input is a list of operations, one byte each and what it needs. */
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "base/buf.h"
#include "base/rd.h"
#include "proxy/relay.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define SAID_MAX (1u << 20)

struct end {
	int fd;          /* the harness's side; -1: closed */
	bool deaf;
	struct buf said; /* by the other end, not yet seen here */
};

struct world {
	struct loop *loop;
	struct iobuf_pool *bufs;
	struct relay relay;
	bool open;       /* relay_close was not called */
	struct stream *client;
	struct end c, s;
	/* Everything said is passed on, down and up: no query of ours, no change of client, no goodbye of ours yet. */
	bool pure_down, pure_up;
};

static void must(bool ok)
{
	if (!ok)
		abort();
}

static uint64_t still_us(const struct clock *c)
{
	(void)c;
	return 1;
}

static int64_t still_wall_us(const struct clock *c)
{
	(void)c;
	return 1;
}

/* Made once: what a run leaves behind is checked to be nothing. */
static struct world *world_get(void)
{
	static const struct clock clock = {still_us, still_wall_us};
	static struct world w;

	if (!w.loop) {
		w.loop = loop_new(&clock, NULL, NULL);
		w.bufs = iobuf_pool_new(8);
		must(w.loop);
	}
	return &w;
}

/* ---- owners ---- */

static void drop_client(struct world *w)
{
	struct iobuf *unsent;
	bool clean;

	unsent = relay_detach(&w->relay, &clean);
	must(!unsent || (unsent->sent < unsent->parsed && unsent->parsed == unsent->filled));
	iobuf_put(w->bufs, unsent);
	stream_close(w->client);
	w->client = NULL;
	w->pure_down = w->pure_up = false;
}

static void on_end(void *arg, const struct err *e)
{
	struct world *w = arg;

	must(e && e->msg[0]);
	if (w->client)
		drop_client(w);
	relay_close(&w->relay);
	w->open = false;
}

static void on_hidden(void *arg, uint8_t type, struct slice body)
{
	(void)arg;
	(void)body;
	must(type == 'E' || type == 'Z' || type == 'N');
}

static void on_reported(void *arg, struct slice body)
{
	(void)arg;
	(void)body;
}

static void on_settled(void *arg, char tx)
{
	struct world *w = arg;

	must(!w->client && w->relay.hidden == 0);
	must(inflight_idle(&w->relay.inflight) || !inflight_closed(&w->relay.inflight));
	must(tx == 'I' || tx == 'T' || tx == 'E');
}

static void on_client_end(void *arg, enum relay_end how, const struct err *e)
{
	struct world *w = arg;

	must((how == RELAY_VIOLATION) == (e != NULL));
	drop_client(w);
}

static void on_leaving(void *arg)
{
	struct world *w = arg;

	must(w->relay.busy && relay_aligned(&w->relay));
	w->pure_up = false; /* the server may be told, too */
}

static void on_ready(void *arg, char tx)
{
	struct world *w = arg;

	must(inflight_idle(&w->relay.inflight) && w->relay.hidden == 0);
	must(tx == 'I' || tx == 'T' || tx == 'E');
}

static void on_busy(void *arg)
{
	struct world *w = arg;

	must(!inflight_idle(&w->relay.inflight));
}

static const struct relay_server_ops server_ops = {on_end, on_hidden, on_reported, on_settled};
static const struct relay_client_ops client_ops = {on_client_end, on_leaving, on_ready, on_busy};

/* ---- ends ---- */

static int end_new(struct end *e)
{
	int fd[2], small = 4096;

	must(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fd) == 0);
	setsockopt(fd[0], SOL_SOCKET, SO_SNDBUF, &small, sizeof(small));
	setsockopt(fd[1], SOL_SOCKET, SO_SNDBUF, &small, sizeof(small));
	e->fd = fd[0];
	e->deaf = false;
	buf_init(&e->said, SAID_MAX);
	return fd[1];
}

static void end_close(struct end *e)
{
	if (e->fd >= 0)
		close(e->fd);
	e->fd = -1;
	buf_free(&e->said);
}

/* What is heard here must be what was said there. */
static void end_read(struct end *e, bool pure)
{
	unsigned char chunk[8192];
	ssize_t n;

	while (e->fd >= 0 && !e->deaf && (n = recv(e->fd, chunk, sizeof(chunk), 0)) > 0) {
		if (!pure)
			continue;
		must((size_t)n <= e->said.n && memcmp(chunk, e->said.p, (size_t)n) == 0);
		buf_drop_front(&e->said, (size_t)n);
	}
}

static void end_say(struct world *w, struct end *from, struct end *to, const void *p, size_t n)
{
	ssize_t sent = from->fd >= 0 && n > 0 ? send(from->fd, p, n, MSG_NOSIGNAL) : 0;

	if (sent > 0 && (to == &w->c ? w->pure_down : w->pure_up) && to->fd >= 0)
		must(buf_add(&to->said, p, (size_t)sent) == 0);
}

static void turn(struct world *w)
{
	loop_turn(w->loop, 0);
	end_read(&w->c, w->pure_down);
	end_read(&w->s, w->pure_up);
	must(iobuf_in_use(w->bufs) <= 2);
	must(w->relay.inflight.count <= INFLIGHT_MAX_RUNS);
}

/* ---- operations ---- */

static void say_message(struct world *w, struct rd *r, bool client)
{
	static const char client_types[] = "QPBDECHSFXdcfdQS", server_types[] = "123CDEIGHNSTVWZcdnstAZZC";
	static const char tx[] = "IITE";
	unsigned char m[5 + 255] = {0};
	uint8_t pick = rd_u8(r), n = rd_u8(r);

	m[0] = (unsigned char)(client ? client_types[pick % (sizeof(client_types) - 1)]
	                              : server_types[pick % (sizeof(server_types) - 1)]);
	if (!client && m[0] == 'Z') {
		m[5] = (unsigned char)tx[n % 4];
		n = 1;
	} else if (!client && m[0] == 'S') {
		memcpy(m + 5, "a\0b", 4);
		n = 4;
	} else if (!client && m[0] == 'E') {
		memcpy(m + 5, n & 1 ? "SFATAL\0" : "SERROR\0", 8);
		n = 8;
	}
	m[4] = (unsigned char)(n + 4);
	m[3] = (unsigned char)((n + 4) >> 8);
	if (client)
		end_say(w, &w->c, &w->s, m, 5u + n);
	else
		end_say(w, &w->s, &w->c, m, 5u + n);
}

static void say_bytes(struct world *w, struct rd *r, bool client)
{
	size_t n = rd_u8(r);
	struct slice b = rd_bytes(r, n < r->left ? n : r->left);

	if (client)
		end_say(w, &w->c, &w->s, b.p, b.n);
	else
		end_say(w, &w->s, &w->c, b.p, b.n);
}

/* A large message, so that buffers fill up and sides block. */
static void say_much(struct world *w, bool client)
{
	static unsigned char m[40000];

	m[0] = client ? 'd' : 'D';
	m[2] = (sizeof(m) - 1) >> 16;
	m[3] = (unsigned char)((sizeof(m) - 1) >> 8);
	m[4] = (unsigned char)(sizeof(m) - 1);
	if (client)
		end_say(w, &w->c, &w->s, m, sizeof(m));
	else
		end_say(w, &w->s, &w->c, m, sizeof(m));
}

static void attach(struct world *w)
{
	struct relay *r = &w->relay;
	int fd;

	if (!w->open || w->client || !inflight_idle(&r->inflight) || r->hidden > 0 || r->up.b || !relay_aligned(r) ||
	    !relay_server_quiet(r))
		return;
	end_close(&w->c);
	fd = end_new(&w->c);
	w->client = stream_new(w->loop, fd, NULL, NULL);
	relay_attach(r, w->client, NULL, &client_ops, w);
	relay_start(r);
}

static void query(struct world *w)
{
	struct relay *r = &w->relay;

	if (!w->open || w->client || !inflight_idle(&r->inflight) || r->hidden > 0 || r->up.b || !relay_aligned(r))
		return;
	w->pure_down = w->pure_up = false;
	relay_query(r, "DISCARD ALL");
}

static void operate(struct world *w, struct rd *r)
{
	uint8_t op = rd_u8(r);

	switch (op % 16) {
	case 0:
	case 1:
	case 2: say_message(w, r, true); break;
	case 3:
	case 4:
	case 5: say_message(w, r, false); break;
	case 6: say_bytes(w, r, true); break;
	case 7: say_bytes(w, r, false); break;
	case 8: say_much(w, op & 16); break;
	case 9: w->c.deaf = !w->c.deaf; break;
	case 10: w->s.deaf = !w->s.deaf; break;
	case 11:
		if (w->client && op & 16)
			drop_client(w);
		attach(w);
		break;
	case 12: query(w); break;
	case 13:
		if (w->c.fd >= 0 && shutdown(w->c.fd, SHUT_WR) == 0 && op & 16)
			end_close(&w->c);
		break;
	case 14:
		if (op == 14) /* rarely: it is the end of everything */
			end_close(&w->s);
		break;
	default: turn(w); break;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct world *w = world_get();
	struct rd r = rd_init(slice_of(data, size));
	int server_fd = end_new(&w->s);

	w->c.fd = -1;
	w->pure_down = w->pure_up = w->open = true;
	relay_init(&w->relay, w->bufs, stream_new(w->loop, server_fd, NULL, NULL), &server_ops, w);
	attach(w);
	for (unsigned ops = 0; ops < 2000 && r.left > 0; ops++)
		operate(w, &r);
	w->c.deaf = w->s.deaf = false;
	for (int i = 0; i < 4; i++)
		turn(w);
	end_close(&w->c);
	end_close(&w->s);
	turn(w);
	if (w->client)
		drop_client(w);
	relay_close(&w->relay);
	loop_turn(w->loop, 0);
	must(iobuf_in_use(w->bufs) == 0);
	return 0;
}
