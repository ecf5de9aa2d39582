/* io/log_writer: a reader that stalls, one that is gone, a disk that is full. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>
#include "base/buf.h"
#include "base/clock.h"
#include "base/mem.h"
#include "io/log_writer.h"

static uint64_t now_us(void)
{
	return clock_mono_us(clock_system());
}

static void put(struct log_writer *w, const char *line)
{
	log_writer_sink(w, line, strlen(line));
}

/* Reads until the end of file or until `want` is in it; at most 10 seconds. */
static void read_until(int fd, struct buf *out, const char *want)
{
	uint64_t start = now_us();

	fcntl(fd, F_SETFL, O_NONBLOCK);
	while (now_us() - start < 10 * CLOCK_US_PER_SEC) {
		char piece[4096];
		ssize_t n = read(fd, piece, sizeof(piece));

		if (n > 0)
			buf_add(out, piece, (size_t)n);
		else if (n == 0)
			return;
		else
			usleep(1000);
		if (want && strstr(buf_cstr(out), want))
			return;
	}
	fail_msg("nothing came");
}

static void writes_in_order(void **state)
{
	int fds[2];
	struct log_writer *w;
	struct buf out;
	const char *p;

	(void)state;
	assert_int_equal(pipe(fds), 0);
	w = log_writer_new(fds[1], 256, NULL); /* small: the ring wraps often */
	assert_non_null(w);
	buf_init(&out, 1 << 20);
	for (int i = 0; i < 2000; i++) {
		char line[32];

		snprintf(line, sizeof(line), "line %d\n", i);
		put(w, line);
		if (i % 10 == 9) /* keep pace: nothing is to be dropped here */
			read_until(fds[0], &out, line);
	}
	put(w, ""); /* nothing */
	assert_int_equal(log_writer_stats(w).dropped, 0);
	assert_int_equal(log_writer_free(w, 10000), 0);
	close(fds[1]);
	read_until(fds[0], &out, NULL);
	p = buf_cstr(&out);
	for (int i = 0; i < 2000; i++) {
		char line[32];
		int n = snprintf(line, sizeof(line), "line %d\n", i);

		assert_memory_equal(p, line, n);
		p += n;
	}
	assert_string_equal(p, "");
	close(fds[0]);
	buf_free(&out);
	assert_int_equal(log_writer_free(NULL, 0), 0);
}

struct talker {
	pthread_t thread;
	struct log_writer *w;
	char name;
};

static void *talk(void *arg)
{
	struct talker *t = arg;
	char line[64];

	for (int i = 0; i < 2000; i++) {
		snprintf(line, sizeof(line), "%c%c%c%c%c%c%c%c\n", t->name, t->name, t->name, t->name,
			 t->name, t->name, t->name, t->name);
		put(t->w, line);
	}
	return NULL;
}

static void lines_of_several_threads_stay_whole(void **state)
{
	int fds[2];
	struct talker t[4];
	struct log_writer *w;
	struct buf out;
	size_t lines = 0;

	(void)state;
	assert_int_equal(pipe(fds), 0);
	w = log_writer_new(fds[1], 1 << 20, NULL);
	for (int i = 0; i < 4; i++) {
		t[i] = (struct talker){.w = w, .name = (char)('a' + i)};
		assert_int_equal(pthread_create(&t[i].thread, NULL, talk, &t[i]), 0);
	}
	buf_init(&out, 1 << 20);
	for (int i = 0; i < 4; i++)
		pthread_join(t[i].thread, NULL);
	put(w, "end\n");
	read_until(fds[0], &out, "end\n");
	for (const char *p = buf_cstr(&out); strcmp(p, "end\n") != 0; p += 9, lines++)
		for (int i = 0; i < 8; i++)
			assert_int_equal(p[i], p[0]);
	assert_int_equal(lines, 8000);
	assert_int_equal(log_writer_stats(w).dropped, 0);
	assert_int_equal(log_writer_free(w, 10000), 0);
	close(fds[0]);
	close(fds[1]);
	buf_free(&out);
}

/* Fills a pipe, so that whoever writes to it next is stalled from the first byte. */
static size_t fill(int fd)
{
	char hashes[4096];
	size_t filled = 0;
	ssize_t n;

	memset(hashes, '#', sizeof(hashes));
	fcntl(fd, F_SETFL, O_NONBLOCK);
	while ((n = write(fd, hashes, sizeof(hashes))) > 0)
		filled += (size_t)n;
	fcntl(fd, F_SETFL, 0);
	return filled;
}

