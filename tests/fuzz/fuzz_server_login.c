/* proxy/login against a hostile server, without TLS, for a source that gives nothing, a password or a token. Whatever is
 * said, in whatever pieces: the callback comes once, what it brings is within its limits, a token is never sent,
 * a password only where it was asked for in clear, and a SCRAM login ends well only with the right signature.
 *
 * The input: a kind of source, then operations, one byte each and what it needs. */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include "base/enc.h"
#include "base/mem.h"
#include "base/rd.h"
#include "pg/parse.h"
#include "pg/scram.h"
#include "proxy/login_private.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define SECRET "sesame-open"

static void must(bool ok)
{
	if (!ok)
		abort();
}

/* ---- in place of io/offload: no thread, and no PBKDF2 of a million rounds. The salted password is all zeros. ---- */

struct offload {
	struct loop *loop;
};

struct offload_op {
	struct defer later;
	void (*done)(void *data);
	void (*drop)(void *data);
	void *data;
};

static void offload_now(void *arg)
{
	struct offload_op *op = arg;

	op->done(op->data);
	free(op);
}

struct offload_op *offload_start(struct offload *o, struct mailbox *mb, void (*work)(void *data),
                                 void (*done)(void *data), void (*drop)(void *data), void *data)
{
	struct offload_op *op = mem_zalloc(sizeof(*op));

	(void)mb;
	(void)work;
	*op = (struct offload_op){.done = done, .drop = drop, .data = data};
	defer_init(&op->later, o->loop, offload_now, op);
	defer_set(&op->later);
	return op;
}

void offload_cancel(struct offload_op *op)
{
	defer_clear(&op->later);
	op->drop(op->data);
	free(op);
}

/* ---- the world ---- */

struct clock_now {
	struct clock clock; /* first */
	uint64_t now_us;
};

struct world {
	struct clock_now clock;
	struct loop *loop;
	struct offload offload;
	struct secret_source source;
	struct secret_source_ops ops;
	int listener, fd;
	struct target target;
	struct params startup;
	/* one run */
	struct buf heard, sasl; /* all that came; AuthMessage */
	struct login *login;
	bool ended, good, signed_right;
};

static uint64_t now_us(const struct clock *c)
{
	return ((const struct clock_now *)(const void *)c)->now_us;
}

static int64_t wall_us(const struct clock *c)
{
	return (int64_t)now_us(c);
}

struct secret_op {
	struct defer later;
	secret_cb cb;
	void *arg;
};

static void secret_now(void *arg)
{
	struct secret_op op = *(struct secret_op *)arg;

	free(arg);
	op.cb(op.arg, &(struct secret_answer){.secret = slice_str(SECRET), .no = 1}, NULL);
}

static struct secret_op *secret_start(struct secret_source *s, const struct secret_request *rq, secret_cb cb, void *arg)
{
	struct world *w = container_of(s, struct world, source);
	struct secret_op *op = mem_zalloc(sizeof(*op));

	must(rq->user && rq->host);
	must(w->ops.kind == SECRET_PASSWORD); /* there is no TLS: nobody else may even ask */
	*op = (struct secret_op){.cb = cb, .arg = arg};
	defer_init(&op->later, w->loop, secret_now, op);
	defer_set(&op->later);
	return op;
}

static void secret_cancel(struct secret_op *op)
{
	defer_clear(&op->later);
	free(op);
}

static struct world *world_get(void)
{
	static char host[64];
	static struct world w;
	struct sockaddr_un sun = {.sun_family = AF_UNIX};
	int n;

