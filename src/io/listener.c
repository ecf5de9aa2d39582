/* Accepting: for ever, whatever happens. */
#include "config.h"
#include "io/listener.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <unistd.h>
#include <event2/event.h>
#include <event2/event_struct.h>
#include "base/mem.h"

#define LISTENER_BUDGET   16     /* accepts a turn */
#define LISTENER_PAUSE_US 100000 /* after running out of descriptors */
#define LISTENER_SAY_US   (60 * CLOCK_US_PER_SEC)

struct listener {
	struct loop *loop;
	int fd;
	accept_cb cb;
	starved_cb starved;
	void *arg;
	struct event ev;
	struct timer pause;
	struct defer accept;
	uint64_t exhausted;
	uint64_t starved_us; /* since when there have been too few descriptors; 0: there are enough */
	uint64_t said_us;    /* when that was last said; 0: never */
	bool fresh; /* this turn has accepted somebody */
	bool stopped;
};

static void listener_resume(void *arg)
{
	struct listener *ln = arg;

	event_add(&ln->ev, NULL);
}

/* Without descriptors there is no /metrics either: the log is where it can be seen, from time to time and at the end. */
static void listener_say_starved(struct listener *ln, int error)
{
	uint64_t now = loop_now_us(ln->loop);
	char text[128];

	if (ln->starved_us == 0)
		ln->starved_us = now;
	if (ln->said_us && now - ln->said_us < LISTENER_SAY_US)
		return;
	ln->said_us = now;
	log_error(loop_log(ln->loop), "cannot accept clients", LS("error", strerror_r(error, text, sizeof text)),
		  LU("seconds", (now - ln->starved_us) / CLOCK_US_PER_SEC),
		  LS("hint", "Raise the limit of open files (ulimit -n, LimitNOFILE=) or lower max_client_conn."));
}

/* Nobody waits any more. A connection accepted is no sign of that: it may have taken the last descriptor. */
static void listener_say_fed(struct listener *ln)
{
	if (ln->starved_us && ln->said_us >= ln->starved_us)
		log_info(loop_log(ln->loop), "clients are accepted again",
			 LU("seconds", (loop_now_us(ln->loop) - ln->starved_us) / CLOCK_US_PER_SEC));
	ln->starved_us = 0;
}

static void listener_pause(struct listener *ln)
{
	event_del(&ln->ev);
	timer_set(&ln->pause, LISTENER_PAUSE_US);
}

/* True: there may be more. */
static bool listener_failed(struct listener *ln, int error)
{
	switch (error) {
	case EAGAIN: listener_say_fed(ln); return false;
	case EMFILE:
	case ENFILE:
	case ENOBUFS:
	case ENOMEM:
		if (ln->fresh)
			return false; /* whoever has just come is heard first */
		ln->exhausted++;
		listener_say_starved(ln, error);
		if (!ln->starved || !ln->starved(ln->arg))
			listener_pause(ln);
		return false; /* what was given up is there in the next turn */
	/* The descriptor is not what it should be: trying again at once would spin. */
	case EBADF:
	case EINVAL:
	case ENOTSOCK:
	case EOPNOTSUPP: listener_pause(ln); return false;
	default:
		return true; /* accept(2): errors of the connection that was waiting, ECONNABORTED and such */
	}
}

static bool accept_one(struct listener *ln)
{
	struct addr peer, local;
	int on = 1, c;

	memset(&peer, 0, sizeof peer);
	memset(&local, 0, sizeof local);
	peer.len = sizeof peer.ss;
	local.len = sizeof local.ss;
	c = accept4(ln->fd, (struct sockaddr *)&peer.ss, &peer.len, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (c < 0)
		return listener_failed(ln, errno);
	ln->fresh = true;
	if (getsockname(c, (struct sockaddr *)&local.ss, &local.len) < 0)
		local.len = 0;
	if (!addr_is_unix(&local))
		setsockopt(c, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	ln->cb(ln->arg, c, &peer, &local);
	return true;
}

/* At the end of the turn, so that what was accepted in one is read before more is accepted: whoever has something to say is
 * heard before it could have to make room for others. */
static void accept_some(void *arg)
{
	struct listener *ln = arg;

	ln->fresh = false;
	for (int i = 0; i < LISTENER_BUDGET && !ln->stopped; i++)
		if (!accept_one(ln))
			return;
}

static void listener_on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct listener *ln = arg;

	(void)fd;
	(void)what;
	defer_set(&ln->accept);
}

struct listener *listener_start(struct loop *l, int fd, accept_cb cb, starved_cb starved, void *arg)
{
	struct listener *ln = mem_zalloc(sizeof *ln);

	ln->loop = l;
	ln->fd = fd;
	ln->cb = cb;
	ln->starved = starved;
	ln->arg = arg;
	timer_init(&ln->pause, l, listener_resume, ln);
	defer_init(&ln->accept, l, accept_some, ln);
	event_assign(&ln->ev, loop_base(l), fd, EV_READ | EV_PERSIST, listener_on_readable, ln);
	event_add(&ln->ev, NULL);
	return ln;
}

void listener_stop(struct listener *ln)
{
	if (!ln || ln->stopped)
		return;
	ln->stopped = true;
	event_del(&ln->ev);
	timer_clear(&ln->pause);
	defer_clear(&ln->accept);
	loop_free_later(ln->loop, free, ln);
}

uint64_t listener_exhausted(const struct listener *ln)
{
	return ln->exhausted;
}