/* form: of a line, with its number. */
static void a_stalled_reader(const char *form, const char *notice)
{
	int fds[2];
	struct log_writer *w;
	struct buf out;
	uint64_t start, dropped, told;
	char want[64];
	const char *p;
	unsigned lines = 0;
	size_t filled;

	assert_int_equal(pipe(fds), 0);
	filled = fill(fds[1]);
	w = log_writer_new(fds[1], 100000, NULL);
	start = now_us();
	for (int i = 0; i < 200000; i++) { /* far more than the queue holds */
		char line[64];

		snprintf(line, sizeof(line), form, i);
		put(w, line);
	}
	assert_true(now_us() - start < 20 * CLOCK_US_PER_SEC);
	dropped = log_writer_stats(w).dropped;
	assert_true(dropped > 0);
	/* the reader wakes up: what was queued comes, and then the number of lines missing, just there */
	buf_init(&out, 64 << 20);
	while (filled) {
		char piece[4096];
		ssize_t n = read(fds[0], piece, filled < sizeof(piece) ? filled : sizeof(piece));

		assert_true(n > 0);
		filled -= (size_t)n;
	}
	read_until(fds[0], &out, notice);
	snprintf(want, sizeof(want), form, 0);
	for (p = buf_cstr(&out); strncmp(p, want, strlen(want)) == 0;) {
		p += strlen(want);
		snprintf(want, sizeof(want), form, ++lines);
	}
	assert_int_equal(lines + dropped, 200000);
	assert_non_null(strstr(p, notice));
	assert_null(memchr(p, '\n', (size_t)(strstr(p, notice) - p))); /* the very next line */
	read_until(fds[0], &out, "\n");
	put(w, "last\n");
	read_until(fds[0], &out, "last\n");
	p = strstr(buf_cstr(&out), notice);
	told = strtoull(p + strlen(notice), NULL, 10);
	assert_int_equal(told, dropped);
	assert_int_equal(log_writer_stats(w).dropped, dropped);
	assert_int_equal(log_writer_free(w, 10000), 0);
	close(fds[0]);
	close(fds[1]);
	buf_free(&out);
}

static void a_stalled_reader_of_key_values(void **state)
{
	(void)state;
	a_stalled_reader("msg=%d\n", "level=warning msg=\"log lines dropped\" lines=");
}

static void a_stalled_reader_of_json(void **state)
{
	(void)state;
	a_stalled_reader("{\"msg\":%d}\n", "\"level\":\"warning\",\"msg\":\"log lines dropped\",\"lines\":");
}

static void the_gap_is_told_where_it_is(void **state)
{
	static const char want[] = "level=warning msg=\"log lines dropped\" lines=2\n";
	int fds[2];
	size_t filled;
	struct log_writer *w;
	struct buf out;
	const char *p;

	(void)state;
	assert_int_equal(pipe(fds), 0);
	filled = fill(fds[1]);
	w = log_writer_new(fds[1], 30, NULL);
	put(w, "first\n");
	put(w, "second\n");
	put(w, "a line that does not fit\n");
	put(w, "and another that does not\n");
	put(w, "third fits\n"); /* queued behind the gap before anything was written */
	buf_init(&out, 1 << 20);
	read_until(fds[0], &out, "third fits\n");
	buf_drop_front(&out, filled);
	p = buf_cstr(&out);
	assert_int_equal(strncmp(p, "first\nsecond\n", 13), 0);
	p = strstr(p, want);
	assert_non_null(p);
	assert_string_equal(p + strlen(want), "third fits\n");
	assert_int_equal(log_writer_free(w, 10000), 0);
	close(fds[0]);
	close(fds[1]);
	buf_free(&out);
}

static void a_non_blocking_descriptor(void **state)
{
	int fds[2];
	struct log_writer *w;
	struct buf out;

	(void)state;
	assert_int_equal(pipe(fds), 0);
	assert_int_equal(fcntl(fds[1], F_SETFL, O_NONBLOCK), 0);
	w = log_writer_new(fds[1], 1 << 20, NULL);
	for (int i = 0; i < 20000; i++)
		put(w, "0123456789\n"); /* more than a pipe holds */
	put(w, "end\n");
	buf_init(&out, 1 << 20);
	read_until(fds[0], &out, "end\n");
	assert_int_equal(out.n, 20000 * 11 + 4);
	assert_int_equal(log_writer_free(w, 10000), 0);
	close(fds[0]);
	close(fds[1]);
	buf_free(&out);
}

/* Threads that are left may log until the process has gone. */
static void lines_behind_the_end(void **state)
{
	static struct log_writer *w; /* never freed */
	int fds[2];
	struct buf out;

	(void)state;
	assert_int_equal(pipe(fds), 0);
	w = log_writer_new(fds[1], 1 << 20, NULL);
	put(w, "before\n");
	assert_int_equal(log_writer_end(w, 10000), 0);
	put(w, "behind\n");
	close(fds[1]);
	buf_init(&out, 1 << 20);
	read_until(fds[0], &out, "before\n");
	assert_int_equal(read(fds[0], &(char){0}, 1), 0);
	close(fds[0]);
	buf_free(&out);
}

static void free_does_not_wait_for_ever(void **state)
{
	int fds[2];
	struct log_writer *w;
	struct buf out;
	uint64_t start;

	(void)state;
	assert_int_equal(pipe(fds), 0);
	w = log_writer_new(fds[1], 1 << 20, NULL);
	for (int i = 0; i < 20000; i++)
		put(w, "0123456789\n");
	put(w, "end\n");
	start = now_us();
	assert_int_equal(log_writer_free(w, 100), -1);
	assert_true(now_us() - start >= 100000);
	assert_true(now_us() - start < 5 * CLOCK_US_PER_SEC);
	/* the thread left behind lives on, and frees what is left when it can end */
	buf_init(&out, 1 << 20);
	read_until(fds[0], &out, "end\n");
	usleep(100000);
	close(fds[0]);
	close(fds[1]);
	buf_free(&out);
}

