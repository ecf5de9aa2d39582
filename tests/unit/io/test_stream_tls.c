#include "config.h"
#include "flood.h"
#include "raw.h"

#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <openssl/err.h>
#include "base/mem.h"

/* Two streams of ours, connected. */
static void both(struct kit_tls *t, struct loop *l, struct side *client, struct side *server)
{
	raw_meet(server, client, l, t->server_ctx, t->client_ctx, "db.example.com");
	assert_int_equal(client->done, 1);
	assert_int_equal(server->done, 1);
}

/* ---- tests ---- */

/* A stream of ours that has shaken hands with a server under the test's control. */
static int shaken(void **state)
{
	struct raw_world *f = *state;

	raw_server(&f->w, &f->x, &f->tls, f->l);
	raw_shake(&f->w, &f->x, f->l);
	return 0;
}

static int shaken_end(void **state)
{
	struct raw_world *f = *state;

	stream_close(f->x.s);
	raw_free(&f->w);
	return 0;
}

/* The next thing there is to read. */
static ssize_t read_next(struct raw_world *f, void *buf, size_t n)
{
	f->x.readable = 0;
	kit_until(f->l, f->x.readable);
	return stream_read(f->x.s, buf, n);
}

static void agrees(void **state)
{
	struct raw_world *f = *state;
	struct side c, s;
	unsigned char a[64], b[64];
	char buf[16];
	size_t n;

	both(&f->tls, f->l, &c, &s);
	assert_true(stream_is_tls(c.s));
	assert_true(stream_is_verified(c.s));
	assert_false(stream_is_verified(s.s));
	assert_string_equal(stream_tls_version(c.s), "TLSv1.3");
	assert_true(slice_eq_str(stream_tls_alpn(c.s), "postgresql"));
	assert_true(slice_eq_str(stream_tls_alpn(s.s), "postgresql"));
	n = stream_tls_server_end_point(c.s, a);
	assert_int_equal(n, 32);
	assert_int_equal(stream_tls_server_end_point(s.s, b), n);
	assert_memory_equal(a, b, n);
	assert_int_equal(stream_write(c.s, "ping", 4), 4);
	stream_want_read(s.s, true);
	kit_until(f->l, s.readable);
	assert_int_equal(stream_read(s.s, buf, sizeof buf), 4);
	assert_memory_equal(buf, "ping", 4);
	/* close_notify and the end of the socket */
	stream_close(c.s);
	s.readable = 0;
	kit_until(f->l, s.readable);
	assert_int_equal(stream_read(s.s, buf, sizeof buf), 0);
	assert_int_equal(stream_read(s.s, buf, sizeof buf), 0);
	stream_close(s.s);
}

/* Records of one byte, read one byte a callback: every byte must be announced, though the socket has been
 * empty since the first. */
static void one_byte_at_a_time(void **state)
{
	struct raw_world *f = *state;
	struct raw *w = &f->w;
	struct side *x = &f->x;
	char c;

	for (int i = 0; i < 100; i++) {
		c = (char)i;
		raw_write(w, &c, 1);
	}
	raw_write(w, "0123456789", 10);
	assert_int_equal(stream_read(x->s, &c, 1), STREAM_AGAIN);
	raw_push(w, SIZE_MAX);
	stream_want_read(x->s, true);
	for (int i = 0; i < 110; i++) {
		kit_until(f->l, x->readable);
		assert_int_equal(stream_read(x->s, &c, 1), 1);
		assert_int_equal(c, i < 100 ? i : '0' + i - 100);
		x->readable = 0;
	}
	/* and nothing more */
	kit_for(f->l, 20000);
	assert_int_equal(x->readable, 0);
	assert_int_equal(stream_read(x->s, &c, 1), STREAM_AGAIN);
}

/* What was switched off while OpenSSL held records is announced when it is switched on. */
static void held_waits_for_the_switch(void **state)
{
	struct raw_world *f = *state;
	struct raw *w = &f->w;
	struct side *x = &f->x;
	char buf[8];

	raw_write(w, "abcdef", 6);
	raw_write(w, "ghijkl", 6);
	raw_push(w, SIZE_MAX);
	stream_want_read(x->s, true);
	kit_until(f->l, x->readable);
	assert_int_equal(stream_read(x->s, buf, 8), 8); /* from both records at once */
	assert_memory_equal(buf, "abcdefgh", 8);
	stream_want_read(x->s, false);
	x->readable = 0;
	kit_for(f->l, 20000);
	assert_int_equal(x->readable, 0);
	assert_true(stream_peek(x->s));
	stream_want_read(x->s, true);
	kit_until(f->l, x->readable);
	assert_int_equal(stream_read(x->s, buf, 8), 4);
	assert_memory_equal(buf, "ijkl", 4);
	assert_int_equal(stream_read(x->s, buf, 8), STREAM_AGAIN);
	assert_false(stream_peek(x->s));
}

