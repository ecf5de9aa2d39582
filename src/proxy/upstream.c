/* Dial, SSLRequest, one byte of answer, handshake; or the handshake at once, which only ALPN tells from a handshake with
 * something that is no PostgreSQL server (a ClientHello to a server before 17 is just a bad packet). The answer is read as
 * exactly one byte, and anything that is in the socket before the handshake starts belongs to the handshake: no byte from
 * before TLS is ever taken for one from inside it (pitfall 1, CVE-2021-23222). */
#include "proxy/upstream.h"

#include <stdlib.h>
#include "base/mem.h"
#include "pg/startup.h"

enum upstream_state { UP_DIAL, UP_ANSWER, UP_HANDSHAKE, UP_DONE };

static const struct state_row rows[] = {
	[UP_DIAL] = {"dial", STATE_BIT(UP_ANSWER) | STATE_BIT(UP_HANDSHAKE) | STATE_BIT(UP_DONE), DEADLINE_OWN},
	[UP_ANSWER] = {"ssl_answer", STATE_BIT(UP_HANDSHAKE) | STATE_BIT(UP_DONE), DEADLINE_OWN},
	[UP_HANDSHAKE] = {"tls", STATE_BIT(UP_DONE), DEADLINE_OWN},
	[UP_DONE] = {"done", 0, DEADLINE_FINAL},
};

struct upstream {
	struct upstream_env env;
	const struct target *target;
	struct tls_ctx *tls; /* ours; NULL: plaintext */
	enum upstream_state state;
	struct dial *dial; /* non-NULL exactly in UP_DIAL */
	struct stream *stream;
	struct timer deadline;
	uint64_t tls_start_us;
	struct upstream_result result;
	upstream_cb cb;
	void *arg;
};

const struct state_row *upstream_state_rows(size_t *count)
{
	*count = sizeof(rows) / sizeof(*rows);
	return rows;
}

static void set_state(struct upstream *u, enum upstream_state s)
{
	state_check(rows, u->state, s);
	u->state = s;
}

static void upstream_free(struct upstream *u)
{
	timer_clear(&u->deadline);
	if (u->dial)
		dial_cancel(u->dial);
	stream_close(u->stream);
	tls_ctx_unref(u->tls);
	loop_free_later(u->env.loop, free, u);
}

/* Every way out but cancel. */
static void finish(struct upstream *u, const struct err *e)
{
	upstream_cb cb = u->cb;
	void *arg = u->arg;
	struct upstream_result r = u->result;

	set_state(u, UP_DONE);
	if (!e) {
		r.stream = u->stream;
		stream_want_read(r.stream, false);
		stream_want_write(r.stream, false);
		u->stream = NULL;
	}
	upstream_free(u);
	cb(arg, e ? NULL : &r, e);
}

static void fail(struct upstream *u, struct err *e, const char *phase)
{
	err_prefix(e, "%s", phase);
	finish(u, e);
}

static void on_deadline(void *arg)
{
	struct upstream *u = arg;
	struct err e;

	if (u->state == UP_DIAL)
		return; /* dial has the same deadline and knows more about it */
	err_set(&e, ERR_CONNECT_TIMEOUT, "no answer within server_connect_timeout");
	fail(u, &e, "TLS");
}

static void handshake(struct upstream *u)
{
	struct err e;
	int rc = stream_tls_step(u->stream, &e);

	if (rc == 0)
		return;
	if (rc == 1 && u->target->tls_start == TARGET_TLS_DIRECT && stream_tls_alpn(u->stream).n == 0)
		rc = err_set(&e, ERR_TLS, "direct TLS was established without ALPN protocol negotiation extension");
	if (rc < 0) {
		if (u->target->tls_start == TARGET_TLS_DIRECT && e.code == ERR_TLS && !e.hint[0])
			err_hint(&e, "sslnegotiation=direct needs PostgreSQL 17 or later, or Aurora DSQL; "
			             "leave it out for other servers.");
		fail(u, &e, "TLS");
		return;
	}
	u->result.tls_us = loop_now_us(u->env.loop) - u->tls_start_us;
	finish(u, NULL);
}

static void begin_handshake(struct upstream *u)
{
	set_state(u, UP_HANDSHAKE);
	stream_tls_client(u->stream, u->tls, u->target->tls_name);
	handshake(u);
}

