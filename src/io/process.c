/* signalfd instead of libevent's signal events: those need a handler and a socket pair known by global
 * variables, and a signal that comes early would be lost; here it waits, blocked. */
#include "io/process.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/signalfd.h>
#include <unistd.h>
#include <event2/event.h>
#include "base/mem.h"

struct process_signals {
	int fd;
	struct event *ev;
	void (*cb)(void *arg, int signo);
	void *arg;
};

static void handled(sigset_t *set)
{
	sigemptyset(set);
	sigaddset(set, SIGTERM);
	sigaddset(set, SIGINT);
	sigaddset(set, SIGQUIT);
	sigaddset(set, SIGHUP);
}

/* What libevent calls an error it ends the process after. */
static void on_libevent_message(int severity, const char *msg)
{
	if (severity == EVENT_LOG_ERR)
		dprintf(2, "error: libevent: %s\n", msg);
}

int process_init(struct err *e)
{
	static const int ignored[] = {SIGPIPE, SIGUSR1, SIGUSR2};
	const struct sigaction ignore = {.sa_handler = SIG_IGN};
	sigset_t set;
	int fd;

	for (fd = 0; fd <= 2; fd++)
		if (fcntl(fd, F_GETFD) < 0 && errno == EBADF && open("/dev/null", O_RDWR) != fd)
			return err_set(e, ERR_IO,
				       "descriptor %d is closed and /dev/null cannot be opened: %m", fd);
	for (size_t i = 0; i < sizeof ignored / sizeof ignored[0]; i++)
		if (sigaction(ignored[i], &ignore, NULL) < 0)
			return err_set(e, ERR_IO, "cannot ignore signal %d: %m", ignored[i]);
	handled(&set);
	if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
		return err_set(e, ERR_IO, "cannot block signals: %m");
	event_set_log_callback(on_libevent_message);
	return 0;
}

static void on_signal(evutil_socket_t fd, short what, void *arg)
{
	struct process_signals *s = arg;
	struct signalfd_siginfo si;

	(void)what;
	if (read(fd, &si, sizeof si) == (ssize_t)sizeof si)
		s->cb(s->arg, (int)si.ssi_signo);
}

struct process_signals *process_signals_new(struct loop *l, void (*cb)(void *arg, int signo), void *arg,
					    struct err *e)
{
	struct process_signals *s = mem_zalloc(sizeof *s);
	sigset_t set;

	handled(&set);
	s->cb = cb;
	s->arg = arg;
	s->fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
	s->ev = s->fd < 0 ? NULL : event_new(loop_base(l), s->fd, EV_READ | EV_PERSIST, on_signal, s);
	if (s->ev == NULL || event_add(s->ev, NULL) < 0) {
		err_set(e, ERR_IO, "cannot watch signals: %m");
		process_signals_free(s);
		return NULL;
	}
	return s;
}

void process_signals_free(struct process_signals *s)
{
	if (s == NULL)
		return;
	if (s->ev)
		event_free(s->ev);
	if (s->fd >= 0)
		close(s->fd);
	free(s);
}
