/* TLS while the socket takes nothing: new keys asked for then (RFC 8446, section 4.6.3), what is kept, and who is told. */
#include "config.h"
#include "raw.h"

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "io/stream_private.h"

#define RECORD 16384

struct talk {
	struct raw_world *o;
	size_t told, got; /* bytes the stream said it wrote; bytes the peer deciphered, all as they should be */
	unsigned answers; /* KeyUpdate messages the peer got */
};

static void on_state(const SSL *ssl, int where, int ret)
{
	struct talk *t = SSL_get_app_data(ssl);
	OSSL_HANDSHAKE_STATE st = SSL_get_state(ssl);

	(void)ret;
	t->answers += (where & SSL_CB_LOOP) && (st == TLS_ST_CR_KEY_UPDATE || st == TLS_ST_SR_KEY_UPDATE);
}

/* Both ends before their handshake; the stream is the server if told so. */
static void ends(struct talk *t, bool server)
{
	t->told = t->got = t->answers = 0;
	(server ? raw_client : raw_server)(&t->o->w, &t->o->x, &t->o->tls, t->o->l);
	SSL_set_app_data(t->o->w.ssl, t);
	SSL_set_info_callback(t->o->w.ssl, on_state);
}

static void begin(struct talk *t, bool server)
{
	ends(t, server);
	raw_shake(&t->o->w, &t->o->x, t->o->l);
	raw_push(&t->o->w, SIZE_MAX);
	stream_want_read(t->o->x.s, true);
	if (!server)
		kit_until(t->o->l, t->o->x.readable); /* tickets */
}

static void end(struct talk *t)
{
	stream_close(t->o->x.s);
	raw_free(&t->o->w);
}

static unsigned char pattern(size_t i)
{
	return (unsigned char)(i * 31 + (i >> 8));
}

/* Writes up to that many bytes in all, or until the socket takes no more. */
static void write_up_to(struct talk *t, size_t all)
{
	unsigned char buf[3 * RECORD];

	while (t->told < all) {
		size_t n = all - t->told < sizeof buf ? all - t->told : sizeof buf;
		ssize_t r;

		for (size_t i = 0; i < n; i++)
			buf[i] = pattern(t->told + i);
		r = stream_write(t->o->x.s, buf, n);
		if (r == STREAM_AGAIN)
			return;
		assert_true(r > 0 && (size_t)r <= n);
		t->told += (size_t)r;
	}
}

/* Writes until something is kept. */
static void fill(struct talk *t)
{
	do
		write_up_to(t, SIZE_MAX);
	while (!t->o->x.s->sock.kept);
}

/* What the peer can read of what has come. */
static void decipher(struct talk *t)
{
	unsigned char buf[RECORD];
	int r;

	raw_pull(&t->o->w);
	while ((r = SSL_read(t->o->w.ssl, buf, sizeof buf)) > 0)
		for (int i = 0; i < r; i++)
			assert_int_equal(buf[i], pattern(t->got++));
	assert_int_equal(SSL_get_error(t->o->w.ssl, r), SSL_ERROR_WANT_READ);
}

/* OpenSSL answers the last with its next record, and those before when it reads the one that follows. */
static void ask_for_new_keys(struct talk *t, unsigned times)
{
	for (unsigned i = 0; i < times; i++) {
		assert_int_equal(SSL_key_update(t->o->w.ssl, SSL_KEY_UPDATE_REQUESTED), 1);
		SSL_do_handshake(t->o->w.ssl);
	}
}

static void hears(struct talk *t, const char *text)
{
	char buf[64];
	ssize_t r;

	do {
		t->o->x.readable = 0;
		kit_until(t->o->l, t->o->x.readable);
		r = stream_read(t->o->x.s, buf, sizeof buf);
	} while (r == STREAM_AGAIN);
	assert_int_equal(r, strlen(text));
	assert_memory_equal(buf, text, strlen(text));
}

/* ---- tests ---- */