/* The client's first message in one segment with the end of its handshake. */
static void data_behind_finished(void **state)
{
	struct raw_world *f = *state;
	struct raw w;
	struct side x;
	char buf[16];
	int fd[2];

	kit_unix_pair(fd);
	raw_side_start(&x, f->l, fd[0]);
	raw_start(&w, &f->tls, fd[1], false);
	stream_tls_server(x.s, f->tls.server_ctx);
	x.done = stream_tls_step(x.s, &x.err);
	SSL_do_handshake(w.ssl);
	raw_push(&w, SIZE_MAX);
	kit_until(f->l, (raw_pull(&w), SSL_do_handshake(w.ssl) == 1));
	raw_write(&w, "startup", 7);
	raw_push(&w, SIZE_MAX);
	kit_until(f->l, x.done);
	assert_int_equal(x.done, 1);
	kit_for(f->l, 20000);
	assert_int_equal(x.readable, 0); /* off after the handshake */
	stream_want_read(x.s, true);
	kit_until(f->l, x.readable);
	assert_int_equal(stream_read(x.s, buf, sizeof buf), 7);
	assert_memory_equal(buf, "startup", 7);
	stream_close(x.s);
	raw_free(&w);
}

/* ---- post-handshake messages ---- */

static void peek_ignores_tickets(void **state)
{
	struct raw_world *f = *state;
	struct raw *w = &f->w;
	struct side *x = &f->x;
	char c, two[2];

	assert_true(raw_push(w, SIZE_MAX) > 0); /* tickets */
	assert_int_equal(recv(stream_fd(x->s), &c, 1, MSG_PEEK), 1);
	assert_false(stream_peek(x->s));
	assert_false(stream_peek(x->s));
	assert_int_equal(recv(stream_fd(x->s), &c, 1, MSG_PEEK), -1);
	assert_int_equal(SSL_key_update(w->ssl, SSL_KEY_UPDATE_REQUESTED), 1);
	SSL_do_handshake(w->ssl);
	assert_true(raw_push(w, SIZE_MAX) > 0);
	assert_false(stream_peek(x->s));
	raw_write(w, "x", 1);
	raw_push(w, SIZE_MAX);
	assert_true(stream_peek(x->s));
	assert_true(stream_peek(x->s));
	assert_int_equal(stream_read(x->s, two, 2), 1);
	raw_write(w, "y", 1);
	raw_push(w, SIZE_MAX);
	assert_true(stream_peek(x->s)); /* although the read before had found the socket empty */
	assert_int_equal(stream_read(x->s, &c, 1), 1);
	assert_false(stream_peek(x->s));
	/* an end without close_notify */
	close(w->fd);
	w->fd = -1;
	assert_true(stream_peek(x->s));
	assert_int_equal(stream_read(x->s, &c, 1), 0);
}

static void key_update_mid_stream(void **state)
{
	struct raw_world *f = *state;
	struct raw *w = &f->w;
	struct side *x = &f->x;
	char buf[64];
	int r = 0;

	stream_want_read(x->s, true);
	for (int i = 0; i < 20; i++) {
		raw_write(w, "before", 6);
		assert_int_equal(SSL_key_update(w->ssl, SSL_KEY_UPDATE_REQUESTED), 1);
		raw_write(w, "after", 5);
		raw_push(w, SIZE_MAX);
		assert_int_equal(read_next(f, buf, sizeof buf), 11);
		assert_memory_equal(buf, "beforeafter", 11);
		/* our own key changes with the next write */
		assert_int_equal(stream_write(x->s, "reply", 5), 5);
		raw_pull(w);
		r = SSL_read(w->ssl, buf, sizeof buf);
		assert_int_equal(r, 5);
	}
}

/* A ticket too big for one record, of which only the first part has arrived: OpenSSL cannot write before it
 * has read the rest. The owner must see an ordinary "again", and no spinning (pitfall 55). */
static int big_ticket(SSL *ssl, void *arg)
{
	static const unsigned char data[3000];

	(void)arg;
	return SSL_SESSION_set1_ticket_appdata(SSL_get_session(ssl), data, sizeof data);
}

