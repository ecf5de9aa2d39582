/* A whole login of a whole proxy to a hostile server, TLS included: every certificate but the right one, every message in
 * any order and length, records cut and changed, words before TLS, parameters without end, our own secret said back to us.
 *
 * Whatever it does: outside TLS it hears an SSLRequest and nothing else; what is in TLS comes only where the certificate
 * was right, is well-formed, and has the secret once at most, where that was asked for; the secret is in no line of the log
 * and in nothing a client is told; clients are told what PostgreSQL would say (told.c) and are not kept for ever; nothing
 * is left behind. */
#include "told.h"

#include <openssl/ssl.h>
#include <sys/socket.h>
#include <unistd.h>
#include "base/mem.h"
#include "hostile.h"
#include "kinds.h"
#include "offload_now.h"
#include "pg/frame.h"
#include "pg/message.h"
#include "pg/parse.h"
#include "steps.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define SERVERS     24 /* connections of one input that are answered */
#define CLIENTS     3
#define CLIENTS_MAX 12
#define MEMORY_MAX  (32u << 20)
#define PASSWORD    "sesame-0pen-your-door"
#define TAIL        "7c211433f02071597741e6ff5a8ea34789abbf43bf24b4d2a3b5c5e7f9"
#define TOKEN       "db.test:5432/?Action=connect&DBUser=joe&X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Date=20260101T000000Z&X-Amz-" \
                    "Security-Token=IQoJb3JpZ2luX2Vj&X-Amz-Signature=" TAIL

struct world {
	struct sim *s;
	/* of one input */
	const struct kind *kind;
	struct kinds_tls tls;
	bool remote, said_secret, hasty;
	size_t segment, record, memory;
	struct hostile v[SERVERS];
	unsigned n, joined;
	struct talk c[CLIENTS];
	struct told told[CLIENTS];
};

/* ---- the world ---- */

static struct world *world_get(void)
{
	static struct world w;

	if (w.s)
		return &w;
	w.s = talk_sim();
	offload_now_on(w.s->loop, false);
	w.s->pg.accepts = false; /* the server is here */
	return &w;
}

static void choose(struct world *w, struct rd *r)
{
	static const char *const passwords[] = {PASSWORD, "", ("\xff\xfe" PASSWORD), PASSWORD};
	static const size_t records[] = {0, 1, 7, 100};
	uint8_t kind = rd_u8(r), server = rd_u8(r), segment = rd_u8(r), client = rd_u8(r), more = rd_u8(r);
	struct sim *s = w->s;

	w->kind = kinds_get(kind);
	w->tls = (struct kinds_tls){
		.cert = server % KINDS_CERTS, .old = server / KINDS_CERTS % 2, .alpn = server / 24 % 2 == 0, .asks = more & 4};
	w->segment = segment >= 200 ? segment - 199u : 0;
	w->record = records[more % 4];
	w->remote = client & 1;
	w->hasty = client & 32;
	s->targets[0] = kinds_target(s, w->kind, server / 8 % KINDS_PROTOCOLS);
	s->secret.ops.kind = w->kind->secret;
	s->secret.names_user = w->kind->more & NAMED;
	s->secret.user = w->kind->more & NAMED ? KINDS_USER : NULL;
	s->secret.secret = w->kind->secret == SECRET_IAM_TOKEN ? TOKEN : passwords[client / 64];
	s->secret.retry = client & 2;
	s->secret.silent = client % 16 == 12;
	s->secret.error = client % 16 == 8 ? "no credentials" : NULL;
	s->opts.client_login_timeout_us = 6 * SEC;
	s->opts.cancel_wait_timeout_us = 2 * SEC;
}

/* ---- what the server hears ---- */

/* Is there no TLS with this server, for good? One that was offered some may have refused it, and begins with a packet's
 * length then. */
static bool in_plain(const struct world *w, const struct hostile *v)
{
	if (w->kind->start == TARGET_TLS_OFFER && !v->t.ssl)
		return v->heard.n > 0 || (v->outside == 8 && v->t.got.n > 0 && v->t.got.p[0] == 0);
	return w->kind->tls == NO_TLS;
}