static void a_reader_that_is_gone(void **state)
{
	int fds[2], other[2];
	struct log_writer *w;
	struct buf out;

	(void)state;
	assert_int_equal(pipe(fds), 0);
	assert_int_equal(pipe(other), 0);
	close(fds[0]);
	w = log_writer_new(fds[1], 4096, NULL); /* SIGPIPE must not kill */
	put(w, "kept\n");
	usleep(50000);
	for (int i = 0; i < 1000; i++)
		put(w, "0123456789\n");
	assert_true(log_writer_stats(w).dropped > 0);
	/* a reader comes back (as when a file is reopened): nothing that was queued is lost */
	assert_int_equal(dup2(other[1], fds[1]), fds[1]);
	buf_init(&out, 1 << 20);
	read_until(other[0], &out, "log lines dropped");
	assert_int_equal(strncmp(buf_cstr(&out), "kept\n0123456789\n", 16), 0);
	assert_int_equal(log_writer_free(w, 10000), 0);
	close(fds[1]);
	close(other[0]);
	close(other[1]);
	buf_free(&out);
}

/* A busy machine may let the writer's thread wait. */
static void wait_for_failures(struct log_writer *w, uint64_t n)
{
	while (log_writer_stats(w).failures < n)
		usleep(1000);
}

static void a_full_disk(void **state)
{
	int fd = open("/dev/full", O_WRONLY | O_CLOEXEC);
	struct log_writer *w;
	uint64_t start = now_us();

	(void)state;
	if (fd < 0)
		skip();
	w = log_writer_new(fd, 4096, NULL);
	for (int i = 0; i < 10000; i++)
		put(w, "0123456789\n");
	assert_true(log_writer_stats(w).dropped > 0);
	wait_for_failures(w, 1);
	assert_int_equal(log_writer_free(w, 10000), 0); /* gives up: waiting would not help */
	assert_true(now_us() - start < 5 * CLOCK_US_PER_SEC);
	close(fd);
}

static void a_line_longer_than_the_queue(void **state)
{
	int fds[2], full = open("/dev/full", O_WRONLY | O_CLOEXEC);
	struct log_writer *w;
	struct buf out;

	(void)state;
	assert_int_equal(pipe(fds), 0);
	w = log_writer_new(fds[1], 0, NULL);
	put(w, "too long\n");
	assert_int_equal(log_writer_stats(w).dropped, 1);
	buf_init(&out, 1 << 20);
	read_until(fds[0], &out, "lines=1\n");
	assert_int_equal(log_writer_free(w, 10000), 0);
	close(fds[0]);
	close(fds[1]);
	buf_free(&out);
	if (full < 0)
		skip();
	/* not even that can be said */
	w = log_writer_new(full, 0, NULL);
	put(w, "too long\n");
	wait_for_failures(w, 1);
	assert_int_equal(log_writer_free(w, 10000), 0);
	close(full);
}

/* Nothing in the log can say that there is no log. Once, although every try fails; and a stderr that is full is not
 * waited for. */
static void a_full_disk_is_told_on_stderr(void **state)
{
	static const char want[] = "error: cannot write the log: No space left on device\n"
				   "       It is tried again every second.\n";
	int fds[2], kept = dup(2), disk = open("/dev/full", O_WRONLY);
	struct log_writer *w;
	struct buf out;

	(void)state;
	assert_int_equal(pipe(fds), 0);
	assert_int_equal(dup2(fds[1], 2), 2);
	w = log_writer_new(disk, 4096, NULL);
	put(w, "lost\n");
	wait_for_failures(w, 2);
	assert_int_equal(log_writer_free(w, 10000), 0);
	buf_init(&out, 1 << 20);
	read_until(fds[0], &out, want);
	assert_string_equal(buf_cstr(&out), want);
	fill(fds[1]);
	w = log_writer_new(disk, 4096, NULL);
	put(w, "lost\n");
	wait_for_failures(w, 1);
	assert_int_equal(log_writer_free(w, 10000), 0);
	assert_int_equal(dup2(kept, 2), 2);
	close(kept);
	close(disk);
	close(fds[0]);
	close(fds[1]);
	buf_free(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(writes_in_order),
		cmocka_unit_test(lines_of_several_threads_stay_whole),
		cmocka_unit_test(a_stalled_reader_of_key_values),
		cmocka_unit_test(a_stalled_reader_of_json),
		cmocka_unit_test(the_gap_is_told_where_it_is),
		cmocka_unit_test(a_non_blocking_descriptor),
		cmocka_unit_test(lines_behind_the_end),
		cmocka_unit_test(free_does_not_wait_for_ever),
		cmocka_unit_test(a_reader_that_is_gone),
		cmocka_unit_test(a_full_disk),
		cmocka_unit_test(a_full_disk_is_told_on_stderr),
		cmocka_unit_test(a_line_longer_than_the_queue),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
