/* A ring of bytes between the callers and one thread that does nothing but write(2). Positions count all
 * bytes ever queued, so that the place where lines are missing is a number too, and the line that says so is
 * written exactly there. A descriptor that fails (disk full, reader gone) is tried again once a second, the
 * lines waiting meanwhile. */
#include "config.h" /* for strerror_r */
#include "io/log_writer.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include "base/buf.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"

#define LOG_WRITER_CHUNK    65536
#define LOG_WRITER_RETRY_US CLOCK_US_PER_SEC
#define LOG_WRITER_NO_GAP   UINT64_MAX

struct log_writer {
	int fd;
	char *ring; /* owned */
	size_t size;
	pthread_t thread;
	pthread_mutex_t lock; /* of all that follows */
	pthread_cond_t wake;  /* of the thread */
	pthread_cond_t gone;  /* the thread has ended */
	uint64_t head, tail;  /* bytes queued, bytes written, ever */
	uint64_t gap;         /* where the first dropped line not yet told of would be */
	uint64_t gap_lines;   /* dropped since then */
	struct log_writer_stats stats;
	bool json;            /* the form of the last line queued */
	bool failing;         /* the last write failed, and it has been told */
	bool waiting, stop, ended;
	unsigned owners; /* the caller and the thread; the last frees */
};

/* A point of CLOCK_MONOTONIC, for pthread_cond_timedwait. */
static struct timespec after_us(uint64_t us)
{
	uint64_t at = clock_mono_us(clock_system()) + us;

	return (struct timespec){.tv_sec = (time_t)(at / CLOCK_US_PER_SEC),
				 .tv_nsec = (long)(at % CLOCK_US_PER_SEC) * 1000};
}

/* Locked; unlocks. */
static void disown(struct log_writer *w)
{
	bool last = --w->owners == 0;

	pthread_mutex_unlock(&w->lock);
	if (!last)
		return;
	pthread_cond_destroy(&w->gone);
	pthread_cond_destroy(&w->wake);
	pthread_mutex_destroy(&w->lock);
	free(w->ring);
	free(w);
}

/* Unlocked. Bytes written (> 0), or -1 with errno; waits while the descriptor would block. */
static ssize_t write_some(int fd, const char *p, size_t n)
{
	for (;;) {
		ssize_t did = write(fd, p, n);
		struct pollfd pfd = {.fd = fd, .events = POLLOUT};

		if (did > 0)
			return did;
		if (did == 0)
			errno = EIO; /* not to be taken for progress */
		if (errno == EAGAIN) /* whoever shares the descriptor made it non-blocking */
			poll(&pfd, 1, -1);
		else if (errno != EINTR)
			return -1;
	}
}

/* A log file that cannot be written cannot say so itself. Not to a stderr that nobody reads: that would stall the log
 * beyond the outage. */
static void tell_stderr(const struct log_writer *w, int error)
{
	struct pollfd pfd = {.fd = STDERR_FILENO, .events = POLLOUT};
	char text[128];

	if (w->fd == STDERR_FILENO || poll(&pfd, 1, 0) != 1 || !(pfd.revents & POLLOUT))
		return;
	dprintf(STDERR_FILENO, "error: cannot write the log: %s\n       It is tried again every second.\n",
		strerror_r(error, text, sizeof text));
}

/* Locked, as are the following. Waits a while before the next try; false if there is to be none. */
static bool pause_after_failure(struct log_writer *w, int error)
{
	struct timespec until = after_us(LOG_WRITER_RETRY_US);

	if (!w->failing)
		tell_stderr(w, error);
	w->failing = true;
	w->stats.failures++;
	while (!w->stop)
		if (pthread_cond_timedwait(&w->wake, &w->lock, &until) == ETIMEDOUT)
			return true;
	return false;
}

static void to_buf(void *arg, const char *line, size_t n)
{
	buf_add(arg, line, n);
}

/* The line that stands for those dropped; in the form of the lines around it. */
static bool write_gap(struct log_writer *w)
{
	uint64_t lines = w->gap_lines;
	enum log_format format = w->json ? LOG_JSON : LOG_KEY_VALUE;
	struct buf text;
	size_t done = 0;
	bool ok = true;

	w->gap = LOG_WRITER_NO_GAP;
	w->gap_lines = 0;
	pthread_mutex_unlock(&w->lock);
	buf_init(&text, 1024);
	struct log *log = log_new(clock_system(), LOG_WARNING, format, to_buf, &text);

	log_warning(log, "log lines dropped", LU("lines", lines));
	log_free(log);
	pthread_mutex_lock(&w->lock);
	while (ok && done < text.n) {
		pthread_mutex_unlock(&w->lock);
		ssize_t did = write_some(w->fd, (const char *)text.p + done, text.n - done);
		int error = errno;

		pthread_mutex_lock(&w->lock);
		if (did > 0)
			done += (size_t)did;
		else
			ok = pause_after_failure(w, error);
	}
	buf_free(&text);
	return ok;
}

