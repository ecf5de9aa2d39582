/* One state machine: ask for the secret where it has to be waited for, reach, start up, authenticate, set up. What the
 * server may send is a table of states, not a matter of what was seen before. Everything read is small (limits in
 * pg/msg.h), so it is collected in one capped buffer. */
#include "proxy/login_private.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include "base/mem.h"
#include "pg/frame.h"
#include "pg/message.h"
#include "pg/msg.h"
#include "pg/parse.h"
#include "pg/scram.h"

#define ANY_END STATE_BIT(LOGIN_DONE)

static const struct state_row rows[] = {
	[LOGIN_ASK] = {"ask", STATE_BIT(LOGIN_REACH) | ANY_END, DEADLINE_OWN},
	[LOGIN_REACH] = {"reach", STATE_BIT(LOGIN_AUTH) | ANY_END, DEADLINE_OWN},
	[LOGIN_AUTH] = {"auth", STATE_BIT(LOGIN_SECRET) | STATE_BIT(LOGIN_SETUP) | ANY_END, DEADLINE_OWN},
	[LOGIN_SECRET] = {"secret", STATE_BIT(LOGIN_VERDICT) | STATE_BIT(LOGIN_SCRAM_FIRST) | ANY_END, DEADLINE_OWN},
	[LOGIN_VERDICT] = {"verdict", STATE_BIT(LOGIN_SETUP) | ANY_END, DEADLINE_OWN},
	[LOGIN_SCRAM_FIRST] = {"scram_first", STATE_BIT(LOGIN_SCRAM_HASH) | ANY_END, DEADLINE_OWN},
	[LOGIN_SCRAM_HASH] = {"scram_hash", STATE_BIT(LOGIN_SCRAM_FINAL) | ANY_END, DEADLINE_OWN},
	[LOGIN_SCRAM_FINAL] = {"scram_final", STATE_BIT(LOGIN_SCRAM_OK) | ANY_END, DEADLINE_OWN},
	[LOGIN_SCRAM_OK] = {"scram_ok", STATE_BIT(LOGIN_SETUP) | ANY_END, DEADLINE_OWN},
	[LOGIN_SETUP] = {"setup", STATE_BIT(LOGIN_READY) | ANY_END, DEADLINE_OWN},
	[LOGIN_READY] = {"ready", ANY_END, DEADLINE_OWN},
	[LOGIN_DONE] = {"done", 0, DEADLINE_FINAL},
};

static void parse(struct login *l);
static void reach(struct login *l);

const struct state_row *login_state_rows(size_t *count)
{
	*count = sizeof(rows) / sizeof(*rows);
	return rows;
}

static void set_state(struct login *l, enum login_state s)
{
	state_check(rows, l->state, s);
	l->state = s;
}

static void login_free(struct login *l)
{
	timer_clear(&l->deadline);
	if (l->upstream)
		upstream_cancel(l->upstream);
	tls_ctx_unref(l->rq.tls);
	if (l->secret_op)
		l->rq.secret->ops->cancel(l->secret_op);
	defer_clear(&l->give);
	secret_clear(&l->kept);
	login_scram_free(l);
	secret_clear(&l->sent);
	stream_close(l->stream);
	buf_free(&l->in);
	buf_free(&l->out);
	free(l->user);
	login_result_free(l->result);
	loop_free_later(l->env.up.loop, free, l);
}

void login_cancel(struct login *l)
{
	login_free(l);
}

static void finish(struct login *l, const struct err *e)
{
	login_cb cb = l->cb;
	void *arg = l->arg;
	struct login_result *r = l->result;
	uint64_t secret_no = l->secret_no;

	set_state(l, LOGIN_DONE);
	if (!e) {
		stream_want_read(l->stream, false);
		stream_want_write(l->stream, false);
		r->stream = l->stream;
		r->auth_us = loop_now_us(l->env.up.loop) - l->auth_start_us;
		l->stream = NULL;
		l->result = NULL;
	}
	login_free(l);
	cb(arg, e ? NULL : r, secret_no, e);
}

static void fail_protocol(struct login *l, const char *what)
{
	struct err e;

	err_set(&e, ERR_SERVER_PROTOCOL, "login: the server sent %s", what);
	finish(l, &e);
}