/* Nothing but an SSLRequest may be heard outside TLS, and with direct TLS not even that. */
static void outside(struct world *w, struct hostile *v)
{
	static const unsigned char request[8] = {0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f};
	struct buf *got = &v->t.got;

	if (w->kind->tls == NO_TLS)
		return;
	while (w->kind->start != TARGET_TLS_DIRECT && v->outside < sizeof(request) && got->n > 0) {
		talk_must(got->p[0] == request[v->outside++]);
		buf_drop_front(got, 1);
	}
	if (!v->t.ssl && got->n > 0 && !in_plain(w, v)) /* a handshake was begun: was it asked for? */
		talk_must(got->p[0] >= 20 && got->p[0] <= 23);
}

/* Whose first message is bound to TLS as well as can be, and says so. */
static void hear_scram(const struct hostile *v, struct slice body)
{
	bool plus = talk_has(body, "SCRAM-SHA-256-PLUS");

	if (talk_has(body, "SCRAM-SHA-256"))
		talk_must(talk_has(body, !v->t.ssl ? "n,,n=" : plus ? "p=tls-server-end-point,,n=" : "y,,n="));
}

static void hear_message(struct world *w, struct hostile *v, uint8_t type, struct slice body)
{
	if (type != 'p') {
		talk_must(v->ready && strchr("QXPBEDSCHdcf", type));
		return;
	}
	talk_must(w->kind->secret != SECRET_NONE);
	talk_must(w->kind->tls == VERIFIED || (w->kind->tls == NO_TLS && w->kind->secret == SECRET_PASSWORD));
	talk_must(++v->passwords <= 2);
	if (*w->s->secret.secret && talk_has(body, w->s->secret.secret)) {
		talk_must(v->passwords == 1 && body.n == strlen(w->s->secret.secret) + 1);
		talk_must(v->asked_clear || v->raw);
		v->knows = true;
	} else {
		talk_must(w->kind->secret == SECRET_PASSWORD); /* md5, or a step of SCRAM; a token is sent in no other way */
		talk_must(!talk_has(body, TAIL));
		hear_scram(v, body);
	}
}

static void hear_packet(struct world *w, struct hostile *v, struct slice packet)
{
	struct startup s;
	struct err e;

	talk_must(startup_parse(packet, &s, &e) == 0);
	talk_must(s.kind == STARTUP_MESSAGE || s.kind == STARTUP_CANCEL);
	talk_must(s.kind == STARTUP_CANCEL || strcmp(s.user, w->kind->more & NAMED ? KINDS_USER : "joe") == 0);
	v->cancel = s.kind == STARTUP_CANCEL;
	startup_free(&s);
	v->packets++;
	v->looked += packet.n;
}

/* Well-formed packets and messages, in the order of a login. */
static void hear(struct world *w, struct hostile *v)
{
	struct slice in, body;
	struct frame f;
	size_t total;

	while (v->looked < v->heard.n && !(w->kind->tls == NO_TLS && v->cancel)) {
		in = slice_of(v->heard.p + v->looked, v->heard.n - v->looked);
		if (v->packets == 0) {
			enum frame_status st = startup_length(in, &total);

			talk_must(st != FRAME_BAD);
			if (st == FRAME_PARTIAL || in.n < total)
				return;
			hear_packet(w, v, slice_of(in.p, total));
			continue;
		}
		talk_must(!v->cancel);
		if (frame_whole(in, 1u << 20, &f, &body) != FRAME_OK)
			return;
		hear_message(w, v, f.type, body);
		v->looked += FRAME_HEAD_BYTES + (size_t)f.body;
	}
}

/* Our certificate is shown where it is asked for, if there is one, and none otherwise. */
static void look_at_cert(const struct world *w, const struct hostile *v)
{
	bool shown = SSL_get0_peer_certificate(v->t.ssl) != NULL;

	talk_must(shown == (w->tls.asks && (w->kind->more & SHOWS)));
}

