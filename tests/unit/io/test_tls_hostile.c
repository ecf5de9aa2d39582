/* What a peer may do with a session of TLS, and what it had better not: renegotiation, key updates under load, half-closing,
 * records in pieces, sessions of its own. Our stream is the client and the server in turn. */
#include "config.h"
#include "raw.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <openssl/err.h>
#include "base/mem.h"
#include "io/stream_private.h"

/* A session of that version with a raw peer, which is the server or the client. */
static void begin(struct raw_world *f, struct raw *w, struct side *x, bool raw_server_side, int version)
{
	(raw_server_side ? raw_server : raw_client)(w, x, &f->tls, f->l);
	SSL_set_max_proto_version(w->ssl, version);
	raw_shake(w, x, f->l);
	raw_push(w, SIZE_MAX);
	stream_want_read(x->s, true);
}

static void end(struct raw *w, struct side *x)
{
	assert_int_equal(ERR_peek_error(), 0);
	stream_close(x->s);
	raw_free(w);
	ERR_clear_error();
}

/* Our stream reads exactly this. */
static void reads(struct raw_world *f, struct side *x, const char *text)
{
	size_t n = 0, want = strlen(text);
	char buf[256];

	while (n < want) {
		ssize_t r = stream_read(x->s, buf + n, sizeof buf - n);

		if (r == STREAM_AGAIN) {
			x->readable = 0;
			kit_until(f->l, x->readable);
			continue;
		}
		if (r <= 0)
			fail_msg("read %zd: %s", r, stream_error(x->s));
		n += (size_t)r;
	}
	assert_int_equal(n, want);
	assert_memory_equal(buf, text, want);
}

/* So does the raw peer. */
static void hears(struct raw *w, const char *text)
{
	char buf[256];
	int r;

	raw_pull(w);
	r = SSL_read(w->ssl, buf, sizeof buf);
	assert_int_equal(r, strlen(text));
	assert_memory_equal(buf, text, (size_t)r);
}

/* Both ends can still talk. */
static void talk(struct raw_world *f, struct raw *w, struct side *x)
{
	raw_write(w, "to you", 6);
	raw_push(w, SIZE_MAX);
	reads(f, x, "to you");
	assert_int_equal(stream_write(x->s, "to me", 5), 5);
	hears(w, "to me");
}

/* CVE-2009-3555's way in, and a cheap way to cost us a handshake: the peer is told no, and our end goes on as if nothing had
 * been asked (OpenSSL's, at the other end, gives up at the no). */
static void no_renegotiation(void **state)
{
	struct raw_world *f = *state;

	for (int server = 0; server < 2; server++) {
		struct raw w;
		struct side x;
		char buf[8];
		int r;

		begin(f, &w, &x, server, TLS1_2_VERSION);
		talk(f, &w, &x);
		assert_int_equal(SSL_renegotiate(w.ssl), 1);
		SSL_do_handshake(w.ssl);
		assert_true(raw_push(&w, SIZE_MAX) > 0); /* a ClientHello, or a HelloRequest */
		kit_for(f->l, 2000);
		assert_int_equal(stream_read(x.s, buf, sizeof buf), STREAM_AGAIN);
		assert_int_equal(stream_write(x.s, "still", 5), 5);
		assert_int_equal(stream_read(x.s, buf, sizeof buf), STREAM_AGAIN);
		raw_pull(&w);
		r = server ? SSL_read(w.ssl, buf, sizeof buf) : SSL_do_handshake(w.ssl);
		assert_int_equal(SSL_get_error(w.ssl, r), SSL_ERROR_SSL);
		assert_int_equal(ERR_GET_REASON(ERR_peek_error()), SSL_R_NO_RENEGOTIATION);
		ERR_clear_error();
		end(&w, &x);
	}
}

/* Whoever says goodbye first may still be answered. */
static void half_closed(void **state)
{
	static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};
	struct raw_world *f = *state;

	for (int way = 0; way < 4; way++) {
		struct raw w;
		struct side x;
		char buf[16];

		begin(f, &w, &x, way & 1, versions[way / 2]);
		raw_write(&w, "last words", 10);
		SSL_shutdown(w.ssl);
		raw_push(&w, SIZE_MAX);
		reads(f, &x, "last words");
		x.readable = 0;
		kit_until(f->l, x.readable);
		assert_int_equal(stream_read(x.s, buf, sizeof buf), 0);
		for (int i = 0; i < 3; i++) {
			assert_int_equal(stream_write(x.s, "answer", 6), 6);
			hears(&w, "answer");
		}
		assert_int_equal(stream_read(x.s, buf, sizeof buf), 0);
		end(&w, &x);
	}
}