static void on_deadline(void *arg)
{
	struct login *l = arg;
	struct err e;

	if (l->state == LOGIN_REACH)
		return; /* upstream has the same deadline and knows more about it */
	if (l->secret_op) /* it is not the server that is slow */
		err_set(&e, ERR_CREDENTIALS_AWAY, "login: the credentials did not come within server_connect_timeout");
	else
		err_set(&e, ERR_LOGIN_TIMEOUT, "login: no end within server_connect_timeout (%s)", rows[l->state].name);
	if (l->state == LOGIN_VERDICT)
		err_detail(&e, "The secret was sent, and no verdict came. On RDS the instance's authentication helper may be "
		               "overloaded, or cannot reach IAM.");
	finish(l, &e);
}

/* ---- sending ---- */

/* Sends what is in out, and wipes it once gone. False if the login is over. */
static bool flush(struct login *l)
{
	while (l->out.n > 0) {
		ssize_t n = stream_write(l->stream, l->out.p, l->out.n);
		if (n == STREAM_AGAIN) {
			stream_want_write(l->stream, true);
			return true;
		}
		if (n < 0) {
			struct err e;
			err_set(&e, ERR_SERVER_CLOSED, "login: the server closed the connection");
			finish(l, &e);
			return false;
		}
		buf_drop_front(&l->out, (size_t)n);
	}
	stream_want_write(l->stream, false);
	buf_clear(&l->out);
	return true;
}

static bool send_out(struct login *l)
{
	if (l->out.full) {
		struct err e;
		err_set(&e, ERR_LIMIT, "login: the startup packet or the secret is too long");
		finish(l, &e);
		return false;
	}
	return flush(l);
}

/* Sends what is in out and listens for the answer; something may have come already. */
static void send_and_listen(struct login *l)
{
	if (!send_out(l))
		return;
	stream_want_read(l->stream, true);
	if (l->in.n > 0)
		parse(l);
}

/* ---- the secret ---- */

static void hand_over(struct login *l, struct slice secret)
{
	struct err e;

	if (login_secret_answer(l, secret, &e) != 0) {
		finish(l, &e);
		return;
	}
	set_state(l, l->request == AUTH_SASL ? LOGIN_SCRAM_FIRST : LOGIN_VERDICT);
	send_and_listen(l);
}

static void hand_over_kept(void *arg)
{
	struct login *l = arg;

	hand_over(l, secret_slice(&l->kept));
}

static void on_secret(void *arg, const struct secret_answer *a, const struct err *e)
{
	struct login *l = arg;

	l->secret_op = NULL;
	if (e) {
		struct err copy = *e;
		err_prefix(&copy, "login");
		finish(l, &copy);
		return;
	}
	l->secret_no = a->no;
	if (l->state == LOGIN_SECRET) {
		hand_over(l, a->secret);
		return;
	}
	/* The two belong together: a later answer may be another user's secret. */
	secret_set(&l->kept, a->secret);
	if (a->user) {
		free(l->user);
		l->user = mem_strdup(a->user);
	}
	reach(l);
}

static void ask_source(struct login *l)
{
	struct secret_request rq;

	login_secret_request(l, &rq);
	l->secret_op = l->rq.secret->ops->start(l->rq.secret, &rq, on_secret, l);
}

static void on_asked(struct login *l, uint32_t request, struct slice data)
{
	struct err e;

	if (login_secret_asked(l, request, data, &e) != 0) {
		finish(l, &e);
		return;
	}
	/* Nothing may come now; what comes all the same is read when the answer is out. */
	stream_want_read(l->stream, false);
	set_state(l, LOGIN_SECRET);
	if (secret_is_set(&l->kept))
		defer_set(&l->give);
	else
		ask_source(l);
}

static void on_hashed(struct login *l)
{
	set_state(l, LOGIN_SCRAM_FINAL);
	send_and_listen(l);
}

static void on_scram_first(struct login *l, struct slice data)
{
	struct err e;

	if (login_scram_first(l, data, on_hashed, &e) != 0) {
		finish(l, &e);
		return;
	}
	set_state(l, LOGIN_SCRAM_HASH);
	stream_want_read(l->stream, false);
}

static void on_scram_final(struct login *l, struct slice data)
{
	struct err e;

	if (login_scram_final(l, data, &e) != 0)
		finish(l, &e);
	else
		set_state(l, LOGIN_SCRAM_OK);
}

/* ---- messages ---- */