static bool server_pump(struct world *w, struct hostile *v)
{
	bool moved = talk_pump(&v->t);
	struct buf *from;

	if (v->t.fd < 0)
		return moved;
	outside(w, v);
	if (v->t.ssl)
		talk_feed(&v->t);
	if (!in_plain(w, v) && !v->t.ssl)
		return moved;
	from = in_plain(w, v) ? &v->t.got : &v->t.inside;
	if (from->n > 0) {
		talk_must(w->kind->tls != VERIFIED || w->tls.cert == KINDS_GOOD);
		if (v->t.ssl)
			look_at_cert(w, v);
		buf_add_slice(&v->heard, buf_slice(from));
		buf_clear(from);
	}
	hear(w, v);
	return moved;
}

static void accept_all(struct world *w)
{
	int fd;

	while (fakepg_waits(&w->s->pg) && (fd = accept(w->s->pg.fd, NULL, NULL)) >= 0) {
		struct hostile *v = &w->v[w->n];

		if (w->n == SERVERS) {
			close(fd);
			continue;
		}
		w->n++;
		*v = (struct hostile){0};
		talk_open(&v->t, fd);
		v->t.segment = w->segment;
		v->t.record = w->record;
		buf_init(&v->heard, 1u << 20);
		buf_init(&v->sasl, 8192);
	}
}

static bool pump(void *arg)
{
	struct world *w = arg;
	unsigned had = w->n;
	bool moved = false;

	accept_all(w);
	moved = w->n > had;
	for (unsigned i = 0; i < w->n; i++)
		moved |= server_pump(w, &w->v[i]);
	for (unsigned i = 0; i < CLIENTS; i++) {
		if (talk_pump(&w->c[i]))
			moved = true;
		told_look(&w->told[i]);
	}
	return moved;
}

/* ---- clients ---- */

/* Client i comes anew, and says this. */
static void come(struct world *w, unsigned i, const struct buf *first)
{
	struct addr peer, local;
	int fd[2];

	talk_close(&w->c[i]);
	talk_must(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fd) == 0);
	talk_open(&w->c[i], fd[0]);
	w->told[i] = (struct told){.t = &w->c[i], .remote = w->remote};
	talk_must(addr_parse(&peer, w->remote ? "192.0.2.1" : "127.0.0.1", 40000) == 0 &&
	          addr_parse(&local, "127.0.0.1", 5432) == 0);
	proxy_accept(w->s->proxy, fd[1], &peer, &local);
	talk_say(&w->c[i], first->p, first->n);
}

static void join(struct world *w, unsigned i, uint8_t how)
{
	static const char *const more[][2] = {{NULL, NULL}, {"application_name", "app"}, {"options", "-c DateStyle=ISO"},
	                                      {"replication", "true"}, {"TimeZone", "UTC"}, {"_pq_.grease", "on"}};
	const char *const *m = more[how / 2 % 6];
	struct params p;
	struct buf b;

	if (w->s->stopped || w->joined++ >= CLIENTS_MAX)
		return;
	buf_init(&b, 1024);
	params_init(&p);
	if (m[0])
		params_set(&p, slice_str(m[0]), slice_str(m[1]));
	startup_write_message(&b, how & 1 ? STARTUP_3_2 : STARTUP_3_0, "joe", "app", &p, NULL);
	params_free(&p);
	come(w, i, &b);
	buf_free(&b);
}

/* Client i comes anew to cancel what another does. */
static void cancel(struct world *w, unsigned i)
{
	struct told of = w->told[(i + 1) % CLIENTS];
	struct buf b;

	if (!of.key || w->s->stopped || w->joined++ >= CLIENTS_MAX)
		return;
	buf_init(&b, 1024);
	startup_write_cancel(&b, (uint32_t)of.key_data[0] << 24 | (uint32_t)of.key_data[1] << 16 |
	                                 (uint32_t)of.key_data[2] << 8 | of.key_data[3],
	                     slice_of(of.key_data + 4, of.key_bytes - 4));
	come(w, i, &b);
	buf_free(&b);
}

/* ---- steps ---- */

enum {
	RAW, SAY, MESSAGE, FALSE_MESSAGE, AUTH, SETUP, KEY, ERROR, NEGOTIATE, FLOOD, OFFER, FIRST, FINAL, TLS, ANSWER, RECORDS,
	SETTLE, PASS, CLOSE, END, NOTIFY, DEAF, JOIN, QUERY, LEAVE, REKEY, READY, ECHO, SILENCE, CANCEL, STOP, SLOW, OPS = 32
};