static void write_that_must_read(void **state)
{
	struct raw_world *f = *state;
	struct raw w;
	struct side x;
	char buf[64];
	uint64_t before;

	raw_server(&w, &x, &f->tls, f->l);
	SSL_CTX_set_session_ticket_cb(w.ctx, big_ticket, NULL, NULL);
	SSL_set_max_send_fragment(w.ssl, 512);
	raw_shake(&w, &x, f->l);
	assert_true(raw_push(&w, 800) == 800); /* one record and a half */
	stream_want_read(x.s, true);
	kit_until(f->l, x.readable);
	stream_want_read(x.s, false);
	x.readable = 0;
	assert_int_equal(stream_read(x.s, buf, sizeof buf), STREAM_AGAIN);
	assert_int_equal(stream_write(x.s, "query", 5), STREAM_AGAIN);
	stream_want_write(x.s, true);
	loop_turn(f->l, 0);
	before = kit_now_us();
	loop_turn(f->l, 50000); /* the socket is writable all the time */
	assert_true(kit_now_us() - before >= 40000);
	assert_int_equal(x.writable, 0);
	raw_push(&w, SIZE_MAX);
	kit_until(f->l, x.writable);
	assert_int_equal(x.readable, 0); /* never asked for */
	assert_int_equal(stream_write(x.s, "query", 5), 5);
	raw_pull(&w);
	assert_int_equal(SSL_read(w.ssl, buf, sizeof buf), 5);
	assert_memory_equal(buf, "query", 5);
	stream_close(x.s);
	raw_free(&w);
}

/* A peer that only sends key updates, faster than we can work: each call takes a bounded bite, so that others
 * get their turn. */
#define EMPTY_RECORDS 40000

static void *push_all(void *arg)
{
	struct raw *w = arg;
	struct pollfd p = {.fd = w->fd, .events = POLLOUT};
	char *data;
	long n = BIO_get_mem_data(w->out, &data), sent = 0;

	while (sent < n) {
		ssize_t r = write(w->fd, data + sent, (size_t)(n - sent));

		if (r > 0)
			sent += r;
		else
			poll(&p, 1, 1000);
	}
	return NULL;
}

static void empty_records_are_bounded(void **state)
{
	struct raw_world *f = *state;
	struct raw *w = &f->w;
	struct side *x = &f->x;
	pthread_t t;
	char buf[64];
	unsigned calls = 0;
	ssize_t r = STREAM_AGAIN;

	for (int i = 0; i < EMPTY_RECORDS; i++) {
		SSL_key_update(w->ssl, SSL_KEY_UPDATE_NOT_REQUESTED);
		SSL_do_handshake(w->ssl);
	}
	raw_write(w, "end", 3);
	assert_int_equal(pthread_create(&t, NULL, push_all, w), 0);
	stream_want_read(x->s, true);
	while (r == STREAM_AGAIN) {
		kit_until(f->l, x->readable);
		x->readable = 0;
		calls++;
		r = stream_read(x->s, buf, sizeof buf);
	}
	pthread_join(t, NULL);
	assert_int_equal(r, 3);
	assert_true(calls >= 3);
}

/* ---- ends ---- */

static void end_behind_bytes(void **state)
{
	struct raw_world *f = *state;
	struct raw *w = &f->w;
	struct side *x = &f->x;
	char buf[4];

	raw_write(w, "last", 4);
	SSL_shutdown(w->ssl);
	raw_push(w, SIZE_MAX); /* the socket stays open: only close_notify tells */
	stream_want_read(x->s, true);
	kit_until(f->l, x->readable);
	assert_int_equal(stream_read(x->s, buf, sizeof buf), 4);
	assert_int_equal(read_next(f, buf, sizeof buf), 0);
}

static void end_inside_a_record(void **state)
{
	struct raw_world *f = *state;
	struct raw *w = &f->w;
	struct side *x = &f->x;
	char buf[8];

	raw_write(w, "whole", 5);
	raw_push(w, SIZE_MAX);
	raw_write(w, "half", 4);
	raw_push(w, 10);
	close(w->fd);
	w->fd = -1;
	stream_want_read(x->s, true);
	kit_until(f->l, x->readable);
	assert_int_equal(stream_read(x->s, buf, sizeof buf), 5);
	assert_int_equal(read_next(f, buf, sizeof buf), 0);
	assert_int_equal(stream_read(x->s, buf, sizeof buf), 0);
}