static void new_keys_while_a_record_waits(void **state)
{
	struct talk talk = {.o = *state}, *t = &talk;

	for (int server = 0; server < 2; server++) {
		size_t all;

		begin(t, server);
		fill(t);
		all = t->told + 5 * RECORD;
		raw_write(&t->o->w, "before", 6);
		ask_for_new_keys(t, 2);
		raw_write(&t->o->w, "after", 5);
		raw_push(&t->o->w, SIZE_MAX);
		hears(t, "beforeafter");
		write_up_to(t, all);
		stream_want_write(t->o->x.s, true);
		t->o->x.readable = t->o->x.writable = 0;
		kit_for(t->o->l, 20000); /* nobody reads: nothing happens */
		assert_int_equal(t->o->x.readable + t->o->x.writable, 0);
		kit_until(t->o->l, (write_up_to(t, all), decipher(t), t->got == all));
		assert_int_equal(t->answers, 2);
		assert_int_equal(t->told, all);
		assert_null(t->o->x.s->sock.kept);
		end(t);
	}
}

/* An answer needs nobody who writes. */
static void an_answer_goes_by_itself(void **state)
{
	struct talk talk = {.o = *state}, *t = &talk;

	for (int server = 0; server < 2; server++) {
		size_t told;

		begin(t, server);
		fill(t);
		told = t->told;
		ask_for_new_keys(t, 2);
		raw_write(&t->o->w, "x", 1);
		raw_push(&t->o->w, SIZE_MAX);
		hears(t, "x");
		t->o->x.writable = 0;
		kit_until(t->o->l, (decipher(t), t->answers == 1));
		kit_for(t->o->l, 20000);
		assert_int_equal(t->o->x.writable, 0); /* never asked for */
		assert_false(t->o->x.s->armed & STREAM_WRITABLE);
		assert_null(t->o->x.s->sock.kept);
		/* the bytes behind which it went are the writer's next */
		assert_true(t->got > told && t->got <= told + RECORD);
		write_up_to(t, t->got + 10);
		decipher(t);
		assert_int_equal(t->got, t->told);
		end(t);
	}
}

/* Somebody who asks and asks, and reads nothing: pgiam keeps no more than it would of a record, and reads no more. */
static void many_requests_are_bounded(void **state)
{
	struct talk talk = {.o = *state}, *t = &talk;
	const unsigned requests = 3000;
	char buf[64];

	for (int server = 0; server < 2; server++) {
		size_t all;
		unsigned before, calls;

		begin(t, server);
		fill(t);
		all = t->told + 3 * RECORD;
		ask_for_new_keys(t, requests);
		raw_write(&t->o->w, "end", 3);
		for (calls = 0; calls < 10000 && t->o->x.s->read_on == STREAM_READABLE; calls++) {
			raw_push(&t->o->w, 512);
			loop_turn(t->o->l, 0);
			assert_int_equal(stream_read(t->o->x.s, buf, sizeof buf), STREAM_AGAIN);
		}
		assert_int_equal(t->o->x.s->read_on, STREAM_WRITABLE); /* that is as much as is kept */
		raw_push(&t->o->w, 512);
		loop_turn(t->o->l, 0);
		before = t->o->x.readable;
		kit_for(t->o->l, 20000);
		assert_int_equal(t->o->x.readable, before); /* no spin */
		/* it reads at last */
		for (ssize_t r = STREAM_AGAIN; r != 3;) {
			assert_int_equal(r, STREAM_AGAIN);
			raw_push(&t->o->w, 512);
			decipher(t);
			loop_turn(t->o->l, 0);
			r = stream_read(t->o->x.s, buf, sizeof buf);
		}
		assert_memory_equal(buf, "end", 3);
		kit_until(t->o->l, (write_up_to(t, all), decipher(t), t->got == all));
		assert_int_equal(t->answers, requests);
		end(t);
	}
}

/* What is said to be written the socket has: so closing loses nothing, and a slow reader is noticed. */
static void told_when_the_socket_has_it(void **state)
{
	struct talk talk = {.o = *state}, *t = &talk;

	for (int server = 0; server < 2; server++) {
		begin(t, server);
		for (int i = 0; i < 10; i++) {
			fill(t);
			raw_pull(&t->o->w);
			decipher(t);
			assert_true(t->got >= t->told && t->got - t->told < RECORD);
			kit_until(t->o->l, !t->o->x.s->sock.kept);
		}
		end(t);
	}
}

