#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>
#include "base/mem.h"
#include "io/child.h"
#include "kit.h"

#define SEC UINT64_C(1000000)

struct fixture {
	struct loop *loop;
	int calls;
	enum child_end end;
	int status;
	char *output;
};

static int set_up(void **state)
{
	static struct fixture f;

	memset(&f, 0, sizeof(f));
	f.loop = kit_loop();
	*state = &f;
	return f.loop ? 0 : -1;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	free(f->output);
	loop_free(f->loop);
	return 0;
}

static void on_end(void *arg, const struct child_result *r)
{
	struct fixture *f = arg;

	f->calls++;
	f->end = r->end;
	f->status = r->status;
	free(f->output);
	f->output = slice_dup(r->output);
}

static struct child *start(struct fixture *f, const char *script, uint64_t deadline_us, size_t max)
{
	char sh[] = "sh", c[] = "-c", greeting[] = "GREETING=hello", path[] = "PATH=/usr/bin:/bin";
	char *text = mem_strdup(script), *argv[] = {sh, c, text, NULL}, *envp[] = {greeting, path, NULL};
	struct child_opts o = {
		.argv = argv, .envp = envp, .deadline_us = deadline_us, .max_output_bytes = max};

	struct child *started = child_start(f->loop, &o, on_end, f);

	free(text);
	return started;
}

static void wait_for_end(struct fixture *f)
{
	while (f->calls == 0)
		loop_turn(f->loop, SEC);
	loop_turn(f->loop, 0);
	assert_int_equal(f->calls, 1);
}

static void run(struct fixture *f, const char *script, uint64_t deadline_us, size_t max)
{
	f->calls = 0;
	start(f, script, deadline_us, max);
	assert_int_equal(f->calls, 0); /* never inside start */
	wait_for_end(f);
}

static void says_and_exits(void **state)
{
	struct fixture *f = *state;

	run(f, "echo $GREETING", 60 * SEC, 100);
	assert_int_equal(f->end, CHILD_EXITED);
	assert_int_equal(f->status, 0);
	assert_string_equal(f->output, "hello\n");
	run(f, "echo a; echo b >&2; sleep 0.05; echo c; exit 3", 60 * SEC, 100);
	assert_int_equal(f->end, CHILD_EXITED);
	assert_int_equal(f->status, 3);
	assert_string_equal(f->output, "a\nc\n");
	run(f, "kill -TERM $$", 60 * SEC, 100);
	assert_int_equal(f->end, CHILD_KILLED);
	assert_int_equal(f->status, SIGTERM);
	assert_string_equal(f->output, "");
}

static void limits(void **state)
{
	struct fixture *f = *state;

	run(f, "printf 12345678", 60 * SEC, 8);
	assert_int_equal(f->end, CHILD_EXITED);
	run(f, "printf 123456789; sleep 60", 60 * SEC, 8);
	assert_int_equal(f->end, CHILD_TOO_MUCH);
	assert_string_equal(f->output, "");
	run(f, "yes", 60 * SEC, 100000);
	assert_int_equal(f->end, CHILD_TOO_MUCH);
	run(f, "echo said; sleep 60", SEC / 10, 100);
	assert_int_equal(f->end, CHILD_TIMEOUT);
	assert_string_equal(f->output, "");
	assert_string_equal(child_end_text(f->end), "did not end in time");
}

/* Its output is over before it is, and the other way round. */
static void pipe_and_end(void **state)
{
	struct fixture *f = *state;

	run(f, "echo x; exec >&-; sleep 0.1; exit 4", 60 * SEC, 100);
	assert_int_equal(f->end, CHILD_EXITED);
	assert_int_equal(f->status, 4);
	assert_string_equal(f->output, "x\n");
	run(f, "sleep 60 & echo x", 60 * SEC, 100); /* somebody else holds the pipe */
	assert_int_equal(f->end, CHILD_EXITED);
	assert_string_equal(f->output, "x\n");
}

/* Of what is ours it has nothing: descriptors, blocked and ignored signals. */
static void inherits_nothing(void **state)
{
	struct fixture *f = *state;
	const struct sigaction ignore = {.sa_handler = SIG_IGN}, plain = {.sa_handler = SIG_DFL};
	sigset_t set, before;
	unsigned long long blocked, ignored;
	int fds, fd = dup(2); /* without O_CLOEXEC */

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigprocmask(SIG_BLOCK, &set, &before);
	sigaction(SIGPIPE, &ignore, NULL);
	run(f, "ls /proc/self/fd | wc -l; grep -E '^Sig(Blk|Ign)' /proc/self/status | tr -d '\\t\\n'",
	    60 * SEC, 200);
	sigprocmask(SIG_SETMASK, &before, NULL);
	sigaction(SIGPIPE, &plain, NULL);
	close(fd);
	assert_int_equal(sscanf(f->output, "%d\nSigBlk:%llxSigIgn:%llx", &fds, &blocked, &ignored), 3);
	assert_int_equal(fds, 4); /* 0, 1, 2, and the directory that ls reads */
	assert_int_equal(blocked, 0);
	assert_int_equal(ignored & ~UINT64_C(0x180000000), 0); /* 32 and 33 are the C library's own */
}

static void not_started(void **state)
{
	struct fixture *f = *state;
	char program[] = "/nonexistent/program", *argv[] = {program, NULL}, *envp[] = {NULL};
	struct child_opts o = {.argv = argv, .envp = envp, .deadline_us = SEC, .max_output_bytes = 10};

	f->calls = 0;
	child_start(f->loop, &o, on_end, f);
	assert_int_equal(f->calls, 0);
	wait_for_end(f);
	assert_int_equal(f->end, CHILD_NOT_STARTED);
	assert_int_equal(f->status, ENOENT);
	f->calls = 0;
	child_cancel(child_start(f->loop, &o, on_end, f));
	loop_turn(f->loop, 0);
	assert_int_equal(f->calls, 0);
}

/* It and what it started are gone when cancel returns. */
static void cancelled(void **state)
{
	struct fixture *f = *state;
	char path[] = "/tmp/pgiam-child-XXXXXX", script[200];
	struct child *c;
	int fd = mkstemp(path), pid = 0;
	char text[32] = "";

	assert_true(fd >= 0);
	f->calls = 0;
	snprintf(script, sizeof(script), "sleep 60 & echo $! > %s; wait", path);
	c = start(f, script, 60 * SEC, 100);
	while (pread(fd, text, sizeof(text) - 1, 0) < 2)
		loop_turn(f->loop, SEC / 100);
	pid = (int)strtol(text, NULL, 10);
	child_cancel(c);
	loop_turn(f->loop, 0);
	assert_int_equal(f->calls, 0);
	/* killed; its zombie is for init to bury */
	for (int i = 0; i < 1000 && kill(pid, 0) == 0; i++)
		usleep(10000);
	close(fd);
	unlink(path);
	child_cancel(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(says_and_exits, set_up, tear_down),
		cmocka_unit_test_setup_teardown(limits, set_up, tear_down),
		cmocka_unit_test_setup_teardown(pipe_and_end, set_up, tear_down),
		cmocka_unit_test_setup_teardown(inherits_nothing, set_up, tear_down),
		cmocka_unit_test_setup_teardown(not_started, set_up, tear_down),
		cmocka_unit_test_setup_teardown(cancelled, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
