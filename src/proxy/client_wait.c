/* What a client says before it has a server: from the first byte of its session, or before it was welcomed, until the pool
 * has a server for it. */
#include "pg/frame.h"
#include "proxy/client_private.h"

#define FIRST_READ_MAX 8192

/* The first bytes of a session are here: they need a server, unless they say goodbye. */
static void ask_for_server(struct client *c)
{
	if (c->in.n >= FRAME_HEAD_BYTES && c->in.p[0] == 'X') {
		client_because(c, "terminate");
		client_close(c);
		return;
	}
	client_set_state(c, CLIENT_WAIT);
	pool_wait(c->pool, &c->waiter, POOL_SERVER);
}

/* Reads at most max <= FIRST_READ_MAX bytes more; see stream_read for what it returns. */
static ssize_t read_in(struct client *c, size_t max)
{
	unsigned char chunk[FIRST_READ_MAX];
	ssize_t n = stream_read(c->stream, chunk, max);

	if (n > 0)
		buf_add(&c->in, chunk, (size_t)n);
	return n;
}

/* Reads on while it waits, so that one that goes away is noticed: it must not be given a server for nothing. Whoever has
 * only closed its side may want its answer: it keeps its place for a while. */
void client_read_waiting(struct client *c)
{
	size_t have = c->in.n, room = have < FIRST_READ_MAX ? FIRST_READ_MAX - have : 0;
	ssize_t n = room > 0 ? read_in(c, room) : STREAM_AGAIN;

	if (n > 0 || (n == STREAM_AGAIN && room > 0))
		return;
	stream_want_read(c->stream, false);
	if (n == STREAM_AGAIN)
		return; /* it has said a lot: the rest can wait */
	client_because_of_stream(c);
	if (n < 0 || have == 0) {
		client_close(c);
		return;
	}
	c->hung_up = true;
	timer_set(&c->timer, SERVER_ABANDONED_US);
}

void client_read_first(struct client *c)
{
	ssize_t n = read_in(c, FIRST_READ_MAX);

	if (n > 0) {
		client_idle_clock(c, false);
		ask_for_server(c);
	} else if (n != STREAM_AGAIN) {
		client_because_of_stream(c);
		client_close(c);
	}
}

/* Welcomed, and the welcome is out. */
static void begin_session(struct client *c)
{
	if (!c->hung_up) /* its time goes on */
		timer_clear(&c->timer);
	client_set_state(c, CLIENT_IDLE);
	if (c->in.n > 0) {
		ask_for_server(c); /* it did not wait for the welcome before it went on */
		return;
	}
	buf_free(&c->in); /* an idle client holds none */
	if (c->env->stopping) {
		client_stop(c);
	} else {
		client_idle_clock(c, true);
		stream_want_read(c->stream, true);
	}
}

void client_greet_on(struct client *c)
{
	if (client_flush(c) == 0)
		begin_session(c); /* otherwise when it is writable */
}

/* Whoever does not take its welcome is not logged in yet: it holds one of the places of those that are, and its welcome is
 * kept for it. */
void client_greet(struct client *c)
{
	uint64_t us = c->env->opts->client_login_timeout_us;

	client_set_state(c, CLIENT_GREETED);
	if (us > 0 && !c->hung_up)
		timer_set(&c->timer, us);
	client_greet_on(c);
}