static void client_step(struct world *w, const struct step *st)
{
	unsigned i = step_byte(st, 0) % CLIENTS;

	switch (st->op % OPS) {
	case JOIN: join(w, i, step_byte(st, 1)); return;
	case CANCEL: cancel(w, i); return;
	case QUERY: talk_say(&w->c[i], "Q\0\0\0\015SELECT 1", 14); return;
	case LEAVE: talk_close(&w->c[i]); return;
	case PASS: talk_pass(w->s, (i == 0 ? 1 : i == 1 ? 4 : 61) * SEC, pump, w); return;
	case STOP: sim_stop(w->s, step_byte(st, 0) % 8 * SEC); return;
	case SLOW: offload_now_slow(step_byte(st, 0) % 2 == 0); return;
	case SILENCE: w->s->secret.silent = !w->s->secret.silent; return;
	default: talk_settle(w->s, pump, w); return;
	}
}

/* Our own secret, by whom it was told in clear, if that was nobody on the line. */
static void echo(struct world *w, struct hostile *v, const struct step *st)
{
	if (!v->knows || w->kind->tls == NO_TLS)
		return;
	w->said_secret |= v->ready; /* no error of a login: what is in it is for the client */
	hostile_echo(v, st, w->s->secret.secret);
}

static void operate(struct world *w, const struct step *st)
{
	unsigned back = st->op >> 6;
	struct hostile *v = w->n > back ? &w->v[w->n - 1 - back] : NULL;
	unsigned char key[4 + 510] = {0, 0, 4, 210};

	if (!v || st->op % OPS == SETTLE || (st->op % OPS >= JOIN && st->op % OPS <= LEAVE) || st->op % OPS == PASS ||
	    st->op % OPS >= SILENCE) {
		client_step(w, st);
		return;
	}
	switch (st->op % OPS) {
	case RAW:
		v->raw = v->ready = true; /* may be anything */
		talk_say_raw(&v->t, st->arg.p, st->arg.n);
		return;
	case SAY:
		v->raw = v->ready = true;
		talk_say(&v->t, st->arg.p, st->arg.n);
		return;
	case MESSAGE:
		v->raw |= step_byte(st, 0) == 'R';
		hostile_message(v, step_byte(st, 0), step_from(st, 1).p, step_from(st, 1).n);
		return;
	case FALSE_MESSAGE:
		v->raw = v->ready = true;
		talk_say(&v->t, st->arg.p, st->arg.n < 5 ? st->arg.n : 5);
		talk_say(&v->t, step_from(st, 5).p, step_from(st, 5).n);
		return;
	case AUTH: hostile_auth(v, step_byte(st, 0), step_from(st, 1).p, step_from(st, 1).n); return;
	case SETUP: hostile_setup(v); return;
	case KEY: hostile_message(v, 'K', key, step_byte(st, 0) * 2u); return;
	case ERROR: hostile_error(v, st, step_byte(st, 0) & 128 ? TOLD_MARK : NULL); return;
	case NEGOTIATE: hostile_negotiate(v, st); return;
	case FLOOD: hostile_flood(v, st); return;
	case OFFER: hostile_offer(v, st); return;
	case FIRST: hostile_scram_first(v, st); return;
	case FINAL: hostile_scram_final(v, st); return;
	case TLS:
		if (v->t.ssl || in_plain(w, v))
			return;
		if ((step_byte(st, 0) & 1) == (w->kind->start == TARGET_TLS_DIRECT)) /* what is right, or what is wrong */
			talk_say_raw(&v->t, "S", 1);
		talk_tls(&v->t, kinds_server(&w->tls), true);
		return;
	case ANSWER: talk_say_raw(&v->t, st->arg.p, st->arg.n ? 1 : 0); return;
	case RECORDS: talk_records(&v->t, st->arg); return;
	case CLOSE: talk_close(&v->t); return;
	case END: talk_end(&v->t); return;
	case NOTIFY: talk_notify(&v->t); return;
	case DEAF: v->t.deaf = !v->t.deaf; return;
	case REKEY: talk_rekey(&v->t); return;
	case READY: hostile_message(v, 'Z', st->arg.n ? (const char *)st->arg.p : "I", 1); return;
	case ECHO: echo(w, v, st); return;
	default: talk_settle(w->s, pump, w); return;
	}
}

