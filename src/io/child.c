/* posix_spawn instead of fork: other threads hold locks that a fork would copy. A pidfd tells the end, and
 * only of this child: SIGCHLD would be one more signal for the whole process. */
#include "config.h"
#include "io/child.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <event2/event.h>
#include "base/buf.h"
#include "base/mem.h"

struct child {
	pid_t pid; /* 0: not running */
	int pidfd, out;
	struct event *on_exit, *on_output;
	struct timer deadline;
	struct defer failed;
	struct buf printed;
	int start_error; /* errno */
	child_cb cb;
	void *arg;
};

static const char *const texts[] = {
#define X(end, what) [end] = (what),
	CHILD_TABLE(X)
#undef X
};

const char *child_end_text(enum child_end end)
{
	return texts[end];
}

/* ---- ending ---- */

static void unwatch(struct child *c)
{
	timer_clear(&c->deadline);
	defer_clear(&c->failed);
	if (c->on_exit)
		event_free(c->on_exit);
	if (c->on_output)
		event_free(c->on_output);
	c->on_exit = c->on_output = NULL;
}

/* Whatever is left of it. */
static void kill_all(struct child *c)
{
	if (c->pid == 0)
		return;
	kill(-c->pid, SIGKILL);
	while (waitpid(c->pid, NULL, 0) < 0 && errno == EINTR)
		;
	c->pid = 0;
}

static void child_free(struct child *c)
{
	unwatch(c);
	kill_all(c);
	if (c->pidfd >= 0)
		close(c->pidfd);
	if (c->out >= 0)
		close(c->out);
	buf_free(&c->printed);
	free(c);
}

void child_cancel(struct child *c)
{
	if (c)
		child_free(c);
}

static void finish(struct child *c, enum child_end end, int status)
{
	struct child_result r = {.end = end, .status = status};

	unwatch(c);
	kill_all(c);
	if (end == CHILD_EXITED)
		r.output = buf_slice(&c->printed);
	c->cb(c->arg, &r);
	child_free(c);
}

/* ---- while it runs ---- */

static void on_deadline(void *arg)
{
	finish(arg, CHILD_TIMEOUT, 0);
}

/* Takes what is there. False if that is too much, and it is over. */
static bool take_output(struct child *c)
{
	for (;;) {
		unsigned char chunk[4096];
		ssize_t n = read(c->out, chunk, sizeof(chunk));

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			if (n == 0 || errno != EAGAIN)
				event_del(c->on_output); /* its end is awaited now */
			return true;
		}
		buf_add(&c->printed, chunk, (size_t)n);
		mem_wipe(chunk, sizeof(chunk));
		if (c->printed.full) {
			finish(c, CHILD_TOO_MUCH, 0);
			return false;
		}
	}
}

static void on_output(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	(void)take_output(arg);
}

/* It has ended. What it started in the background may hold the pipe open: that is not waited for. */
static void on_exit_event(evutil_socket_t fd, short what, void *arg)
{
	struct child *c = arg;
	int status;

	(void)fd;
	(void)what;
	if (!take_output(c))
		return;
	if (waitpid(c->pid, &status, WNOHANG) != c->pid)
		return;
	kill(-c->pid, SIGKILL);
	c->pid = 0;
	if (WIFEXITED(status))
		finish(c, CHILD_EXITED, WEXITSTATUS(status));
	else
		finish(c, CHILD_KILLED, WTERMSIG(status));
}

/* ---- starting ---- */

static void on_failed(void *arg)
{
	struct child *c = arg;

	finish(c, CHILD_NOT_STARTED, c->start_error);
}

static int attributes(posix_spawnattr_t *attr)
{
	sigset_t none, all;
	int rc;

	sigemptyset(&none);
	sigfillset(&all);
	rc = posix_spawnattr_setflags(attr,
				      POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);
	if (rc == 0)
		rc = posix_spawnattr_setsigmask(attr, &none);
	if (rc == 0)
		rc = posix_spawnattr_setsigdefault(attr, &all);
	return rc ? rc : posix_spawnattr_setpgroup(attr, 0);
}

static int descriptors(posix_spawn_file_actions_t *files, int out)
{
	int rc = posix_spawn_file_actions_addopen(files, 0, "/dev/null", O_RDONLY, 0);

	if (rc == 0)
		rc = posix_spawn_file_actions_adddup2(files, out, 1);
	if (rc == 0)
		rc = posix_spawn_file_actions_addopen(files, 2, "/dev/null", O_WRONLY, 0);
#ifdef HAVE_POSIX_SPAWN_FILE_ACTIONS_ADDCLOSEFROM_NP
	if (rc == 0)
		rc = posix_spawn_file_actions_addclosefrom_np(files, 3);
#endif
	return rc; /* all of ours close on exec anyhow */
}

/* 0 or an errno. */
static int spawn(struct child *c, const struct child_opts *o, int out)
{
	posix_spawnattr_t attr;
	posix_spawn_file_actions_t files;
	int rc = posix_spawnattr_init(&attr);

	if (rc != 0)
		return rc;
	rc = posix_spawn_file_actions_init(&files);
	if (rc == 0) {
		rc = attributes(&attr);
		if (rc == 0)
			rc = descriptors(&files, out);
		if (rc == 0)
			rc = posix_spawnp(&c->pid, o->argv[0], &files, &attr, o->argv, o->envp);
		posix_spawn_file_actions_destroy(&files);
	}
	posix_spawnattr_destroy(&attr);
	if (rc != 0)
		c->pid = 0;
	return rc;
}

static int watch(struct child *c, struct loop *l)
{
	c->pidfd = (int)syscall(SYS_pidfd_open, c->pid, 0); /* Linux 5.3; closes on exec */
	if (c->pidfd < 0)
		return errno;
	c->on_exit = event_new(loop_base(l), c->pidfd, EV_READ | EV_PERSIST, on_exit_event, c);
	c->on_output = event_new(loop_base(l), c->out, EV_READ | EV_PERSIST, on_output, c);
	if (!c->on_exit || !c->on_output || event_add(c->on_exit, NULL) < 0 ||
	    event_add(c->on_output, NULL) < 0)
		return errno ? errno : ENOMEM;
	return 0;
}

struct child *child_start(struct loop *l, const struct child_opts *o, child_cb cb, void *arg)
{
	struct child *c = mem_zalloc(sizeof(*c));
	int pipe_fds[2], rc = 0;

	c->pidfd = c->out = -1;
	c->cb = cb;
	c->arg = arg;
	buf_init_secret(&c->printed, o->max_output_bytes);
	timer_init(&c->deadline, l, on_deadline, c);
	defer_init(&c->failed, l, on_failed, c);
	if (pipe2(pipe_fds, O_CLOEXEC) < 0) {
		rc = errno;
	} else {
		c->out = pipe_fds[0];
		rc = fcntl(c->out, F_SETFL, O_NONBLOCK) < 0 ? errno : spawn(c, o, pipe_fds[1]);
		close(pipe_fds[1]);
		if (rc == 0)
			rc = watch(c, l);
	}
	if (rc != 0) {
		c->start_error = rc;
		defer_set(&c->failed);
	} else {
		timer_set(&c->deadline, o->deadline_us);
	}
	return c;
}