	if (w.loop)
		return &w;
	w.clock = (struct clock_now){{now_us, wall_us}, 1};
	w.loop = loop_new(&w.clock.clock, NULL, NULL);
	must(w.loop);
	w.offload.loop = w.loop;
	w.ops = (struct secret_source_ops){.start = secret_start, .cancel = secret_cancel};
	w.source.ops = &w.ops;
	snprintf(host, sizeof(host), "@pgiam-fuzz-%d", (int)getpid());
	n = snprintf(sun.sun_path + 1, sizeof(sun.sun_path) - 1, "%s/.s.PGSQL.5432", host + 1);
	w.listener = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
	must(bind(w.listener, (struct sockaddr *)&sun, (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)n)) ==
	             0 &&
	     listen(w.listener, 8) == 0);
	w.target = (struct target){.host = host,
	                           .iam_host = host,
	                           .tls_name = host,
	                           .port = 5432,
	                           .server_connect_timeout_us = 15 * CLOCK_US_PER_SEC,
	                           .dial = {.host = host, .port = 5432, .timeout_us = 15 * CLOCK_US_PER_SEC}};
	params_init(&w.startup);
	return &w;
}

/* ---- the login ---- */

static void on_login(void *arg, struct login_result *r, uint64_t secret_no, const struct err *e)
{
	struct world *w = arg;

	must(!w->ended && (r == NULL) == (e != NULL) && secret_no <= 1);
	w->ended = true;
	w->good = r != NULL;
	if (r) {
		must(r->stream && r->params.n <= LOGIN_PARAMS_MAX);
		must(!r->has_key || (r->key_bytes >= 4 && r->key_bytes <= STARTUP_CANCEL_KEY_MAX));
		must(w->sasl.n == 0 || w->signed_right);
	} else {
		must(e->msg[0] && e->code != ERR_NONE);
	}
	login_result_free(r);
}

static void turn(struct world *w)
{
	unsigned char chunk[4096];
	ssize_t n;

	loop_turn(w->loop, 0);
	while (w->fd >= 0 && (n = recv(w->fd, chunk, sizeof(chunk), MSG_DONTWAIT)) > 0)
		must(buf_add(&w->heard, chunk, (size_t)n) == 0);
}

static void say(struct world *w, const void *p, size_t n)
{
	ssize_t sent = w->fd >= 0 && n > 0 ? send(w->fd, p, n, MSG_NOSIGNAL | MSG_DONTWAIT) : 0;

	(void)sent;
}

static void say_message(struct world *w, char type, const void *body, size_t n)
{
	unsigned char head[5] = {(unsigned char)type, 0, 0, (unsigned char)((n + 4) >> 8), (unsigned char)(n + 4)};

	say(w, head, sizeof(head));
	say(w, body, n);
}

static void say_auth(struct world *w, uint32_t request, const void *data, size_t n)
{
	unsigned char body[1024] = {0, 0, 0, (unsigned char)request};

	memcpy(body + 4, data, n);
	say_message(w, 'R', body, 4 + n);
}

/* The last thing heard that begins with this, up to the end; NULL if there is none. */
static const char *heard(struct world *w, const char *what)
{
	const char *all = buf_cstr(&w->heard), *found = NULL;
	size_t len = strlen(what);

	for (size_t i = 0; i + len <= w->heard.n; i++)
		if (memcmp(all + i, what, len) == 0)
			found = all + i;
	return found;
}

static void honest_first(struct world *w)
{
	const char *bare = heard(w, "n=,r=");
	char reply[256];

	if (!bare || w->sasl.n > 0 || strlen(bare) > 100)
		return;
	snprintf(reply, sizeof(reply), "r=%sxyz,s=MDEyMzQ1Njc4OWFiY2RlZg==,i=64", bare + 5);
	buf_printf(&w->sasl, "%s,%s,", bare, reply);
	say_auth(w, AUTH_SASL_CONTINUE, reply, strlen(reply));
}

