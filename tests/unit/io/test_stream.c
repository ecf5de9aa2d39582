#include "config.h"
#include "flood.h"
#include "kit.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "base/mem.h"
#include "io/stream.h"

/* One side of a connection that counts what it is told and does nothing by itself. */
struct side {
	struct stream *s;
	unsigned readable, writable;
	bool close_inside;
};

static void on_side(void *arg, unsigned what)
{
	struct side *x = arg;

	x->readable += !!(what & STREAM_READABLE);
	x->writable += !!(what & STREAM_WRITABLE);
	if (x->close_inside) {
		stream_close(x->s);
		x->s = NULL;
	}
}

/* A stream of ours, and the other end as a plain descriptor. */
struct fixture {
	struct loop *l;
	struct side x;
	int peer; /* -1: closed by the test */
};

static int setup(void **state)
{
	struct fixture *f = mem_zalloc(sizeof *f);
	int fd[2];

	f->l = kit_loop();
	kit_unix_pair(fd);
	f->x.s = stream_new(f->l, fd[0], on_side, &f->x);
	f->peer = fd[1];
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	stream_close(f->x.s);
	if (f->peer >= 0)
		close(f->peer);
	loop_free(f->l);
	free(f);
	return 0;
}

static void reads_and_ends(void **state)
{
	struct fixture *f = *state;
	struct loop *l = f->l;
	struct side *x = &f->x;
	char buf[16];

	assert_false(stream_is_tls(x->s));
	assert_null(stream_tls_version(x->s));
	assert_false(stream_is_verified(x->s));
	assert_int_equal(stream_read(x->s, buf, sizeof buf), STREAM_AGAIN);
	stream_want_read(x->s, true);
	kit_for(l, 30000);
	assert_int_equal(x->readable, 0);
	assert_int_equal(write(f->peer, "hello", 5), 5);
	kit_until(l, x->readable);
	assert_int_equal(stream_read(x->s, buf, sizeof buf), 5);
	assert_memory_equal(buf, "hello", 5);
	assert_int_equal(stream_read(x->s, buf, sizeof buf), STREAM_AGAIN);
	close(f->peer);
	f->peer = -1;
	x->readable = 0;
	kit_until(l, x->readable);
	assert_int_equal(stream_read(x->s, buf, sizeof buf), 0);
	assert_int_equal(stream_read(x->s, buf, sizeof buf), 0);
	stream_close(NULL);
}

/* The answer known from a short read is given once; after that the kernel is asked again. */
static void hint_is_given_once(void **state)
{
	struct fixture *f = *state;
	struct loop *l = f->l;
	struct side *x = &f->x;
	char buf[16];

	assert_int_equal(write(f->peer, "a", 1), 1);
	assert_int_equal(stream_read(x->s, buf, sizeof buf), 1);
	assert_int_equal(write(f->peer, "b", 1), 1);
	assert_int_equal(stream_read(x->s, buf, sizeof buf), STREAM_AGAIN);
	assert_int_equal(stream_read(x->s, buf, sizeof buf), 1);
	assert_int_equal(buf[0], 'b');
	assert_int_equal(write(f->peer, "c", 1), 1);
	/* an event makes up for it, too */
	stream_want_read(x->s, true);
	kit_until(l, x->readable);
	assert_int_equal(stream_read(x->s, buf, sizeof buf), 1);
}

static void switched_off_does_not_spin(void **state)
{
	struct fixture *f = *state;
	struct loop *l = f->l;
	struct side *x = &f->x;
	uint64_t before;
	char buf[16];

	stream_want_read(x->s, true);
	loop_turn(l, 0);
	stream_want_read(x->s, false);
	assert_int_equal(write(f->peer, "late", 4), 4);
	loop_turn(l, 0); /* the lazily kept event goes now */
	before = kit_now_us();
	loop_turn(l, 50000);
	assert_true(kit_now_us() - before >= 40000);
	assert_int_equal(x->readable, 0);
	stream_want_read(x->s, true);
	kit_until(l, x->readable);
	assert_int_equal(stream_read(x->s, buf, sizeof buf), 4);
	/* writable: told only while wanted */
	stream_want_write(x->s, true);
	kit_until(l, x->writable >= 2);
	stream_want_write(x->s, false);
	x->writable = 0;
	kit_for(l, 30000);
	assert_int_equal(x->writable, 0);
}

/* Bytes that nobody takes are told once a turn, and the turn ends. */
static void unread_bytes_do_not_hold_the_turn(void **state)
{
	struct fixture *f = *state;
	struct loop *l = f->l;
	struct side *x = &f->x;

	stream_want_read(x->s, true);
	assert_int_equal(write(f->peer, "x", 1), 1);
	loop_turn(l, 0);
	assert_int_equal(x->readable, 1);
	loop_turn(l, 0);
	assert_int_equal(x->readable, 2);
}

static void closes_inside_the_callback(void **state)
{
	struct fixture *f = *state;
	struct loop *l = f->l;
	struct side *x = &f->x;

	x->close_inside = true;
	stream_want_read(x->s, true);
	stream_want_write(x->s, true);
	stream_kick(x->s);
	assert_int_equal(write(f->peer, "x", 1), 1);
	kit_for(l, 30000);
	assert_null(x->s);
	assert_int_equal(x->readable + x->writable, 1);
}