#define CANNED(op, arg) {(op), (arg), sizeof(arg) - 1}
static const struct steps_canned canned[] = {
	CANNED(TLS, ""), CANNED(TLS, ""), CANNED(TLS, "\1"), CANNED(ANSWER, "N"), CANNED(ANSWER, "S"), CANNED(ANSWER, "E"),
	CANNED(SETTLE, ""), CANNED(SETTLE, ""), CANNED(SETTLE, ""), CANNED(SETTLE, ""), CANNED(AUTH, "\3"), CANNED(AUTH, "\3"),
	CANNED(AUTH, "\0"), CANNED(AUTH, "\0"), CANNED(AUTH, "\5salt"), CANNED(AUTH, "\x07"), CANNED(AUTH, "\x0b"),
	CANNED(OFFER, "\0"), CANNED(OFFER, "\1"), CANNED(OFFER, "\2"), CANNED(OFFER, "\3"), CANNED(FIRST, "\0"),
	CANNED(FIRST, "\0"), CANNED(FINAL, "\0"), CANNED(FINAL, "\0"), CANNED(FINAL, "\1"), CANNED(SETUP, ""), CANNED(SETUP, ""),
	CANNED(KEY, "\2"), CANNED(KEY, "\4"), CANNED(KEY, "\x82"), CANNED(KEY, "\x83"), CANNED(KEY, "\0"), CANNED(ERROR, "\0no"),
	CANNED(ERROR, "\1no"), CANNED(ERROR, "\2no"), CANNED(ERROR, "\3no"), CANNED(ERROR, "\x80no"), CANNED(ERROR, "\x09no"),
	CANNED(NEGOTIATE, "\x12\0"), CANNED(NEGOTIATE, "\x10\1_pq_.x\0"), CANNED(NEGOTIATE, "\x02\xff"), CANNED(FLOOD, "\1\1\1"),
	CANNED(FLOOD, "\x20\xf0\1"), CANNED(FLOOD, "\xff\1\2"), CANNED(FLOOD, "\xff\0\3"), CANNED(READY, "I"), CANNED(READY, "T"),
	CANNED(READY, "x"), CANNED(ECHO, "\0\0\3\0"), CANNED(ECHO, "\1\0\3\0"), CANNED(ECHO, "\0\0\4\1"), CANNED(JOIN, "\0"),
	CANNED(JOIN, "\1"), CANNED(JOIN, "\2"), CANNED(JOIN, "\1\1"), CANNED(JOIN, "\1\6"),
	CANNED(JOIN, "\2\13"), CANNED(KEY, "\6"), CANNED(KEY, "\22"), CANNED(QUERY, "\0"), CANNED(QUERY, "\1"), CANNED(LEAVE, "\0"), CANNED(PASS, "\0"),
	CANNED(PASS, "\1"), CANNED(PASS, "\2"), CANNED(CLOSE, ""), CANNED(END, ""), CANNED(NOTIFY, ""), CANNED(DEAF, ""),
	CANNED(REKEY, ""), CANNED(SILENCE, ""), CANNED(STOP, "\0"), CANNED(STOP, "\5"), CANNED(SLOW, ""), CANNED(SLOW, "\1"), CANNED(CANCEL, "\2"), CANNED(CANCEL, "\1"), CANNED(MESSAGE, "Stz\0UTC\0"), CANNED(MESSAGE, "N"), CANNED(MESSAGE, "A"),
	CANNED(MESSAGE, "K\0\0\0\1abcd"), CANNED(MESSAGE, "CSELECT 1\0"), CANNED(MESSAGE, "G"), CANNED(MESSAGE, "Z"),
	CANNED(FALSE_MESSAGE, "R\0\0\0\3"), CANNED(FALSE_MESSAGE, "R\x7f\xff\xff\xff"), CANNED(FALSE_MESSAGE, "E\0\0\0\x05"),
	CANNED(SAY, "Etoo many connections\n\0"), CANNED(RAW, "E\0\0\0\x1aSFATAL\0C28000\0Mno\0\0"), CANNED(RAW, "HTTP/1.1 400\r\n"),
	CANNED(RAW, "\x15\3\1\0\2\2\x28"), CANNED(RAW, "\x15\3\3\0\2\2\x78"), CANNED(RAW, "\x15\3\3\0\2\1\0"), CANNED(OFFER, "\4"),
	CANNED(RECORDS, "\0"), CANNED(RECORDS, "\1"), CANNED(RECORDS, "\2\7"), CANNED(RECORDS, "\3"), CANNED(RECORDS, "\4"),
	CANNED(RECORDS, "\5"), CANNED(RECORDS, "\6"), CANNED(RECORDS, "\7\1"), CANNED(RECORDS, "\x08"), CANNED(RECORDS, "\x09"),
	CANNED(RECORDS, "\x0a\0\x10\1"), CANNED(RECORDS, "\x0b\x17"), CANNED(RECORDS, "\x0d\x40\0"),
	CANNED(RECORDS, "\x0e\x17R\0\0\0\x08\0\0\0\0"), CANNED(RECORDS, "\x0f\x15\2\x28"), CANNED(RECORDS, "\x0e\x14\1"),
	CANNED(RECORDS, "\x0e\x16"), CANNED(RECORDS, "\x10\3"),
};
const struct steps_kit steps_kit = {5, 64, canned, sizeof(canned) / sizeof(*canned)};