static void read_answer(struct upstream *u)
{
	unsigned char c = 0;
	ssize_t n = stream_read(u->stream, &c, 1);
	struct err e;

	if (n == STREAM_AGAIN)
		return;
	if (n <= 0) {
		err_set(&e, ERR_SERVER_CLOSED, "the server closed the connection instead of answering SSLRequest");
		fail(u, &e, "TLS");
	} else if ((c == 'S' || c == 'N') && stream_peek(u->stream)) {
		/* No server speaks before we go on: somebody on the line put it there (CVE-2021-23222). */
		err_set(&e, ERR_TLS, "received unencrypted data after the answer to SSLRequest");
		err_hint(&e, "Somebody between this machine and the server may be tampering with the connection.");
		fail(u, &e, "TLS");
	} else if (c == 'S') {
		begin_handshake(u);
	} else if (c == 'N' && u->target->tls_start == TARGET_TLS_OFFER) {
		finish(u, NULL);
	} else if (c == 'N') {
		err_set(&e, ERR_TLS_REFUSED, "the server refuses TLS");
		fail(u, &e, "TLS");
	} else {
		/* An ErrorResponse, perhaps; but its text comes from whoever is on the line. */
		err_set(&e, ERR_TLS, "the server answered SSLRequest with 0x%02x", c);
		err_hint(&e, "Is this a PostgreSQL server? Some answer like this when they are out of connections.");
		fail(u, &e, "TLS");
	}
}

/* A connection that takes not even these 8 bytes at once, its first, is none. */
static void ask_tls(struct upstream *u)
{
	struct buf b;
	bool sent;
	struct err e;

	buf_init(&b, 64);
	startup_write_ssl_request(&b);
	sent = stream_write(u->stream, b.p, b.n) == (ssize_t)b.n;
	buf_free(&b);
	if (sent) {
		set_state(u, UP_ANSWER);
		stream_want_read(u->stream, true);
	} else {
		err_set(&e, ERR_SERVER_CLOSED, "the server closed the connection");
		fail(u, &e, "TLS");
	}
}

static void on_ready(void *arg, unsigned what)
{
	struct upstream *u = arg;

	(void)what;
	switch (u->state) {
	case UP_ANSWER: read_answer(u); break;
	case UP_HANDSHAKE: handshake(u); break;
	case UP_DIAL:
	case UP_DONE: break;
	}
}

static void on_dial(void *arg, const struct dial_result *r, const struct err *e)
{
	struct upstream *u = arg;

	u->dial = NULL;
	if (e) {
		struct err copy = *e;
		if (e->code == ERR_RESOLVE && !copy.detail[0])
			err_detail(&copy, "The system's resolver was asked: /etc/hosts, /etc/resolv.conf and /etc/nsswitch.conf "
			                  "decide, as for every other program here.");
		fail(u, &copy, e->code == ERR_RESOLVE ? "resolve" : "connect");
		return;
	}
	u->result.resolve_us = r->resolve_us;
	u->result.connect_us = r->connect_us;
	u->result.local = addr_is_loopback(&r->peer);
	u->stream = stream_new(u->env.loop, r->fd, on_ready, u);
	if (!u->tls) {
		finish(u, NULL);
		return;
	}
	u->tls_start_us = loop_now_us(u->env.loop);
	if (u->target->tls_start == TARGET_TLS_DIRECT) {
		begin_handshake(u);
		return;
	}
	ask_tls(u);
}

struct upstream *upstream_start(const struct upstream_env *env, const struct target *t, struct tls_ctx *tls,
                                upstream_cb cb, void *arg)
{
	struct upstream *u = mem_zalloc(sizeof(*u));

	u->env = *env;
	u->target = t;
	u->tls = tls ? tls_ctx_ref(tls) : NULL;
	u->cb = cb;
	u->arg = arg;
	u->state = UP_DIAL;
	timer_init(&u->deadline, env->loop, on_deadline, u);
	timer_set(&u->deadline, t->server_connect_timeout_us);
	u->dial = dial_start(env->loop, env->resolver, env->mail, &t->dial, on_dial, u);
	return u;
}

void upstream_cancel(struct upstream *u)
{
	upstream_free(u);
}
