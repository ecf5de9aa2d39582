/* Resolve, then race. The addresses are tried in the order the system gave (RFC 6724), the next one as soon
 * as one fails or has been silent for a moment, so that a black-holed address costs 250 ms and not the whole
 * deadline. The first to connect wins; the others are closed. */
#include "config.h"
#include "io/dial.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <unistd.h>
#include <event2/event.h>
#include <event2/event_struct.h>
#include "base/buf.h"
#include "base/mem.h"

#define DIAL_PAUSE_US      250000
#define DIAL_UNIX_RETRY_US 20000

enum try_state {
	TRY_WAITING, /* its turn has not come */
	TRY_CONNECTING,
	TRY_BUSY,  /* a unix socket whose backlog is full: the kernel tells nobody when it is not */
	TRY_FAILED /* error says why */
};

struct
try {
	struct dial *dial;
	struct addr addr;
	enum try_state state;
	int fd; /* -1 if none */
	int error;
	struct event ev; /* added while TRY_CONNECTING */
};

struct dial {
	struct loop *loop;
	struct resolve_op *resolve; /* while resolving */
	struct defer first;         /* begins without resolving */
	struct timer deadline, pause;
	struct dial_opts opts;
	char *host, *hostaddr;
	dial_cb cb;
	void *arg;
	uint64_t start_us, resolved_us;
	bool stale;
	struct try *tries; /* count of them; owned */
	size_t count, next;
};

void dial_set_keepalive(int fd, const struct dial_opts *o)
{
	const struct {
		int level, name, value;
	} set[] = {
		{SOL_SOCKET,  SO_KEEPALIVE,     o->keepalive                       },
		{IPPROTO_TCP, TCP_KEEPIDLE,     o->keepalive ? o->keepidle_sec : 0 },
		{IPPROTO_TCP, TCP_KEEPINTVL,    o->keepalive ? o->keepintvl_sec : 0},
		{IPPROTO_TCP, TCP_KEEPCNT,      o->keepalive ? o->keepcnt : 0      },
		{IPPROTO_TCP, TCP_USER_TIMEOUT, o->user_timeout_ms                 },
	};

	/* A value the kernel does not take is no reason to do without the connection. */
	for (size_t i = 0; i < sizeof set / sizeof set[0]; i++)
		if (set[i].value > 0)
			setsockopt(fd, set[i].level, set[i].name, &set[i].value, sizeof set[i].value);
}

/* ---- ends ---- */

static void dial_release(void *p)
{
	struct dial *d = p;

	free(d->tries);
	free(d->host);
	free(d->hostaddr);
	free(d);
}

static void try_stop(struct try *t)
{
	if (t->fd < 0)
		return;
	event_del(&t->ev);
	close(t->fd);
	t->fd = -1;
}

static void dial_stop(struct dial *d)
{
	resolve_cancel(d->resolve);
	d->resolve = NULL;
	defer_clear(&d->first);
	timer_clear(&d->deadline);
	timer_clear(&d->pause);
	for (size_t i = 0; i < d->count; i++)
		try_stop(&d->tries[i]);
	loop_free_later(d->loop, dial_release, d);
}

void dial_cancel(struct dial *d)
{
	if (d)
		dial_stop(d);
}

static void dial_give_error(struct dial *d, const struct err *e)
{
	dial_stop(d);
	d->cb(d->arg, NULL, e);
}

static const char *try_text(const struct try *t, char *text, size_t n)
{
	switch (t->state) {
	case TRY_WAITING: return "not tried";
	case TRY_CONNECTING: return "no answer";
	case TRY_BUSY: return "the server's queue of connections is full";
	case TRY_FAILED: break;
	}
	return strerror_r(t->error, text, n);
}

static bool out_of_descriptors(const struct try *t)
{
	return t->state == TRY_FAILED && (t->error == EMFILE || t->error == ENFILE);
}