static void check(struct world *w)
{
	struct slice log = buf_slice(&w->s->log_text);

	talk_must(talk_memory() <= w->memory + MEMORY_MAX);
	if (w->said_secret)
		return;
	talk_must(!talk_has(log, PASSWORD) && !talk_has(log, TAIL));
}

/* Everybody is heard again; whoever got nowhere must be gone when every deadline is over. */
static void finish(struct world *w)
{
	for (unsigned i = 0; i < w->n; i++)
		w->v[i].t.deaf = w->v[i].t.held = false;
	offload_now_slow(false);
	talk_settle(w->s, pump, w);
	check(w);
	talk_pass(w->s, 60 * SEC, pump, w);
	for (unsigned i = 0; i < CLIENTS; i++)
		talk_must(told_settled(&w->told[i]));
	talk_nobody_waits(w->s);
	check(w);
}

static void begin(struct world *w, struct rd *r)
{
	choose(w, r);
	w->n = w->joined = 0;
	w->said_secret = false;
	w->memory = talk_memory();
	for (unsigned i = 0; i < CLIENTS; i++) {
		talk_open(&w->c[i], -1);
		w->told[i] = (struct told){.t = &w->c[i]};
	}
	sim_start(w->s);
	join(w, 0, 0);
	talk_settle(w->s, pump, w);
}

static void end(struct world *w)
{
	for (unsigned i = 0; i < CLIENTS; i++)
		talk_close(&w->c[i]);
	for (unsigned i = 0; i < w->n; i++) {
		talk_close(&w->v[i].t);
		buf_free(&w->v[i].heard);
		buf_free(&w->v[i].sasl);
	}
	for (int fd; (fd = accept(w->s->pg.fd, NULL, NULL)) >= 0;)
		close(fd); /* the last ones */
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct world *w = world_get();
	struct talk_left before = talk_begin(w->s);
	struct rd r = rd_init(slice_of(data, size));
	struct step st;

	begin(w, &r);
	/* libFuzzer reads what is compared: an input that knows the secret proves nothing */
	w->said_secret = talk_has(slice_of(data, size), PASSWORD) || talk_has(slice_of(data, size), TAIL);
	for (unsigned n = 0; n < STEPS_MAX && step_next(&r, &st); n++)
		operate(w, &st);
	if (w->hasty)
		sim_end(w->s); /* in the middle of everything */
	else
		finish(w);
	end(w);
	if (!w->hasty)
		sim_end(w->s);
	offload_now_slow(false);
	talk_over(w->s, &before);
	return 0;
}
