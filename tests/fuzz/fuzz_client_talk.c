/* All a client can say before it is in, as a sequence: SSLRequest, GSSENCRequest, CancelRequest and StartupMessage in every
 * order, passwords, garbage; a real TLS client whose records are cut, doubled, swapped and changed, plaintext in between;
 * pauses, ends and others that do the same at the same time. Behind the proxy there is a willing server.
 *
 * After each input: every client was told what PostgreSQL would say in PostgreSQL's order (told.c), each request was
 * answered once at most, whoever got nowhere was closed in time, the loop came to rest, and nothing is left: no descriptor,
 * no timer, no memory. TLS was not got around where it is required, nor was a user that is not let in; who had to prove a
 * password and did not is not in, and no server was asked for him. */
#include "prove.h"

#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>
#include "offload_now.h"
#include "pg/message.h"
#include "steps.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define ENDS          4
#define CLIENTS_MAX   12      /* of one input */
#define MEMORY_BASE   (2u << 20) /* pools, a server, the world's own buffers */
#define MEMORY_CLIENT (256u << 10)
#define SECRET        "sesame-0pen-your-door"

struct end {
	struct talk t;
	struct told told;
	struct prover prover;
};

struct world {
	struct sim *s;
	struct tls_live *tls;
	SSL_CTX *ctx[4];   /* of clients */
	unsigned tls_kind;
	size_t segment;
	struct end e[ENDS];
	unsigned connected;
	size_t memory;
	bool tls_required, few_users, remote, asks, hasty;
	bool proved; /* by a client that is gone */
};

enum { OFFER_TLS = 1, REQUIRE_TLS = 2, REMOTE = 4, FEW_CLIENTS = 8, FEW_USERS = 16, IDLE_TIMEOUT = 32, FEW_LOGINS = 64, HEAD = 4 };

static const char *const server_params[] = {"server_version", "16.4 " TOLD_MARK, "client_encoding", "UTF8",
                                            "TimeZone", TOLD_MARK, NULL};

/* ---- the world ---- */

static SSL_CTX *client_ctx(unsigned kind)
{
	SSL_CTX *c = SSL_CTX_new(TLS_client_method());

	talk_must(c != NULL);
	SSL_CTX_set_max_proto_version(c, kind & 1 ? TLS1_2_VERSION : TLS1_3_VERSION);
	if (kind & 2) {
		SSL_CTX_set_alpn_protos(c, (const unsigned char *)"\012postgresql\002h2", 14);
		SSL_CTX_set_max_send_fragment(c, 512);
		SSL_CTX_clear_options(c, SSL_OP_ENABLE_MIDDLEBOX_COMPAT);
	}
	return c;
}

static struct world *world_get(void)
{
	static struct world w;
	struct tls_ctx *tls;
	struct err e;

	if (w.s)
		return &w;
	w.s = talk_sim();
	offload_now_on(w.s->loop, true);
	tls = tls_server_ctx_new(&(struct tls_opts){.host_name = "localhost"}, &e);
	talk_must(tls != NULL);
	w.tls = tls_live_new(tls);
	for (unsigned i = 0; i < 4; i++)
		w.ctx[i] = client_ctx(i);
	w.s->secret.secret = SECRET;
	w.s->pg.params = server_params;
	w.s->target.server_connect_timeout_us = 3 * SEC;
	w.s->target.query_wait_timeout_us = 8 * SEC;
	return &w;
}