static void dial_fail(struct dial *d, enum err_code code)
{
	char text[128], where[ADDR_TEXT];
	struct err e = {0};
	struct buf b;

	if (code == ERR_CONNECT_TIMEOUT)
		err_set(&e, code, "cannot connect to %s port %u: no connection within %u.%u s", d->host,
			d->opts.port, (unsigned)(d->opts.timeout_us / CLOCK_US_PER_SEC),
			(unsigned)(d->opts.timeout_us % CLOCK_US_PER_SEC / 100000));
	else
		err_set(&e, code, "cannot connect to %s port %u: %s", d->host, d->opts.port,
			try_text(&d->tries[d->count - 1], text, sizeof text));
	buf_init(&b, sizeof e.detail);
	for (size_t i = 0; i < d->count; i++)
		buf_printf(&b, "%s%s: %s", i ? "; " : "", addr_text(&d->tries[i].addr, where),
			   try_text(&d->tries[i], text, sizeof text));
	if (d->count > 0) /* a process that was stopped finds its time over before anything was tried */
		err_detail(&e, "%s.", buf_cstr(&b));
	buf_free(&b);
	if (d->count > 0 && out_of_descriptors(&d->tries[d->count - 1]))
		err_hint(&e, "Raise the limit of open files (ulimit -n, LimitNOFILE=) or lower max_client_conn.");
	dial_give_error(d, &e);
}

static void dial_win(struct dial *d, struct try *t)
{
	struct dial_result r = {
		.fd = t->fd,
		.peer = t->addr,
		.resolve_us = d->resolved_us - d->start_us,
		.connect_us = loop_now_us(d->loop) - d->resolved_us,
		.stale_dns = d->stale,
	};
	int on = 1;

	event_del(&t->ev);
	t->fd = -1;
	if (!addr_is_unix(&t->addr)) {
		setsockopt(r.fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
		dial_set_keepalive(r.fd, &d->opts);
	}
	dial_stop(d);
	d->cb(d->arg, &r, NULL);
}

/* ---- one address ---- */

static void try_fail(struct try *t, int error)
{
	try_stop(t);
	t->state = TRY_FAILED;
	t->error = error;
}

/* A connect() to a free port of the ephemeral range of this machine can meet itself. */
static bool try_met_itself(const struct try *t)
{
	struct sockaddr_storage a, b;
	socklen_t an = sizeof a, bn = sizeof b;

	memset(&a, 0, sizeof a);
	memset(&b, 0, sizeof b);
	return !addr_is_unix(&t->addr) && getsockname(t->fd, (struct sockaddr *)&a, &an) == 0 &&
	       getpeername(t->fd, (struct sockaddr *)&b, &bn) == 0 && an == bn && memcmp(&a, &b, an) == 0;
}

/* Is it connected? Otherwise it has failed. */
static bool try_check(struct try *t, int error)
{
	if (error == 0 && try_met_itself(t))
		error = ECONNREFUSED;
	if (error == 0)
		return true;
	try_fail(t, error);
	return false;
}

static void dial_drive(struct dial *d);

static void try_on_event(evutil_socket_t fd, short what, void *arg)
{
	struct try *t = arg;
	struct dial *d = t->dial;
	int error = 0;
	socklen_t n = sizeof error;

	(void)what;
	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &n) < 0)
		error = errno;
	if (try_check(t, error))
		dial_win(d, t);
	else
		dial_drive(d);
}