static void on_auth(struct login *l, struct slice body)
{
	uint32_t request;
	struct slice data;

	if (parse_auth(body, &request, &data) != 0) {
		fail_protocol(l, "a malformed authentication request");
		return;
	}
	switch (l->state) {
	case LOGIN_AUTH:
		if (request == AUTH_OK)
			set_state(l, LOGIN_SETUP);
		else if (request == AUTH_SASL_CONTINUE || request == AUTH_SASL_FINAL || request == AUTH_GSS_CONTINUE)
			fail_protocol(l, "the middle of an authentication exchange that was not begun");
		else
			on_asked(l, request, data);
		return;
	case LOGIN_VERDICT:
	case LOGIN_SCRAM_OK:
		if (request == AUTH_OK) {
			set_state(l, LOGIN_SETUP);
			return;
		}
		break;
	case LOGIN_SCRAM_FIRST:
		if (request == AUTH_SASL_CONTINUE) {
			on_scram_first(l, data);
			return;
		}
		break;
	case LOGIN_SCRAM_FINAL:
		/* AuthenticationOk here would be a server that does not know the password. */
		if (request == AUTH_SASL_FINAL) {
			on_scram_final(l, data);
			return;
		}
		break;
	case LOGIN_ASK:
	case LOGIN_REACH:
	case LOGIN_SECRET:
	case LOGIN_SCRAM_HASH:
	case LOGIN_SETUP:
	case LOGIN_READY:
	case LOGIN_DONE: break;
	}
	fail_protocol(l, "an authentication request out of order");
}

static void on_refusal(struct login *l, struct slice body)
{
	struct err e;

	if (login_refusal(l, body, &e) != 0)
		fail_protocol(l, "a malformed ErrorResponse");
	else
		finish(l, &e);
}

static void on_parameter(struct login *l, struct slice body)
{
	struct slice name, value;

	if (parse_parameter_status(body, &name, &value) != 0)
		fail_protocol(l, "a malformed ParameterStatus");
	else if (login_result_parameter(l->result, name, value) != 0)
		fail_protocol(l, "more parameters than a server has");
}

/* Once, and before anything else that the server says of the login. */
static void on_negotiate(struct login *l, struct slice body)
{
	const struct target *t = l->rq.target;
	struct err e;

	if (l->state != LOGIN_AUTH || l->agreed != 0) {
		fail_protocol(l, "a NegotiateProtocolVersion out of order");
		return;
	}
	if (parse_negotiate(body, t->max_protocol, t->min_protocol, &l->agreed, &e) == 0)
		return;
	err_prefix(&e, "login");
	if (t->min_protocol == STARTUP_3_0)
		err_hint(&e, "With max_protocol_version = 3.0 nothing is left to negotiate.");
	finish(l, &e);
}

static void on_key(struct login *l, struct slice body)
{
	uint32_t version = l->agreed ? l->agreed : l->rq.target->max_protocol;
	struct slice key;

	if (l->result->has_key || parse_backend_key(body, &l->result->pid, &key) != 0) {
		fail_protocol(l, "a malformed or second BackendKeyData");
		return;
	}
	if (version < STARTUP_3_2 && key.n != STARTUP_KEY_BYTES_3_0) {
		fail_protocol(l, "a cancel key that is not 4 bytes long, as in protocol 3.0");
		return;
	}
	l->result->has_key = true;
	memcpy(l->result->key, key.p, key.n);
	l->result->key_bytes = key.n;
}

static void on_setup(struct login *l, uint8_t type, struct slice body)
{
	switch (type) {
	case 'S': on_parameter(l, body); break;
	case 'K': on_key(l, body); break;
	case 'Z':
		if (l->state == LOGIN_READY)
			fail_protocol(l, "a second ReadyForQuery");
		else if (parse_ready(body) != 'I')
			fail_protocol(l, "a ReadyForQuery that is not idle");
		else
			set_state(l, LOGIN_READY);
		break;
	default: fail_protocol(l, "an unexpected message"); break;
	}
}

static void on_message(struct login *l, uint8_t type, struct slice body)
{
	if (++l->messages > LOGIN_MESSAGES_MAX) {
		fail_protocol(l, "too many messages");
		return;
	}
	switch (type) {
	case 'E': on_refusal(l, body); return;
	case 'N': return; /* legal at any time (pitfall 16) */
	case 'R': on_auth(l, body); return;
	case 'v': on_negotiate(l, body); return;
	default: break;
	}
	if (login_is_let_in(l))
		on_setup(l, type, body);
	else
		fail_protocol(l, "an unexpected message before authentication was over");
}

/* A server that could not start a backend says so in the form of protocol 2. */
static void on_bad_length(struct login *l)
{
	struct parse_error pe;
	struct err e;

	if (l->state != LOGIN_AUTH || !parse_error_old(buf_slice(&l->in), &pe)) {
		fail_protocol(l, "a message of an impossible length");
		return;
	}
	parse_error_to_err(&pe, ERR_LOGIN_REFUSED, &e);
	finish(l, &e);
}

