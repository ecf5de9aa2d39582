/* Opening, once, at the start: with messages a person can act on. */
#include "config.h"
#include "io/listener.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <netinet/in.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include "io/listener_owner.h"

/* The file of a unix socket; NULL for TCP and abstract ones. */
static const char *file_of(const struct addr *a)
{
	const struct sockaddr_un *un = (const struct sockaddr_un *)(const void *)&a->ss;

	return addr_is_unix(a) && un->sun_path[0] ? un->sun_path : NULL;
}

/* Does nobody listen at this address any more? Anything but a refusal may be somebody who lives: a full backlog, a socket
 * of another type, one we may not connect to. */
static bool is_stale(const struct addr *a)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	bool stale;

	if (fd < 0)
		return false;
	stale = connect(fd, (const struct sockaddr *)&a->ss, a->len) < 0 && errno == ECONNREFUSED;
	close(fd);
	return stale;
}

static int bind_anew(int fd, const struct addr *a)
{
	const char *path = file_of(a);
	struct stat st;

	if (bind(fd, (const struct sockaddr *)&a->ss, a->len) == 0)
		return 0;
	if (errno != EADDRINUSE || !path)
		return -1;
	if (lstat(path, &st) < 0 || !S_ISSOCK(st.st_mode) || !is_stale(a) || unlink(path) < 0) {
		errno = EADDRINUSE;
		return -1;
	}
	return bind(fd, (const struct sockaddr *)&a->ss, a->len);
}

/* ---- why not ---- */

static void explain_in_use(const struct addr *a, struct err *e)
{
	char owner[LISTENER_OWNER_TEXT];
	const char *path = file_of(a);
	struct stat st;

	if (path && lstat(path, &st) == 0 && !S_ISSOCK(st.st_mode))
		err_detail(e, "A file that is no socket is in the way.");
	else if (listener_owner(a, owner))
		err_detail(e, "It is in use by %s.", owner);
	err_hint(e, addr_is_unix(a) ? "End that program, or choose another listen_port or unix_socket_dir."
				    : "End that program, or choose another port.");
}

static int explain(const struct addr *a, int error, struct err *e)
{
	char where[ADDR_TEXT], text[128];
	const char *path = file_of(a);

	err_set(e, ERR_CONFIG, "cannot listen on %s: %s", addr_text(a, where), strerror_r(error, text, sizeof text));
	switch (error) {
	case EADDRINUSE: explain_in_use(a, e); break;
	case EACCES:
	case EPERM:
		err_hint(e, path ? "The directory must be one pgiam's user may write to."
				 : "Ports below 1024 need CAP_NET_BIND_SERVICE; use another one.");
		break;
	case ENOENT: err_hint(e, "Make the directory first; pgiam makes none."); break;
	case EADDRNOTAVAIL: err_hint(e, "No interface of this machine has that address."); break;
	case EAFNOSUPPORT: err_hint(e, "This machine has no IPv6; leave that address out."); break;
	default: break;
	}
	return -1;
}

/* A unix socket's group and mode must be right before anybody can connect: no umask, which is the whole process's. What is
 * bound cannot be connected to until it listens. */
static int set_access(const struct addr *a, const struct listen_opts *o)
{
	const char *path = file_of(a);

	if (!path)
		return 0;
	if (o->unix_gid_set && chown(path, (uid_t)-1, o->unix_gid) < 0)
		return -1;
	return chmod(path, o->unix_mode);
}

int listener_open(const struct addr *a, const struct listen_opts *o, struct err *e)
{
	int fd = socket(a->ss.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), on = 1, error;

	if (fd < 0)
		return explain(a, errno, e);
	if (!addr_is_unix(a))
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
	if (a->ss.ss_family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
	if (file_of(a))
		fchmod(fd, o->unix_gid_set ? 0600 : o->unix_mode); /* the file is born with it, less the umask */
	if (bind_anew(fd, a) < 0) {
		error = errno;
		close(fd);
		return explain(a, error, e);
	}
	if (set_access(a, o) < 0) {
		err_set(e, ERR_CONFIG, "cannot set the group and mode of %s: %m", file_of(a));
		err_hint(e, "Only root may give a file to a group it is not in itself.");
	} else if (listen(fd, o->backlog) < 0) {
		explain(a, errno, e);
	} else {
		return fd;
	}
	if (file_of(a))
		unlink(file_of(a));
	close(fd);
	return -1;
}

void listener_remove_file(const struct addr *a)
{
	const char *path = file_of(a);

	if (path && is_stale(a))
		unlink(path);
}

/* ---- sockets of others ---- */

static bool int_option(int fd, int name, int *value)
{
	socklen_t n = sizeof(*value);

	return getsockopt(fd, SOL_SOCKET, name, value, &n) == 0;
}

int listener_adopt(int fd, struct addr *a, struct err *e)
{
	int type, listens, flags;

	memset(a, 0, sizeof *a);
	a->len = sizeof a->ss;
	if (!int_option(fd, SO_TYPE, &type))
		return err_set(e, ERR_CONFIG, "descriptor %d is not a socket: %m", fd);
	if (type != SOCK_STREAM)
		return err_set(e, ERR_CONFIG, "descriptor %d is not a stream socket", fd);
	if (!int_option(fd, SO_ACCEPTCONN, &listens) || !listens) {
		err_set(e, ERR_CONFIG, "descriptor %d is a socket that does not listen", fd);
		err_hint(e, "systemd: Accept=no.");
		return -1;
	}
	if (getsockname(fd, (struct sockaddr *)&a->ss, &a->len) < 0)
		return err_set(e, ERR_CONFIG, "descriptor %d: getsockname: %m", fd);
	if (!addr_is_unix(a) && a->ss.ss_family != AF_INET && a->ss.ss_family != AF_INET6)
		return err_set(e, ERR_CONFIG, "descriptor %d is neither TCP nor a unix socket", fd);
	flags = fcntl(fd, F_GETFL);
	if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0 || fcntl(fd, F_SETFD, FD_CLOEXEC) < 0)
		return err_set(e, ERR_CONFIG, "descriptor %d: fcntl: %m", fd);
	return 0;
}