static void choose(struct world *w, struct rd *r)
{
	static const char *const users[] = {"joe", NULL};
	uint8_t choices = rd_u8(r), server = rd_u8(r), segment = rd_u8(r), client = rd_u8(r);
	struct sim *s = w->s;

	w->tls_required = (choices & OFFER_TLS) && (choices & REQUIRE_TLS);
	w->few_users = choices & FEW_USERS;
	w->remote = choices & REMOTE;
	s->opts.client_tls = choices & OFFER_TLS ? w->tls : NULL;
	s->opts.client_tls_required = w->tls_required;
	s->opts.max_client_conn = choices & FEW_CLIENTS ? 1 : 20;
	s->opts.max_logins = choices & FEW_LOGINS ? 2 : 20;
	s->opts.auth = (struct auth_opts){.type = client / 4 % 4, .store = prove_store(client / 16), .key = "a key of 32 bytes for the fuzzer"};
	w->asks = s->opts.auth.type != AUTH_TYPE_TRUST;
	s->opts.client_users = w->few_users ? users : NULL;
	s->opts.client_idle_timeout_us = choices & IDLE_TIMEOUT ? 3 * SEC : 0;
	s->opts.client_login_timeout_us = 6 * SEC;
	s->opts.cancel_wait_timeout_us = 2 * SEC;
	s->pg.close_at = server % 8 == 1 ? FAKEPG_STARTUP : server % 8 == 2 ? FAKEPG_PARAMS : FAKEPG_NEVER;
	s->pg.error_at = server % 8 == 3 ? FAKEPG_STARTUP : FAKEPG_NEVER;
	s->pg.silent_at = server % 8 == 4 ? FAKEPG_STARTUP : FAKEPG_NEVER;
	s->pg.sqlstate = server & 8 ? "53300" : "28000";
	s->pg.auth = 0;
	s->pg.mute = server & 16;
	w->hasty = server & 32;
	w->segment = segment >= 200 ? segment - 199u : 0;
	w->tls_kind = client % 4;
}

/* ---- clients ---- */

static void join(struct world *w, struct end *e)
{
	struct addr peer, local;
	int fd[2], small = 65536;

	if (w->connected == CLIENTS_MAX)
		return;
	w->connected++;
	w->proved |= e->prover.proved;
	talk_close(&e->t);
	talk_must(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fd) == 0);
	setsockopt(fd[1], SOL_SOCKET, SO_SNDBUF, &small, sizeof(small));
	talk_open(&e->t, fd[0]);
	e->t.segment = w->segment;
	e->told = (struct told){.t = &e->t, .remote = w->remote};
	prove_end(&e->prover);
	prove_begin(&e->prover, &e->t, &e->told);
	talk_must(addr_parse(&peer, w->remote ? "192.0.2.1" : "127.0.0.1", 40000) == 0 &&
	          addr_parse(&local, "127.0.0.1", 5432) == 0);
	proxy_accept(w->s->proxy, fd[1], &peer, &local);
}

static bool pump(void *arg)
{
	struct world *w = arg;
	bool moved = fakepg_pump(&w->s->pg);

	for (unsigned i = 0; i < ENDS; i++) {
		if (talk_pump(&w->e[i].t))
			moved = true;
		told_look(&w->e[i].told);
	}
	return moved;
}

/* ---- what must be so ---- */

static void check(struct world *w)
{
	struct sim *s = w->s;
	bool proved = w->proved;

	for (unsigned i = 0; i < ENDS; i++) {
		struct end *e = &w->e[i];

		talk_must(!w->tls_required || !e->told.in || e->told.tls);
		talk_must(!e->told.yes || s->opts.client_tls);
		talk_must(!w->asks || !e->told.in || e->prover.proved);
		proved |= e->prover.proved;
	}
	talk_must(!w->asks || proved || s->pg.n == 0); /* no server for nobody */
	for (unsigned i = 0; w->few_users && i < s->pg.n; i++)
		talk_must(!s->pg.conns[i]->user || strcmp(s->pg.conns[i]->user, "joe") == 0);
	talk_must(!talk_has(buf_slice(&s->log_text), SECRET) && !talk_has(buf_slice(&s->log_text), PROVE_PASSWORD));
	talk_must(talk_memory() <= w->memory + MEMORY_BASE + w->connected * MEMORY_CLIENT);
}

/* ---- steps ---- */

enum {
	RAW, SAY, PACKET, CANCEL, START, MESSAGE, TLS, RECORDS, REKEY, NOTIFY, END, VANISH, DEAF, PASS, JOIN, SETTLE, PROVE,
	OPS = 32
};

/* A startup packet around these bytes. */
static void say_packet(struct end *e, struct slice code_and_more)
{
	unsigned char head[4] = {0, 0, (unsigned char)((code_and_more.n + 4) >> 8), (unsigned char)(code_and_more.n + 4)};
	struct buf b;

	buf_init(&b, 70000);
	buf_add(&b, head, 4);
	buf_add_slice(&b, code_and_more);
	talk_say(&e->t, b.p, b.n);
	buf_free(&b);
}