/* True if connected. */
static bool try_begin(struct try *t)
{
	int rc;

	if (t->fd < 0)
		t->fd = socket(t->addr.ss.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (t->fd < 0)
		return try_check(t, errno);
	event_assign(&t->ev, loop_base(t->dial->loop), t->fd, EV_WRITE, try_on_event, t);
	do
		rc = connect(t->fd, (const struct sockaddr *)&t->addr.ss, t->addr.len);
	while (rc < 0 && errno == EINTR);
	if (rc == 0)
		return try_check(t, 0);
	if (errno == EAGAIN && addr_is_unix(&t->addr)) {
		t->state = TRY_BUSY;
		return false;
	}
	if (errno != EINPROGRESS)
		return try_check(t, errno);
	t->state = TRY_CONNECTING;
	event_add(&t->ev, NULL);
	return false;
}

/* ---- the race ---- */

/* Starts what should be under way by now. */
static void dial_drive(struct dial *d)
{
	struct try *busy = NULL;
	bool waiting = false;

	/* Only the newest attempt holds back the next: older ones had their pause. */
	while (!waiting && d->next < d->count) {
		struct try *t = &d->tries[d->next++];

		if (try_begin(t)) {
			dial_win(d, t);
			return;
		}
		waiting = t->state != TRY_FAILED;
	}
	for (size_t i = 0; i < d->next; i++) {
		waiting |= d->tries[i].state != TRY_FAILED;
		if (d->tries[i].state == TRY_BUSY)
			busy = &d->tries[i];
	}
	if (!waiting)
		dial_fail(d, ERR_CONNECT);
	else if (busy)
		timer_set(&d->pause, DIAL_UNIX_RETRY_US);
	else if (d->next < d->count)
		timer_set(&d->pause, DIAL_PAUSE_US);
}

static void dial_on_pause(void *arg)
{
	struct dial *d = arg;

	for (size_t i = 0; i < d->next; i++) {
		struct try *t = &d->tries[i];

		if (t->state == TRY_BUSY && try_begin(t)) {
			dial_win(d, t);
			return;
		}
	}
	dial_drive(d);
}

static void dial_on_deadline(void *arg)
{
	struct dial *d = arg;
	struct err e = {0};

	if (!d->resolve) {
		dial_fail(d, ERR_CONNECT_TIMEOUT);
		return;
	}
	err_set(&e, ERR_RESOLVE, "cannot resolve host name \"%s\": no answer within %u.%u s", d->host,
		(unsigned)(d->opts.timeout_us / CLOCK_US_PER_SEC),
		(unsigned)(d->opts.timeout_us % CLOCK_US_PER_SEC / 100000));
	dial_give_error(d, &e);
}

static void dial_begin(struct dial *d, const struct addr *addrs, size_t count)
{
	d->resolved_us = loop_now_us(d->loop);
	d->tries = mem_array(count, sizeof *d->tries);
	d->count = count;
	for (size_t i = 0; i < count; i++) {
		d->tries[i] = (struct try){.dial = d, .addr = addrs[i], .state = TRY_WAITING, .fd = -1};
		addr_set_port(&d->tries[i].addr, d->opts.port);
	}
	dial_drive(d);
}

static void dial_on_resolved(void *arg, const struct resolve_result *r, const struct err *e)
{
	struct dial *d = arg;

	d->resolve = NULL;
	if (e) {
		dial_give_error(d, e);
		return;
	}
	d->stale = r->stale;
	dial_begin(d, r->addrs, r->count);
}

/* ---- start ---- */

static int dial_unix_addr(const struct dial_opts *o, struct addr *a, struct err *e)
{
	char *path = mem_printf("%s/.s.PGSQL.%u", o->host, o->port);
	int r = addr_unix(a, path, e);

	free(path);
	return r;
}

/* hostaddr or a socket's directory: nothing to look up. */
static void dial_on_first(void *arg)
{
	struct dial *d = arg;
	struct addr a;
	struct err e = {0};
	int r;

	if (d->opts.hostaddr) {
		r = addr_parse(&a, d->opts.hostaddr, d->opts.port);
		if (r < 0)
			err_set(&e, ERR_RESOLVE, "hostaddr \"%s\" is no IP address", d->opts.hostaddr);
	} else {
		r = dial_unix_addr(&d->opts, &a, &e);
	}
	if (r < 0)
		dial_give_error(d, &e);
	else
		dial_begin(d, &a, 1);
}

struct dial *dial_start(struct loop *l, struct resolver *rs, struct mailbox *mb, const struct dial_opts *o,
			dial_cb cb, void *arg)
{
	struct dial *d = mem_zalloc(sizeof *d);

	d->loop = l;
	d->opts = *o;
	d->host = mem_strdup(o->host);
	d->hostaddr = mem_strdup(o->hostaddr);
	d->opts.host = d->host;
	d->opts.hostaddr = d->hostaddr;
	d->cb = cb;
	d->arg = arg;
	d->start_us = loop_now_us(l);
	defer_init(&d->first, l, dial_on_first, d);
	timer_init(&d->deadline, l, dial_on_deadline, d);
	timer_init(&d->pause, l, dial_on_pause, d);
	timer_set(&d->deadline, o->timeout_us);
	if (d->hostaddr || d->host[0] == '/' || d->host[0] == '@')
		defer_set(&d->first);
	else
		d->resolve = resolve_start(rs, l, mb, d->host, dial_on_resolved, d);
	return d;
}