/* Writes one contiguous piece that does not reach beyond a gap. The bytes stay put meanwhile: only tail
 * frees. */
static bool write_piece(struct log_writer *w)
{
	size_t at = (size_t)(w->tail % w->size), n = w->size - at;
	uint64_t end = w->gap < w->head ? w->gap : w->head;

	if (n > end - w->tail)
		n = (size_t)(end - w->tail);
	if (n > LOG_WRITER_CHUNK)
		n = LOG_WRITER_CHUNK;
	pthread_mutex_unlock(&w->lock);
	ssize_t did = write_some(w->fd, w->ring + at, n);
	int error = errno;

	pthread_mutex_lock(&w->lock);
	if (did < 0)
		return pause_after_failure(w, error);
	w->failing = false;
	w->tail += (uint64_t)did;
	return true;
}

static void *run(void *arg)
{
	struct log_writer *w = arg;
	bool ok = true;

	pthread_mutex_lock(&w->lock);
	while (ok) {
		if (w->gap == w->tail) {
			ok = write_gap(w);
		} else if (w->tail != w->head) {
			ok = write_piece(w);
		} else if (w->stop) {
			break;
		} else {
			w->waiting = true;
			pthread_cond_wait(&w->wake, &w->lock);
			w->waiting = false;
		}
	}
	w->ended = true;
	pthread_cond_signal(&w->gone);
	disown(w);
	return NULL;
}

/* A thread without signals: they are the control thread's, and SIGPIPE is nobody's. */
static int start_thread(struct log_writer *w)
{
	sigset_t all, before;
	int rc;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	rc = pthread_create(&w->thread, NULL, run, w);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return rc;
}

struct log_writer *log_writer_new(int fd, size_t queue_bytes, struct err *e)
{
	struct log_writer *w = mem_zalloc(sizeof(*w));
	pthread_condattr_t attr;
	int rc;

	w->fd = fd;
	w->size = queue_bytes ? queue_bytes : 1;
	w->ring = mem_alloc(w->size);
	w->gap = LOG_WRITER_NO_GAP;
	w->owners = 2;
	pthread_mutex_init(&w->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&w->wake, &attr);
	pthread_cond_init(&w->gone, &attr);
	pthread_condattr_destroy(&attr);
	rc = start_thread(w);
	if (rc != 0) {
		errno = rc;
		err_set(e, ERR_IO, "cannot start the thread that writes the log: %m");
		pthread_mutex_lock(&w->lock);
		w->owners = 1;
		disown(w);
		return NULL;
	}
	return w;
}

void log_writer_sink(void *writer, const char *line, size_t n)
{
	struct log_writer *w = writer;
	size_t at, first;
	bool wake;

	if (n == 0)
		return;
	pthread_mutex_lock(&w->lock);
	at = (size_t)(w->head % w->size);
	if (n > w->size - (size_t)(w->head - w->tail)) {
		w->stats.dropped++;
		if (w->gap_lines++ == 0)
			w->gap = w->head;
	} else {
		first = n < w->size - at ? n : w->size - at;
		memcpy(w->ring + at, line, first);
		memcpy(w->ring, line + first, n - first);
		w->head += n;
		w->json = line[0] == '{';
	}
	wake = w->waiting;
	w->waiting = false; /* once for a burst */
	pthread_mutex_unlock(&w->lock);
	if (wake)
		pthread_cond_signal(&w->wake);
}

struct log_writer_stats log_writer_stats(struct log_writer *w)
{
	struct log_writer_stats s;

	pthread_mutex_lock(&w->lock);
	s = w->stats;
	pthread_mutex_unlock(&w->lock);
	return s;
}

int log_writer_end(struct log_writer *w, int timeout_ms)
{
	struct timespec until = after_us((uint64_t)(timeout_ms > 0 ? timeout_ms : 0) * CLOCK_US_PER_MS);
	bool ended;

	pthread_mutex_lock(&w->lock);
	w->stop = true;
	pthread_cond_signal(&w->wake);
	while (!w->ended)
		if (pthread_cond_timedwait(&w->gone, &w->lock, &until) == ETIMEDOUT)
			break;
	ended = w->ended;
	pthread_mutex_unlock(&w->lock);
	if (ended)
		pthread_join(w->thread, NULL);
	else
		pthread_detach(w->thread);
	return ended ? 0 : -1;
}

int log_writer_free(struct log_writer *w, int timeout_ms)
{
	int result;

	if (!w)
		return 0;
	result = log_writer_end(w, timeout_ms);
	pthread_mutex_lock(&w->lock);
	disown(w);
	return result;
}