/* The stream goes to somebody who knows nothing of what may be left to be sent through it. */
static void let_in(struct login *l)
{
	if (l->out.n > 0 && !flush(l))
		return;
	if (l->out.n > 0)
		fail_protocol(l, "ReadyForQuery before it had read what it was sent");
	else
		finish(l, NULL);
}

/* Handles complete messages; stops when the login waits for something else than the server. */
static void parse(struct login *l)
{
	while (l->state != LOGIN_DONE && l->state != LOGIN_SECRET && l->state != LOGIN_SCRAM_HASH && l->in.n > 0) {
		struct frame f;
		struct slice body;

		switch (frame_whole(buf_slice(&l->in), MSG_MAX_SERVER_LOGIN, &f, &body)) {
		case FRAME_PARTIAL: return;
		case FRAME_BAD: on_bad_length(l); return;
		case FRAME_OK: break;
		}
		on_message(l, f.type, body);
		if (l->state == LOGIN_DONE)
			return;
		buf_drop_front(&l->in, FRAME_HEAD_BYTES + (size_t)f.body);
	}
	if (l->state == LOGIN_READY && l->in.n == 0)
		let_in(l);
}

static void on_readable(struct login *l)
{
	for (;;) {
		unsigned char chunk[4096];
		ssize_t n;

		if (l->in.n >= LOGIN_BUFFER_MAX / 2) {
			fail_protocol(l, "more than it was asked for");
			return;
		}
		n = stream_read(l->stream, chunk, sizeof(chunk));
		if (n == STREAM_AGAIN)
			return;
		if (n <= 0) {
			struct err e;
			err_set(&e, ERR_SERVER_CLOSED, "login: the server closed the connection (%s)",
			        rows[l->state].name);
			finish(l, &e);
			return;
		}
		buf_add(&l->in, chunk, (size_t)n);
		parse(l);
		if (l->state == LOGIN_DONE || l->state == LOGIN_SECRET || l->state == LOGIN_SCRAM_HASH)
			return;
	}
}

static void on_ready(void *arg, unsigned what)
{
	struct login *l = arg;

	if ((what & STREAM_WRITABLE) && !flush(l))
		return;
	if (what & STREAM_READABLE)
		on_readable(l);
}

static void begin(struct login *l)
{
	set_state(l, LOGIN_AUTH);
	startup_write_message(&l->out, l->rq.target->max_protocol, l->user, l->rq.database, l->rq.startup, NULL);
	send_and_listen(l);
}

static void on_upstream(void *arg, const struct upstream_result *r, const struct err *e)
{
	struct login *l = arg;

	l->upstream = NULL;
	if (e) {
		finish(l, e);
		return;
	}
	/* From here on the server's words are believed, or at least repeated. */
	assert(!l->rq.target->tls || l->rq.target->tls_start == TARGET_TLS_OFFER || stream_is_tls(r->stream));
	l->stream = r->stream;
	l->local = r->local;
	l->result->resolve_us = r->resolve_us;
	l->result->connect_us = r->connect_us;
	l->result->tls_us = r->tls_us;
	l->auth_start_us = loop_now_us(l->env.up.loop);
	stream_set_owner(l->stream, on_ready, l);
	begin(l);
}

/* The server's time begins here: what the source took is not its fault. */
static void reach(struct login *l)
{
	set_state(l, LOGIN_REACH);
	timer_set(&l->deadline, l->rq.target->server_connect_timeout_us);
	l->upstream = upstream_start(&l->env.up, l->rq.target, l->rq.tls, on_upstream, l);
	tls_ctx_unref(l->rq.tls);
	l->rq.tls = NULL;
}

struct login *login_start(const struct login_env *env, const struct login_request *rq, login_cb cb, void *arg)
{
	struct login *l = mem_zalloc(sizeof(*l));

	l->env = *env;
	l->rq = *rq;
	l->cb = cb;
	l->arg = arg;
	l->state = LOGIN_ASK;
	l->rq.tls = rq->tls ? tls_ctx_ref(rq->tls) : NULL;
	l->user = mem_strdup(rq->user);
	buf_init_secret(&l->in, LOGIN_BUFFER_MAX);
	buf_init_secret(&l->out, 2 * LOGIN_BUFFER_MAX);
	l->result = mem_zalloc(sizeof(*l->result));
	params_init(&l->result->params);
	timer_init(&l->deadline, env->up.loop, on_deadline, l);
	defer_init(&l->give, env->up.loop, hand_over_kept, l);
	timer_set(&l->deadline, rq->target->server_connect_timeout_us);
	if (login_secret_first(l))
		ask_source(l);
	else
		reach(l);
	return l;
}