static void garbage_breaks_it(void **state)
{
	struct raw_world *f = *state;
	struct raw *w = &f->w;
	struct side *x = &f->x;
	char buf[64];
	ssize_t r;

	raw_write(w, "good", 4);
	raw_push(w, SIZE_MAX);
	assert_int_equal(write(w->fd, "this is no record", 17), 17);
	stream_want_read(x->s, true);
	kit_until(f->l, x->readable);
	r = stream_read(x->s, buf, sizeof buf);
	assert_int_equal(r, 4);
	assert_int_equal(read_next(f, buf, sizeof buf), STREAM_FAIL);
	assert_string_equal(stream_error(x->s), "wrong version number");
	assert_int_equal(stream_write(x->s, "x", 1), STREAM_FAIL);
	assert_int_equal(ERR_peek_error(), 0);
}

static void full_duplex(void **state)
{
	struct raw_world *f = *state;
	struct side c, d;

	both(&f->tls, f->l, &c, &d);
	flood(f->l, c.s, d.s);
	stream_close(c.s);
	stream_close(d.s);
}

/* ---- the handshake fails ---- */

static void no_tls_there(void **state)
{
	struct raw_world *f = *state;
	struct side x;
	char hello[4096];
	int fd[2];

	kit_unix_pair(fd);
	raw_side_start(&x, f->l, fd[0]);
	stream_tls_client(x.s, f->tls.client_ctx, "db.example.com");
	x.done = stream_tls_step(x.s, &x.err);
	assert_int_equal(write(fd[1], "HTTP/1.1 400 Bad Request\r\n", 26), 26);
	kit_until(f->l, x.done);
	assert_int_equal(x.done, -1);
	assert_int_equal(x.err.code, ERR_TLS);
	assert_string_equal(x.err.msg, "TLS handshake with db.example.com failed: wrong version number");
	assert_non_null(strstr(err_hint_text(&x.err), "does not speak TLS"));
	assert_false(stream_is_tls(x.s));
	stream_close(x.s);
	close(fd[1]);

	kit_unix_pair(fd);
	raw_side_start(&x, f->l, fd[0]);
	stream_tls_client(x.s, f->tls.client_ctx, "db.example.com");
	x.done = stream_tls_step(x.s, &x.err);
	assert_true(read(fd[1], hello, sizeof hello) > 0);
	close(fd[1]);
	kit_until(f->l, x.done);
	assert_int_equal(x.done, -1);
	assert_string_equal(x.err.msg,
			    "TLS handshake with db.example.com failed: the connection was closed by the "
			    "other side");
	assert_int_equal(stream_write(x.s, "x", 1), STREAM_FAIL);
	stream_close(x.s);
}

static void closed_while_shaking(void **state)
{
	struct raw_world *f = *state;
	struct side x;
	int fd[2];

	kit_unix_pair(fd);
	raw_side_start(&x, f->l, fd[0]);
	stream_tls_client(x.s, f->tls.client_ctx, "db.example.com");
	x.done = stream_tls_step(x.s, &x.err);
	assert_int_equal(x.done, 0);
	stream_close(x.s);
	kit_for(f->l, 10000);
	close(fd[1]);
	kit_unix_pair(fd);
	raw_side_start(&x, f->l, fd[0]);
	stream_tls_server(x.s, f->tls.server_ctx);
	stream_close(x.s);
	close(fd[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(agrees),
		cmocka_unit_test_setup_teardown(one_byte_at_a_time, shaken, shaken_end),
		cmocka_unit_test_setup_teardown(held_waits_for_the_switch, shaken, shaken_end),
		cmocka_unit_test(data_behind_finished),
		cmocka_unit_test_setup_teardown(peek_ignores_tickets, shaken, shaken_end),
		cmocka_unit_test_setup_teardown(key_update_mid_stream, shaken, shaken_end),
		cmocka_unit_test(write_that_must_read),
		cmocka_unit_test_setup_teardown(empty_records_are_bounded, shaken, shaken_end),
		cmocka_unit_test_setup_teardown(end_behind_bytes, shaken, shaken_end),
		cmocka_unit_test_setup_teardown(end_inside_a_record, shaken, shaken_end),
		cmocka_unit_test_setup_teardown(garbage_breaks_it, shaken, shaken_end),
		cmocka_unit_test(full_duplex),
		cmocka_unit_test(no_tls_there),
		cmocka_unit_test(closed_while_shaking),
	};

	return cmocka_run_group_tests(tests, raw_world_setup, raw_world_teardown);
}