/* A version, a user and a database out of a few; then names and values as given. */
static void say_start(struct end *e, const struct step *st)
{
	static const uint32_t versions[] = {STARTUP_3_0, STARTUP_VERSION(3, 1), STARTUP_3_2, STARTUP_VERSION(3, 9999),
	                                    STARTUP_VERSION(2, 0), STARTUP_VERSION(4, 0)};
	static const char *const users[] = {"joe", "ann", "", "nobody"};
	static const char *const databases[] = {"app", "other", "joe"};
	uint32_t v = versions[step_byte(st, 0) % 6];
	unsigned char code[4] = {(unsigned char)(v >> 24), (unsigned char)(v >> 16), (unsigned char)(v >> 8), (unsigned char)v};
	const char *user = users[step_byte(st, 1) % 4], *database = databases[step_byte(st, 1) / 4 % 3];
	struct buf b;

	e->prover.user = user;
	buf_init(&b, 70000);
	buf_add(&b, code, 4);
	buf_add(&b, "user", 5);
	buf_add(&b, user, strlen(user) + 1);
	buf_add(&b, "database", 9);
	buf_add(&b, database, strlen(database) + 1);
	buf_add_slice(&b, step_from(st, 2));
	buf_add_char(&b, '\0');
	say_packet(e, buf_slice(&b));
	buf_free(&b);
}

/* With the key another client was given, or one byte beside it. */
static void say_cancel(struct world *w, struct end *e, const struct step *st)
{
	const struct told *of = &w->e[step_byte(st, 0) % ENDS].told;
	unsigned char body[4 + sizeof(of->key_data)] = {STARTUP_CODE_CANCEL >> 24, STARTUP_CODE_CANCEL >> 16 & 255,
	                                                STARTUP_CODE_CANCEL >> 8 & 255, STARTUP_CODE_CANCEL & 255};
	size_t n = of->key_bytes ? of->key_bytes : 8;

	memcpy(body + 4, of->key_data, sizeof(of->key_data));
	body[4 + step_byte(st, 1) % 8] ^= step_byte(st, 2);
	say_packet(e, slice_of(body, 4 + n));
}

static void say_message(struct end *e, const struct step *st)
{
	struct slice body = step_from(st, 1);
	unsigned char head[5] = {step_byte(st, 0), 0, 0, (unsigned char)((body.n + 4) >> 8), (unsigned char)(body.n + 4)};

	talk_say(&e->t, head, 5);
	talk_say(&e->t, body.p, body.n);
}

static void operate(struct world *w, const struct step *st)
{
	struct end *e = &w->e[st->op >> 6];

	switch (st->op % OPS) {
	case RAW: talk_say_raw(&e->t, st->arg.p, st->arg.n); return;
	case SAY: talk_say(&e->t, st->arg.p, st->arg.n); return;
	case PACKET: say_packet(e, st->arg); return;
	case CANCEL: say_cancel(w, e, st); return;
	case START: say_start(e, st); return;
	case MESSAGE: say_message(e, st); return;
	case TLS: talk_tls(&e->t, w->ctx[w->tls_kind], false); return;
	case RECORDS: talk_records(&e->t, st->arg); return;
	case REKEY: talk_rekey(&e->t); return;
	case NOTIFY: talk_notify(&e->t); return;
	case END: talk_end(&e->t); return;
	case VANISH: talk_close(&e->t); return;
	case DEAF: e->t.deaf = !e->t.deaf; return;
	case PASS: talk_pass(w->s, (step_byte(st, 0) & 1 ? 7 : 1) * SEC, pump, w); return;
	case JOIN: join(w, e); return;
	case PROVE: prove_answer(&e->prover, st); return;
	default: talk_settle(w->s, pump, w); return;
	}
}

