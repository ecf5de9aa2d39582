/* All a client can say before it is in, as a sequence: SSLRequest, GSSENCRequest, CancelRequest and StartupMessage in every
 * order, passwords, garbage; a real TLS client whose records are cut, doubled, swapped and changed, plaintext in between;
 * pauses, ends and others that do the same at the same time. Behind the proxy there is a willing server.
 *
 * After each input: every client was told what PostgreSQL would say in PostgreSQL's order (told.c), each request was
 * answered once at most, whoever got nowhere was closed in time, the loop came to rest, and nothing is left: no descriptor,
 * no timer, no memory. TLS was not got around where it is required, nor was a user that is not let in; who had to prove
 * himself by a password, a certificate or the kernel's word and did not (ways.c) is not in, and no server was asked for him. */
#include "prove.h"

#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>
#include "offload_now.h"
#include "pg/message.h"
#include "steps.h"
#include "ways.h"

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
	enum ways_cert cert;
	bool blurred; /* who it says it is is not known: not the prover's user, or not him alone */
};

struct world {
	struct sim *s;
	unsigned tls_kind, cert; /* of clients */
	size_t segment, record;
	struct end e[ENDS];
	struct ways_has had[CLIENTS_MAX]; /* clients that are gone */
	unsigned connected, gone;
	size_t memory;
	bool tls_required, few_users, knows, hasty;
};

enum { OFFER_TLS = 1, REQUIRE_TLS = 2, FEW_CLIENTS = 8, FEW_USERS = 16, IDLE_TIMEOUT = 32, FEW_LOGINS = 64, HEAD = 6 };

static const char *const server_params[] = {"server_version", "16.4 " TOLD_MARK, "client_encoding", "UTF8",
                                            "TimeZone", TOLD_MARK, NULL};

/* ---- the world ---- */

static struct world *world_get(void)
{
	static struct world w;

	if (w.s)
		return &w;
	w.s = talk_sim();
	offload_now_on(w.s->loop, true);
	w.s->secret.secret = SECRET;
	w.s->pg.params = server_params;
	w.s->target.server_connect_timeout_us = 3 * SEC;
	w.s->target.query_wait_timeout_us = 8 * SEC;
	return &w;
}

static void choose(struct world *w, struct rd *r)
{
	static const char *const users[] = {"joe", NULL};
	static const size_t records[] = {0, 1, 7, 100};
	uint8_t choices = rd_u8(r), server = rd_u8(r), segment = rd_u8(r), client = rd_u8(r), auth = rd_u8(r), tls = rd_u8(r);
	struct sim *s = w->s;

	ways_choose(s, auth, tls, client / 32);
	w->tls_required = (choices & OFFER_TLS) && (choices & REQUIRE_TLS);
	w->few_users = choices & FEW_USERS;
	if (!(choices & OFFER_TLS))
		s->opts.client_tls = NULL;
	s->opts.client_tls_required = w->tls_required;
	s->opts.max_client_conn = choices & FEW_CLIENTS ? 1 : 20;
	s->opts.max_logins = choices & FEW_LOGINS ? 2 : 20;
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
	w->record = records[tls / 16 % 4];
	w->tls_kind = client % WAYS_TLS_KINDS;
	w->cert = client / WAYS_TLS_KINDS;
}

/* ---- clients ---- */

static struct ways_has has(const struct end *e)
{
	return (struct ways_has){.tls = e->told.tls, .proved = e->prover.proved, .cert = e->cert};
}

static void addresses(struct addr *peer, struct addr *local)
{
	const struct ways_from *from = ways_from();
	struct err e;

	if (from->ip)
		talk_must(addr_parse(peer, from->ip, 40000) == 0 && addr_parse(local, from->at, 5432) == 0);
	else
		talk_must(addr_unix(peer, "@client", &e) == 0 && addr_unix(local, "/run/.s.PGSQL.5432", &e) == 0);
}

static void join(struct world *w, struct end *e)
{
	struct addr peer, local;
	int fd[2], small = 65536;

	if (w->connected == CLIENTS_MAX || w->s->stopped) /* nobody listens */
		return;
	w->connected++;
	if (w->connected > 1)
		w->had[w->gone++] = has(e);
	talk_close(&e->t);
	talk_must(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fd) == 0);
	setsockopt(fd[1], SOL_SOCKET, SO_SNDBUF, &small, sizeof(small));
	talk_open(&e->t, fd[0]);
	e->t.segment = w->segment;
	e->t.record = w->record;
	e->cert = WAYS_NO_CERT;
	e->blurred = false;
	e->told = (struct told){.t = &e->t, .remote = ways_from()->remote};
	prove_end(&e->prover);
	prove_begin(&e->prover, &e->t, &e->told);
	addresses(&peer, &local);
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

/* Might this client be this user? */
static bool may(const struct world *w, const struct ways_has *h, const char *user)
{
	struct ways_has more = *h;

	more.proved |= w->knows;
	return ways_may(&more, user);
}

static void check_end(const struct world *w, const struct end *e)
{
	static const char *const users[] = {"joe", "ann", "nobody"};
	struct ways_has h = has(e);
	bool somebody = may(w, &h, ways_self());

	talk_must(!e->told.yes || (w->s->opts.client_tls && ways_from()->ip));
	if (!e->told.in)
		return;
	talk_must(!w->tls_required || e->told.tls || !ways_from()->ip);
	talk_must(!e->told.tls || !e->t.ssl || ways_tls_may(e->t.ssl, e->cert));
	for (unsigned i = 0; i < 3; i++)
		somebody |= may(w, &h, users[i]);
	talk_must(e->blurred ? somebody : e->prover.user && may(w, &h, e->prover.user));
}