/* The record layer, cut everywhere: a record whose bytes come one by one, with another record begun behind it. */
static void every_cut_of_a_record(void **state)
{
	struct raw_world *f = *state;

	for (int server = 0; server < 2; server++) {
		struct raw w;
		struct side x;
		char buf[64];
		size_t n;

		begin(f, &w, &x, server, TLS1_3_VERSION);
		raw_write(&w, "0123456789", 10);
		n = (size_t)BIO_pending(w.out);
		raw_push(&w, SIZE_MAX);
		reads(f, &x, "0123456789");
		for (size_t cut = 1; cut < n; cut++) {
			raw_write(&w, "0123456789", 10);
			raw_write(&w, "abcdefghij", 10);
			assert_int_equal(BIO_pending(w.out), 2 * n);
			assert_int_equal(raw_push(&w, cut), cut); /* a part of the first */
			kit_for(f->l, 100);
			assert_int_equal(stream_read(x.s, buf, sizeof buf), STREAM_AGAIN);
			assert_int_equal(raw_push(&w, n), n); /* its rest, and as much of the second */
			reads(f, &x, "0123456789");
			assert_int_equal(stream_read(x.s, buf, sizeof buf), STREAM_AGAIN);
			raw_push(&w, SIZE_MAX);
			reads(f, &x, "abcdefghij");
		}
		for (size_t i = 0; i < n; i++) { /* byte by byte */
			if (i == 0)
				raw_write(&w, "klmnopqrst", 10);
			assert_int_equal(raw_push(&w, 1), 1);
			if (i + 1 < n)
				assert_int_equal(stream_read(x.s, buf, sizeof buf), STREAM_AGAIN);
			kit_for(f->l, 100);
		}
		reads(f, &x, "klmnopqrst");
		end(&w, &x);
	}
}

/* ---- key updates under load ---- */

#define LOAD  (4u << 20)
#define EVERY (64u << 10)

struct loader {
	struct side side;
	size_t sent, got, updates;
	bool bad;
};

static unsigned char pattern(size_t i)
{
	return (unsigned char)(i * 13 + (i >> 9));
}

static void on_load(void *arg, unsigned what)
{
	struct loader *d = arg;
	unsigned char buf[30000];
	ssize_t r;

	if (what & STREAM_READABLE) {
		while ((r = stream_read(d->side.s, buf, sizeof buf)) > 0)
			for (ssize_t i = 0; i < r; i++)
				d->bad |= buf[i] != pattern(d->got++);
		d->bad |= r != STREAM_AGAIN;
	}
	while (d->sent < LOAD) {
		size_t n = LOAD - d->sent < sizeof buf ? LOAD - d->sent : sizeof buf;

		/* Of its own key, and of the other's, which is answered inside of a read: mostly while a record waits there. */
		if (d->sent / EVERY >= d->updates) {
			d->bad |= !SSL_key_update(d->side.s->ssl, SSL_KEY_UPDATE_REQUESTED);
			d->updates++;
		}
		for (size_t i = 0; i < n; i++)
			buf[i] = pattern(d->sent + i);
		r = stream_write(d->side.s, buf, n);
		if (r <= 0) {
			d->bad |= r == STREAM_FAIL;
			break;
		}
		d->sent += (size_t)r;
	}
	stream_want_write(d->side.s, d->sent < LOAD);
}

static void key_updates_under_load(void **state)
{
	struct raw_world *f = *state;
	struct loader a = {0}, b = {0}, *both[] = {&a, &b};
	int fd[2];

	kit_tcp_pair(fd);
	for (int i = 0; i < 2; i++)
		raw_side_start(&both[i]->side, f->l, fd[i]);
	stream_tls_client(a.side.s, f->tls.client_ctx, "db.example.com");
	stream_tls_server(b.side.s, f->tls.server_ctx);
	for (int i = 0; i < 2; i++)
		both[i]->side.done = stream_tls_step(both[i]->side.s, &both[i]->side.err);
	kit_until(f->l, a.side.done == 1 && b.side.done == 1);
	for (int i = 0; i < 2; i++) {
		stream_set_owner(both[i]->side.s, on_load, both[i]);
		stream_want_read(both[i]->side.s, true);
		stream_want_write(both[i]->side.s, true);
	}
	kit_until(f->l, a.bad || b.bad || (a.got == LOAD && b.got == LOAD));
	assert_false(a.bad || b.bad);
	assert_true(a.updates >= LOAD / EVERY / 2 && b.updates >= LOAD / EVERY / 2);
	stream_close(a.side.s);
	stream_close(b.side.s);
}

/* ---- sessions ---- */

/* A server of ours gives none and takes none; a client of ours shows none, though it was given some. */
static void no_session_is_resumed(void **state)
{
	static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};
	struct raw_world *f = *state;

	for (int way = 0; way < 4; way++) {
		struct raw w;
		struct side x;
		SSL_SESSION *session = NULL;

		for (int again = 0; again < 2; again++) {
			(way & 1 ? raw_server : raw_client)(&w, &x, &f->tls, f->l);
			SSL_set_max_proto_version(w.ssl, versions[way / 2]);
			if (session)
				assert_int_equal(SSL_set_session(w.ssl, session), 1);
			raw_shake(&w, &x, f->l);
			raw_push(&w, SIZE_MAX);
			stream_want_read(x.s, true);
			talk(f, &w, &x);
			assert_false(SSL_session_reused(w.ssl));
			assert_false(SSL_session_reused(x.s->ssl));
			if (!(way & 1) && !again) {
				session = SSL_get1_session(w.ssl);
				assert_false(SSL_SESSION_has_ticket(session));
			}
			end(&w, &x);
		}
		SSL_SESSION_free(session);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_renegotiation),
		cmocka_unit_test(half_closed),
		cmocka_unit_test(every_cut_of_a_record),
		cmocka_unit_test(key_updates_under_load),
		cmocka_unit_test(no_session_is_resumed),
	};

	return cmocka_run_group_tests(tests, raw_world_setup, raw_world_teardown);
}