#define CANNED(op, arg) {(op), (arg), sizeof(arg) - 1}
static const struct steps_canned canned[] = {
	CANNED(PACKET, "\x04\xd2\x16\x2f"), CANNED(PACKET, "\x04\xd2\x16\x30"), CANNED(PACKET, "\x04\xd2\x16\x2e\0\0\0\1\0\0\0\2"),
	CANNED(START, "\0\0"), CANNED(START, "\2\0"), CANNED(START, "\3\0_pq_.grease\0on\0"), CANNED(START, "\0\1"),
	CANNED(START, "\0\4"), CANNED(START, "\0\0application_name\0app\0options\0-c DateStyle=ISO\0"),
	CANNED(START, "\0\0replication\0true\0"), CANNED(START, "\0\0client_encoding\0UTF8\0"), CANNED(START, "\0\2"),
	CANNED(CANCEL, "\0\0\0"), CANNED(CANCEL, "\1\0\0"), CANNED(CANCEL, "\0\7\1"), CANNED(TLS, ""), CANNED(SETTLE, ""),
	CANNED(SETTLE, ""), CANNED(SETTLE, ""), CANNED(MESSAGE, "psesame\0"), CANNED(MESSAGE, "QSELECT 1\0"),
	CANNED(MESSAGE, "pSCRAM-SHA-256\0\0\0\0\x17n,,n=,r=abcdefghijklmnop"), CANNED(MESSAGE, "X"), CANNED(MESSAGE, "S"),
	CANNED(MESSAGE, "QHANG\0"), CANNED(RECORDS, "\0"), CANNED(RECORDS, "\1"), CANNED(RECORDS, "\2\7"), CANNED(RECORDS, "\3"),
	CANNED(RECORDS, "\4"), CANNED(RECORDS, "\5"), CANNED(RECORDS, "\6"), CANNED(RECORDS, "\7\1"), CANNED(RECORDS, "\x08"),
	CANNED(RECORDS, "\x09"), CANNED(RECORDS, "\x0a\0\x10\1"), CANNED(RECORDS, "\x0b\x17"), CANNED(RECORDS, "\x0d\x40\0"),
	CANNED(RECORDS, "\x0e\x17plain"), CANNED(RECORDS, "\x0f\x15\2\x28"), CANNED(RECORDS, "\x0e\x14\1"),
	CANNED(RECORDS, "\x0e\x16"), CANNED(RECORDS, "\x10\3"), CANNED(REKEY, ""), CANNED(NOTIFY, ""), CANNED(END, ""),
	CANNED(VANISH, ""), CANNED(DEAF, ""), CANNED(PASS, "\0"), CANNED(PASS, "\1"), CANNED(JOIN, ""),
	CANNED(PROVE, ""), CANNED(PROVE, ""), CANNED(PROVE, "\1"), CANNED(PROVE, "\0\1"), CANNED(PROVE, "\0\2"), CANNED(PROVE, "\0\3"),
	CANNED(RAW, "\x16\x03\x01\0\x05hello"), CANNED(RAW, "\0\0\0\x08\x04\xd2\x16\x2f"), CANNED(RAW, "\x80\x2e\1\3\1"),
};
const struct steps_kit steps_kit = {HEAD, 64, canned, sizeof(canned) / sizeof(*canned)};

/* Nobody is deaf any more or held; whoever gets nowhere must be gone when every deadline is over. */
static void finish(struct world *w)
{
	for (unsigned i = 0; i < ENDS; i++)
		w->e[i].t.deaf = w->e[i].t.held = false;
	talk_settle(w->s, pump, w);
	check(w);
	talk_pass(w->s, 30 * SEC, pump, w);
	for (unsigned i = 0; i < ENDS; i++)
		talk_must(told_settled(&w->e[i].told));
	talk_nobody_waits(w->s);
	talk_quiet(w->s, pump, w);
	check(w);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct world *w = world_get();
	struct talk_left before = talk_begin(w->s);
	struct rd r = rd_init(slice_of(data, size));
	struct step st;

	choose(w, &r);
	w->asks &= !talk_has(slice_of(data, size), PROVE_PASSWORD); /* who knows it proves nothing by it */
	w->connected = 0;
	w->proved = false;
	w->memory = talk_memory();
	for (unsigned i = 0; i < ENDS; i++) {
		talk_open(&w->e[i].t, -1);
		w->e[i].told = (struct told){.t = &w->e[i].t};
		prove_begin(&w->e[i].prover, &w->e[i].t, &w->e[i].told);
	}
	sim_start(w->s);
	join(w, &w->e[0]);
	for (unsigned n = 0; n < STEPS_MAX && step_next(&r, &st); n++)
		operate(w, &st);
	if (w->hasty)
		sim_end(w->s); /* in the middle of everything */
	else
		finish(w);
	for (unsigned i = 0; i < ENDS; i++) {
		talk_close(&w->e[i].t);
		prove_end(&w->e[i].prover);
	}
	if (!w->hasty)
		sim_end(w->s);
	talk_over(w->s, &before);
	return 0;
}