static void closing_behind_the_last_byte(void **state)
{
	struct talk talk = {.o = *state}, *t = &talk;
	size_t all;

	begin(t, true);
	fill(t);
	all = t->told + 2 * RECORD;
	kit_until(t->o->l, (write_up_to(t, all), t->told == all || (decipher(t), false)));
	stream_close(t->o->x.s);
	while (!(SSL_get_shutdown(t->o->w.ssl) & SSL_RECEIVED_SHUTDOWN)) {
		unsigned char buf[RECORD];
		int r;

		raw_pull(&t->o->w);
		while ((r = SSL_read(t->o->w.ssl, buf, sizeof buf)) > 0)
			t->got += (size_t)r;
		if (r == 0 || SSL_get_error(t->o->w.ssl, r) != SSL_ERROR_WANT_READ)
			break;
	}
	assert_int_equal(t->got, all);
	assert_true(SSL_get_shutdown(t->o->w.ssl) & SSL_RECEIVED_SHUTDOWN);
	raw_free(&t->o->w);
}

/* It takes no more, for ever, but what it has said is heard. */
static void last_words(void **state)
{
	struct talk talk = {.o = *state}, *t = &talk;
	char buf[16];

	begin(t, false);
	fill(t);
	raw_write(&t->o->w, "sorry", 5);
	raw_push(&t->o->w, SIZE_MAX);
	stream_want_read(t->o->x.s, false);
	stream_want_write(t->o->x.s, true);
	assert_int_equal(shutdown(t->o->w.fd, SHUT_RD), 0);
	raw_pull(&t->o->w); /* a full socket does not tell */
	t->o->x.writable = 0;
	kit_until(t->o->l, t->o->x.writable);
	assert_null(t->o->x.s->sock.kept);
	assert_int_equal(stream_write(t->o->x.s, buf, sizeof buf), STREAM_FAIL);
	stream_want_write(t->o->x.s, false);
	assert_int_equal(stream_read(t->o->x.s, buf, sizeof buf), 5);
	assert_memory_equal(buf, "sorry", 5);
	t->o->x.writable = 0;
	kit_for(t->o->l, 10000);
	assert_int_equal(t->o->x.writable, 0);
	end(t);
}

/* A handshake begins behind bytes that fill the socket. */
static void handshake_through_a_full_socket(void **state)
{
	struct talk talk = {.o = *state}, *t = &talk;
	static char junk[4096];

	for (int server = 0; server < 2; server++) {
		size_t filled = 0;
		ssize_t r;

		ends(t, server);
		while ((r = write(stream_fd(t->o->x.s), junk, sizeof junk)) > 0)
			filled += (size_t)r;
		if (server) {
			SSL_do_handshake(t->o->w.ssl);
			raw_push(&t->o->w, SIZE_MAX);
		}
		t->o->x.done = stream_tls_step(t->o->x.s, &t->o->x.err);
		kit_until(t->o->l, t->o->x.s->sock.kept);
		kit_for(t->o->l, 5000);
		assert_int_equal(t->o->x.done, 0);
		for (; filled > 0; filled -= (size_t)r) {
			r = read(t->o->w.fd, junk, filled < sizeof junk ? filled : sizeof junk);
			assert_true(r > 0);
		}
		kit_until(t->o->l, ({
				  raw_pull(&t->o->w);
				  SSL_do_handshake(t->o->w.ssl);
				  raw_push(&t->o->w, SIZE_MAX);
				  SSL_is_init_finished(t->o->w.ssl) && t->o->x.done;
			  }));
		assert_int_equal(t->o->x.done, 1);
		write_up_to(t, 100);
		decipher(t);
		assert_int_equal(t->got, 100);
		end(t);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(new_keys_while_a_record_waits),
		cmocka_unit_test(an_answer_goes_by_itself),
		cmocka_unit_test(many_requests_are_bounded),
		cmocka_unit_test(told_when_the_socket_has_it),
		cmocka_unit_test(closing_behind_the_last_byte),
		cmocka_unit_test(last_words),
		cmocka_unit_test(handshake_through_a_full_socket),
	};

	return cmocka_run_group_tests(tests, raw_world_setup, raw_world_teardown);
}
