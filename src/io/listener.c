/* Opening (once, at start, with messages a person can act on) and accepting (for ever, whatever happens). */
#include "config.h"
#include "io/listener.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include <event2/event.h>
#include <event2/event_struct.h>
#include "base/mem.h"
#include "io/listener_owner.h"

#define LISTENER_BUDGET   64     /* accepts a turn */
#define LISTENER_PAUSE_US 100000 /* after running out of descriptors */

/* ---- opening ---- */

/* The file of a unix socket; NULL for TCP and abstract ones. */
static const char *listener_path(const struct addr *a)
{
	const struct sockaddr_un *un = (const struct sockaddr_un *)(const void *)&a->ss;

	return addr_is_unix(a) && un->sun_path[0] ? un->sun_path : NULL;
}

/* Does nobody listen at this address any more? */
static bool listener_is_stale(const struct addr *a)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	bool stale;

	if (fd < 0)
		return false;
	stale = connect(fd, (const struct sockaddr *)&a->ss, a->len) < 0 && errno == ECONNREFUSED;
	close(fd);
	return stale;
}

static int listener_bind(int fd, const struct addr *a)
{
	const char *path = listener_path(a);
	struct stat st;

	if (bind(fd, (const struct sockaddr *)&a->ss, a->len) == 0)
		return 0;
	if (errno != EADDRINUSE || !path)
		return -1;
	if (lstat(path, &st) < 0 || !S_ISSOCK(st.st_mode) || !listener_is_stale(a) || unlink(path) < 0) {
		errno = EADDRINUSE;
		return -1;
	}
	return bind(fd, (const struct sockaddr *)&a->ss, a->len);
}

static int listener_explain(const struct addr *a, int error, struct err *e)
{
	char where[ADDR_TEXT], text[128], owner[LISTENER_OWNER_TEXT];
	const char *path = listener_path(a);
	struct stat st;

	err_set(e, ERR_CONFIG, "cannot listen on %s: %s", addr_text(a, where),
		strerror_r(error, text, sizeof text));
	if (error == EADDRINUSE && path && lstat(path, &st) == 0 && !S_ISSOCK(st.st_mode))
		err_detail(e, "A file that is no socket is in the way.");
	else if (error == EADDRINUSE && listener_owner(a, owner))
		err_detail(e, "It is in use by %s.", owner);
	if (error == EACCES && !path)
		err_hint(e, "Ports below 1024 need CAP_NET_BIND_SERVICE; use another one.");
	else if (error == EADDRNOTAVAIL)
		err_hint(e, "No interface of this machine has that address.");
	else if (error == EAFNOSUPPORT)
		err_hint(e, "This machine has no IPv6; leave that address out.");
	return -1;
}

/* A unix socket's mode must be right before anybody can connect: no umask, which is the whole process's. What
 * is bound cannot be connected to until it listens. */
static int listener_set_mode(const struct addr *a, mode_t mode)
{
	const char *path = listener_path(a);

	return path && chmod(path, mode) < 0 ? -1 : 0;
}

int listener_open(const struct addr *a, const struct listen_opts *o, struct err *e)
{
	int fd = socket(a->ss.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), on = 1, error;

	if (fd < 0)
		return listener_explain(a, errno, e);
	if (!addr_is_unix(a))
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
	if (a->ss.ss_family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
	if (listener_path(a))
		fchmod(fd, o->unix_mode); /* the file is born with it, less the umask */
	if (listener_bind(fd, a) == 0) {
		if (listener_set_mode(a, o->unix_mode) == 0 && listen(fd, o->backlog) == 0)
			return fd;
		error = errno;
		if (listener_path(a))
			unlink(listener_path(a));
	} else {
		error = errno;
	}
	close(fd);
	return listener_explain(a, error, e);
}

void listener_close_fd(int fd, const struct addr *a)
{
	const char *path = listener_path(a);

	if (fd < 0)
		return;
	close(fd);
	/* Not if a successor has put its own socket there already. */
	if (path && listener_is_stale(a))
		unlink(path);
}

/* ---- accepting ---- */

struct listener {
	struct loop *loop;
	int fd;
	accept_cb cb;
	void *arg;
	struct event ev;
	struct timer pause;
	uint64_t exhausted;
	bool starved; /* since the last connection accepted, and it has been said */
	bool stopped;
};

static void listener_resume(void *arg)
{
	struct listener *ln = arg;

	event_add(&ln->ev, NULL);
}

/* Without descriptors there is no /metrics either: the log is where it can be seen. */
static void listener_say_starved(struct listener *ln, int error)
{
	char text[128];

	if (!ln->starved)
		log_error(loop_log(ln->loop), "cannot accept clients",
			  LS("error", strerror_r(error, text, sizeof text)),
			  LS("hint", "Raise the limit of open files (ulimit -n, LimitNOFILE=) or lower "
				     "max_client_conn."));
	ln->starved = true;
}

/* True: there may be more. */
static bool listener_failed(struct listener *ln, int error)
{
	switch (error) {
	case EAGAIN: return false;
	case EMFILE:
	case ENFILE:
	case ENOBUFS:
	case ENOMEM:
		ln->exhausted++;
		listener_say_starved(ln, error);
		event_del(&ln->ev);
		timer_set(&ln->pause, LISTENER_PAUSE_US);
		return false;
	/* The descriptor is not what it should be: trying again at once would spin. */
	case EBADF:
	case EINVAL:
	case ENOTSOCK:
	case EOPNOTSUPP:
		event_del(&ln->ev);
		timer_set(&ln->pause, LISTENER_PAUSE_US);
		return false;
	default:
		return true; /* accept(2): errors of the connection that was waiting, ECONNABORTED and such */
	}
}

static void listener_on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct listener *ln = arg;

	(void)what;
	for (int i = 0; i < LISTENER_BUDGET && !ln->stopped; i++) {
		struct addr peer, local;
		int on = 1, c;

		memset(&peer, 0, sizeof peer);
		memset(&local, 0, sizeof local);
		peer.len = sizeof peer.ss;
		local.len = sizeof local.ss;
		c = accept4(fd, (struct sockaddr *)&peer.ss, &peer.len, SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (c < 0) {
			if (!listener_failed(ln, errno))
				return;
			continue;
		}
		ln->starved = false;
		if (getsockname(c, (struct sockaddr *)&local.ss, &local.len) < 0)
			local.len = 0;
		if (!addr_is_unix(&local))
			setsockopt(c, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
		ln->cb(ln->arg, c, &peer, &local);
	}
}

struct listener *listener_start(struct loop *l, int fd, accept_cb cb, void *arg)
{
	struct listener *ln = mem_zalloc(sizeof *ln);

	ln->loop = l;
	ln->fd = fd;
	ln->cb = cb;
	ln->arg = arg;
	timer_init(&ln->pause, l, listener_resume, ln);
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
	loop_free_later(ln->loop, free, ln);
}

uint64_t listener_exhausted(const struct listener *ln)
{
	return ln->exhausted;
}