/* No server for nobody. */
static void check_server(const struct world *w, const char *user)
{
	bool of_somebody = false;

	talk_must(!w->few_users || strcmp(user, "joe") == 0);
	for (unsigned i = 0; i < w->gone; i++)
		of_somebody |= may(w, &w->had[i], user);
	for (unsigned i = 0; i < ENDS; i++) {
		struct ways_has h = has(&w->e[i]);

		of_somebody |= may(w, &h, user);
	}
	talk_must(of_somebody);
}

static void check(struct world *w)
{
	struct sim *s = w->s;

	for (unsigned i = 0; i < ENDS; i++)
		check_end(w, &w->e[i]);
	for (unsigned i = 0; i < s->pg.n; i++)
		if (s->pg.conns[i]->user)
			check_server(w, s->pg.conns[i]->user);
	talk_must(!talk_has(buf_slice(&s->log_text), SECRET) && !talk_has(buf_slice(&s->log_text), PROVE_PASSWORD));
	talk_must(talk_memory() <= w->memory + MEMORY_BASE + w->connected * MEMORY_CLIENT);
}

/* ---- steps ---- */

enum {
	RAW, SAY, PACKET, CANCEL, START, MESSAGE, TLS, RECORDS, REKEY, NOTIFY, END, VANISH, DEAF, PASS, JOIN, SETTLE, PROVE,
	STOP, SLOW, OPS = 32
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
	const char *user = step_byte(st, 1) / 12 % 2 ? ways_self() : users[step_byte(st, 1) % 4];
	const char *database = databases[step_byte(st, 1) / 4 % 3];
	struct buf b;

	e->blurred |= e->prover.user || talk_has(step_from(st, 2), "user");
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

/* Shows the input's certificate, or another one. */
static void begin_tls(struct world *w, struct end *e, const struct step *st)
{
	if (e->t.ssl || e->t.fd < 0)
		return;
	e->cert = (w->cert + step_byte(st, 0)) % WAYS_CERTS;
	talk_tls(&e->t, ways_client(w->tls_kind, e->cert), false);
}

/* Might this be, or spoil, a startup packet that is not in say_start's words? */
static bool blurs(const struct end *e, const struct step *st)
{
	switch (st->op % OPS) {
	case RAW:
	case SAY: return true;
	case PACKET: return step_byte(st, 0) != STARTUP_CODE_CANCEL >> 24;
	case RECORDS: return !e->t.up;
	default: return false;
	}
}

static void operate(struct world *w, const struct step *st)
{
	struct end *e = &w->e[st->op >> 6];

	e->blurred |= blurs(e, st);
	switch (st->op % OPS) {
	case RAW: talk_say_raw(&e->t, st->arg.p, st->arg.n); return;
	case SAY: talk_say(&e->t, st->arg.p, st->arg.n); return;
	case PACKET: say_packet(e, st->arg); return;
	case CANCEL: say_cancel(w, e, st); return;
	case START: say_start(e, st); return;
	case MESSAGE: say_message(e, st); return;
	case TLS: begin_tls(w, e, st); return;
	case RECORDS: talk_records(&e->t, st->arg); return;
	case REKEY: talk_rekey(&e->t); return;
	case NOTIFY: talk_notify(&e->t); return;
	case END: talk_end(&e->t); return;
	case VANISH: talk_close(&e->t); return;
	case DEAF: e->t.deaf = !e->t.deaf; return;
	case PASS: talk_pass(w->s, (step_byte(st, 0) & 1 ? 7 : 1) * SEC, pump, w); return;
	case JOIN: join(w, e); return;
	case PROVE: prove_answer(&e->prover, st); return;
	case STOP: sim_stop(w->s, step_byte(st, 0) % 8 * SEC); return;
	case SLOW: offload_now_slow(step_byte(st, 0) % 2 == 0); return;
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
	CANNED(STOP, "\0"), CANNED(STOP, "\5"), CANNED(SLOW, ""),
	CANNED(SLOW, "\1"), CANNED(PROVE, ""), CANNED(PROVE, ""), CANNED(PROVE, "\1"), CANNED(PROVE, "\0\1"), CANNED(PROVE, "\0\2"), CANNED(PROVE, "\0\3"),
	CANNED(RAW, "\x16\x03\x01\0\x05hello"), CANNED(RAW, "\0\0\0\x08\x04\xd2\x16\x2f"), CANNED(RAW, "\x80\x2e\1\3\1"),
};
const struct steps_kit steps_kit = {HEAD, 64, canned, sizeof(canned) / sizeof(*canned)};

/* Nobody is deaf any more or held; whoever gets nowhere must be gone when every deadline is over. */
static void finish(struct world *w)
{
	for (unsigned i = 0; i < ENDS; i++)
		w->e[i].t.deaf = w->e[i].t.held = false;
	offload_now_slow(false);
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
	w->knows = talk_has(slice_of(data, size), PROVE_PASSWORD); /* then nothing is proved by it */
	w->connected = w->gone = 0;
	w->memory = talk_memory();
	for (unsigned i = 0; i < ENDS; i++) {
		talk_open(&w->e[i].t, -1);
		w->e[i].told = (struct told){.t = &w->e[i].t};
		w->e[i].cert = WAYS_NO_CERT;
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
	offload_now_slow(false);
	talk_over(w->s, &before);
	return 0;
}