static void kick_and_owner(void **state)
{
	struct fixture *f = *state;
	struct loop *l = f->l;
	struct side *x = &f->x, y = {0};

	stream_kick(x->s);
	assert_int_equal(x->readable, 0);
	kit_until(l, x->readable);
	kit_for(l, 20000);
	assert_int_equal(x->readable, 1);
	stream_want_read(x->s, true);
	stream_kick(x->s);
	stream_set_owner(x->s, on_side, &y);
	assert_int_equal(write(f->peer, "x", 1), 1);
	kit_for(l, 20000);
	assert_int_equal(x->readable + y.readable, 1); /* all off: neither the kick nor the byte is told */
	stream_want_read(x->s, true);
	kit_until(l, y.readable);
	assert_int_equal(x->readable, 1);
}

/* Both ends of a TCP connection. */
static void pair(struct loop *l, struct side *a, struct side *b)
{
	int fd[2];

	kit_tcp_pair(fd);
	a->s = stream_new(l, fd[0], on_side, a);
	b->s = stream_new(l, fd[1], on_side, b);
}

static void peeks(void **state)
{
	struct loop *l = kit_loop();
	struct side x = {0};
	char buf[4];
	int fd[2];

	(void)state;
	kit_tcp_pair(fd);
	x.s = stream_new(l, fd[0], on_side, &x);
	assert_false(stream_peek(x.s));
	assert_int_equal(write(fd[1], "x", 1), 1);
	kit_until(l, stream_peek(x.s));
	assert_int_equal(stream_read(x.s, buf, sizeof buf), 1);
	assert_false(stream_peek(x.s));
	close(fd[1]);
	kit_until(l, stream_peek(x.s));
	assert_int_equal(stream_read(x.s, buf, sizeof buf), STREAM_AGAIN);
	assert_int_equal(stream_read(x.s, buf, sizeof buf), 0);
	assert_true(stream_peek(x.s));
	stream_close(x.s);
	loop_free(l);
}

static void tells_why_it_broke(void **state)
{
	struct loop *l = kit_loop();
	struct side x = {0}, y = {0};
	char buf[4];
	int fd[2];

	(void)state;
	pair(l, &x, &y);
	assert_string_equal(stream_error(x.s), "");
	stream_want_read(x.s, true);
	setsockopt(stream_fd(y.s), SOL_SOCKET, SO_LINGER, &(struct linger){.l_onoff = 1}, sizeof(struct linger));
	stream_close(y.s);
	kit_until(l, x.readable);
	assert_true(stream_peek(x.s));
	assert_int_equal(stream_read(x.s, buf, sizeof buf), STREAM_FAIL);
	assert_string_equal(stream_error(x.s), "Connection reset by peer");
	assert_int_equal(stream_write(x.s, "x", 1), STREAM_FAIL);
	stream_close(x.s);

	/* no SIGPIPE, whatever the process does about it */
	signal(SIGPIPE, SIG_DFL);
	kit_unix_pair(fd);
	x.s = stream_new(l, fd[0], on_side, &x);
	close(fd[1]);
	assert_int_equal(stream_write(x.s, "x", 1), STREAM_FAIL);
	assert_string_equal(stream_error(x.s), "Broken pipe");
	stream_close(x.s);
	loop_free(l);
}

/* A read that came back short does not hide what has come since. */
static void what_nobody_reads_makes_no_reset(void **state)
{
	struct loop *l = kit_loop();
	struct side x = {0}, y = {0};
	char buf[4];

	(void)state;
	pair(l, &x, &y);
	stream_want_read(y.s, true);
	assert_int_equal(stream_write(y.s, "a", 1), 1);
	kit_until(l, stream_peek(x.s));
	assert_int_equal(stream_read(x.s, buf, sizeof buf), 1);
	assert_int_equal(stream_write(y.s, "b", 1), 1);
	kit_until(l, stream_peek(x.s));
	stream_drain(x.s);
	assert_false(stream_peek(x.s));
	stream_drain(x.s);
	stream_close(x.s);
	kit_until(l, y.readable);
	assert_int_equal(stream_read(y.s, buf, sizeof buf), 0);
	stream_close(y.s);
	loop_free(l);
}

static void full_duplex(void **state)
{
	struct loop *l = kit_loop();
	struct side a = {0}, b = {0};

	(void)state;
	pair(l, &a, &b);
	flood(l, a.s, b.s);
	stream_set_owner(b.s, on_side, &b);
	stream_want_read(b.s, true);
	stream_close(a.s);
	kit_until(l, b.readable);
	assert_true(stream_peek(b.s)); /* the end */
	stream_close(b.s);
	loop_free(l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(reads_and_ends, setup, teardown),
		cmocka_unit_test_setup_teardown(hint_is_given_once, setup, teardown),
		cmocka_unit_test_setup_teardown(switched_off_does_not_spin, setup, teardown),
		cmocka_unit_test_setup_teardown(unread_bytes_do_not_hold_the_turn, setup, teardown),
		cmocka_unit_test_setup_teardown(closes_inside_the_callback, setup, teardown),
		cmocka_unit_test_setup_teardown(kick_and_owner, setup, teardown),
		cmocka_unit_test(peeks),
		cmocka_unit_test(tells_why_it_broke),
		cmocka_unit_test(what_nobody_reads_makes_no_reset),
		cmocka_unit_test(full_duplex),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