static void honest_final(struct world *w)
{
	static const unsigned char salted[SCRAM_KEY_BYTES];
	unsigned char proof[SCRAM_KEY_BYTES], signature[SCRAM_KEY_BYTES];
	const char *msg = heard(w, "c="), *end = heard(w, ",p=");
	struct buf auth, reply;

	if (!msg || !end || end < msg || w->sasl.n == 0)
		return;
	buf_init(&auth, 4096);
	buf_init(&reply, 256);
	buf_add_slice(&auth, buf_slice(&w->sasl));
	buf_add(&auth, msg, (size_t)(end - msg));
	scram_sign(salted, buf_slice(&auth), proof, signature);
	buf_add_str(&reply, "v=");
	enc_base64(&reply, slice_of(signature, sizeof(signature)));
	w->signed_right = true;
	say_auth(w, AUTH_SASL_FINAL, reply.p, reply.n);
	buf_free(&auth);
	buf_free(&reply);
}

static void setup(struct world *w)
{
	say_message(w, 'S', "TimeZone\0UTC", 13);
	say_message(w, 'K', "\0\0\0\1abcd", 8);
	say_message(w, 'Z', "I", 1);
}

static void operate(struct world *w, struct rd *r)
{
	static const char types[] = "RSKZENvCDAG";
	uint8_t op = rd_u8(r);
	struct slice b;
	size_t n;

	switch (op % 12) {
	case 0: say_auth(w, AUTH_OK, "", 0); break;
	case 1: say_auth(w, AUTH_CLEARTEXT, "", 0); break;
	case 2: say_auth(w, AUTH_SASL, "SCRAM-SHA-256\0", 15); break;
	case 3: say_auth(w, rd_u8(r), "salt", op & 16 ? 4 : 0); break;
	case 4: honest_first(w); break;
	case 5: honest_final(w); break;
	case 6: setup(w); break;
	case 7:
	case 8:
		n = rd_u8(r);
		b = rd_bytes(r, n < r->left ? n : r->left);
		if (op % 12 == 7)
			say(w, b.p, b.n);
		else
			say_message(w, types[op / 12 % (sizeof(types) - 1)], b.p, b.n);
		break;
	case 9:
		w->clock.now_us += (op & 16 ? 8 : 1) * CLOCK_US_PER_SEC;
		turn(w);
		break;
	case 10:
		if (op == 10 && w->fd >= 0) {
			close(w->fd);
			w->fd = -1;
		}
		break;
	default: turn(w); break;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const enum secret_kind kinds[] = {SECRET_NONE, SECRET_PASSWORD, SECRET_IAM_TOKEN};
	struct world *w = world_get();
	struct rd r = rd_init(slice_of(data, size));
	struct login_env env = {.up = {.loop = w->loop}, .offload = &w->offload};
	struct login_request rq = {.target = &w->target, .user = "joe", .database = "app", .startup = &w->startup};
	uint8_t how;

	how = rd_u8(&r);
	w->ops.kind = kinds[how % 3];
	w->target.max_protocol = how / 3 % 2 ? STARTUP_3_2 : STARTUP_3_0;
	w->target.min_protocol = how / 6 % 2 ? w->target.max_protocol : STARTUP_3_0;
	w->target.profile = profile_get((enum profile_kind)(how / 12 % PROFILE_COUNT));
	rq.secret = w->ops.kind == SECRET_NONE ? NULL : &w->source;
	w->ended = w->signed_right = false;
	buf_init(&w->heard, 1u << 20);
	buf_init(&w->sasl, 4096);
	w->login = login_start(&env, &rq, on_login, w);
	turn(w);
	turn(w);
	w->fd = accept(w->listener, NULL, NULL);
	must(w->fd >= 0);
	for (unsigned ops = 0; ops < 500 && r.left > 0 && !w->ended; ops++)
		operate(w, &r);
	for (int i = 0; i < 3; i++)
		turn(w);
	/* a password is told in clear only if that was asked for; the harness does so by one operation */
	if (w->ops.kind != SECRET_PASSWORD)
		must(!heard(w, SECRET));
	if (heard(w, "n,,n=,r="))
		must(!heard(w, SECRET));
	if (!w->ended)
		login_cancel(w->login);
	if (w->fd >= 0)
		close(w->fd);
	buf_free(&w->heard);
	buf_free(&w->sasl);
	loop_turn(w->loop, 0);
	return 0;
}
