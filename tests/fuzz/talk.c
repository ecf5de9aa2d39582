#define OPENSSL_SUPPRESS_DEPRECATED /* RAND_set_rand_method */
#include "config.h"
#include "talk.h"

#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>
#include <openssl/err.h>
#include <openssl/rand.h>
#include "base/mem.h"
#include "io/loop_private.h"

#define FDS_LOOKED_AT 160
#define SEGMENTED_MAX 2048 /* more is not sent in small pieces: it would take for ever */
#define RECORD_HEAD   5
#define RECORD_MAX    (16384 + 256)

void talk_must(bool ok)
{
	if (!ok)
		abort();
}

/* ---- random numbers that are none ---- */

static uint64_t dice;

static int numbers(unsigned char *p, int n)
{
	for (int i = 0; i < n; i++) {
		dice = dice * 6364136223846793005ull + 1442695040888963407ull;
		p[i] = (unsigned char)(dice >> 56);
	}
	return 1;
}

static int always(void)
{
	return 1;
}

/* ---- one end ---- */

void talk_open(struct talk *t, int fd)
{
	*t = (struct talk){.fd = fd};
	buf_init(&t->out, 4u << 20);
	buf_init(&t->got, TALK_GOT_MAX);
	buf_init(&t->inside, TALK_GOT_MAX);
}

void talk_close(struct talk *t)
{
	SSL_free(t->ssl);
	t->ssl = NULL;
	if (t->fd >= 0)
		close(t->fd);
	t->fd = -1;
	t->up = t->broken = false;
	buf_free(&t->out);
	buf_free(&t->got);
	buf_free(&t->inside);
}

/* What OpenSSL has written goes to out. */
static bool collect(struct talk *t)
{
	char chunk[4096];
	bool moved = false;
	int n;

	while (t->ssl && (n = BIO_read(t->from, chunk, sizeof(chunk))) > 0) {
		talk_must(buf_add(&t->out, chunk, (size_t)n) == 0);
		moved = true;
	}
	return moved;
}

void talk_say_raw(struct talk *t, const void *p, size_t n)
{
	if (t->fd < 0 || n == 0)
		return;
	collect(t);
	buf_add(&t->out, p, n);
}

void talk_say(struct talk *t, const void *p, size_t n)
{
	size_t each = t->record && n < SEGMENTED_MAX ? t->record : n;

	if (!t->ssl)
		talk_say_raw(t, p, n);
	else if (t->up && !t->broken && t->fd >= 0 && t->out.n < (2u << 20))
		for (const char *at = p; n > 0; n -= each, at += each) {
			each = each < n ? each : n;
			SSL_write(t->ssl, at, (int)each);
		}
	collect(t);
}

void talk_tls(struct talk *t, SSL_CTX *ctx, bool server)
{
	if (t->ssl || t->fd < 0)
		return;
	t->ssl = SSL_new(ctx);
	t->in = BIO_new(BIO_s_mem());
	t->from = BIO_new(BIO_s_mem());
	talk_must(t->ssl && t->in && t->from);
	BIO_set_mem_eof_return(t->in, -1);
	BIO_set_mem_eof_return(t->from, -1);
	SSL_set_bio(t->ssl, t->in, t->from);
	if (server)
		SSL_set_accept_state(t->ssl);
	else
		SSL_set_connect_state(t->ssl);
	talk_feed(t);
}

static void outcome(struct talk *t, int rc)
{
	int e = SSL_get_error(t->ssl, rc);

	if (e != SSL_ERROR_WANT_READ && e != SSL_ERROR_WANT_WRITE)
		t->broken = true;
	ERR_clear_error();
}

void talk_feed(struct talk *t)
{
	unsigned char chunk[4096];
	int n;

	if (!t->ssl || (t->got.n == 0 && t->begun)) /* all there was has been read */
		return;
	t->begun = true;
	if (t->got.n > 0)
		talk_must(BIO_write(t->in, t->got.p, (int)t->got.n) == (int)t->got.n);
	buf_clear(&t->got);
	if (!t->up && !t->broken) {
		n = SSL_do_handshake(t->ssl);
		t->up = n == 1;
		if (n != 1)
			outcome(t, n);
	}
	while (t->up && !t->broken) {
		n = SSL_read(t->ssl, chunk, sizeof(chunk));
		if (n <= 0) {
			outcome(t, n);
			break;
		}
		talk_must(buf_add(&t->inside, chunk, (size_t)n) == 0);
	}
	collect(t);
}

void talk_rekey(struct talk *t)
{
	if (!t->up || t->broken || t->out.n > (1u << 20))
		return;
	if (SSL_version(t->ssl) == TLS1_3_VERSION)
		SSL_key_update(t->ssl, SSL_KEY_UPDATE_REQUESTED);
	else
		SSL_renegotiate(t->ssl);
	SSL_do_handshake(t->ssl);
	ERR_clear_error();
	collect(t);
}

void talk_notify(struct talk *t)
{
	if (t->up && !t->broken)
		SSL_shutdown(t->ssl);
	ERR_clear_error();
	collect(t);
}

void talk_end(struct talk *t)
{
	if (t->fd >= 0)
		shutdown(t->fd, SHUT_WR);
}

static bool send_some(struct talk *t, size_t most)
{
	ssize_t n = t->out.n < most ? (ssize_t)t->out.n : (ssize_t)most;

	if (n > 0)
		n = send(t->fd, t->out.p, (size_t)n, MSG_NOSIGNAL | MSG_DONTWAIT);
	if (n > 0)
		buf_drop_front(&t->out, (size_t)n);
	else if (n < 0 && errno != EAGAIN && errno != EWOULDBLOCK)
		buf_clear(&t->out); /* nobody hears it */
	return n > 0;
}

bool talk_pump(struct talk *t)
{
	static unsigned char chunk[65536];
	bool moved = collect(t);
	ssize_t n;

	if (t->fd < 0)
		return false;
	if (!t->held)
		moved |= send_some(t, t->segment && t->out.n < SEGMENTED_MAX ? t->segment : SIZE_MAX / 2);
	if (t->deaf || t->eof)
		return moved;
	n = recv(t->fd, chunk, sizeof(chunk), MSG_DONTWAIT); /* once: if there is more, so is another turn */
	if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
		return moved;
	if (n > 0)
		talk_must(buf_add(&t->got, chunk, (size_t)n) == 0);
	else
		t->eof = true;
	return true;
}

/* ---- records ---- */

/* The length of the record at pos, its head included; 0 if what is there is none. */
static size_t record_at(const struct buf *b, size_t pos)
{
	size_t n;

	if (pos > b->n || b->n - pos < RECORD_HEAD)
		return 0;
	n = (size_t)(b->p[pos + 3] << 8 | b->p[pos + 4]);
	return b->p[pos] >= 20 && b->p[pos] <= 24 && n <= RECORD_MAX && n <= b->n - pos - RECORD_HEAD ? RECORD_HEAD + n : 0;
}

static void add_record(struct buf *b, const unsigned char head[RECORD_HEAD], const unsigned char *p, size_t n)
{
	buf_add(b, head, 3);
	buf_add_char(b, (char)(n >> 8));
	buf_add_char(b, (char)n);
	buf_add(b, p, n);
}

/* The first record's content in records of at most `each` bytes. */
static void split_first(struct talk *t, struct buf *b, size_t first, size_t each)
{
	const unsigned char *p = t->out.p + RECORD_HEAD;

	for (size_t left = first - RECORD_HEAD, n; left > 0; left -= n, p += n) {
		n = each > 0 && each < left ? each : left;
		add_record(b, t->out.p, p, n);
	}
	buf_add(b, t->out.p + first, t->out.n - first);
}

enum {
	HOLD, LET_GO, LET_GO_BYTES, LET_GO_RECORD, SWAP, DOUBLE, DROP, SPLIT, CRUMBLE, MERGE, FLIP, RETYPE, REVERSION, RELENGTH,
	INSERT, APPEND, CUT, RECORD_OPS
};

/* Operations that make a new out. */
static void rebuild(struct talk *t, uint8_t op, struct slice arg, size_t first, size_t second)
{
	const unsigned char made[RECORD_HEAD] = {arg.n > 1 ? arg.p[1] : 22, 3, 3};
	struct slice content = slice_of(arg.n > 2 ? arg.p + 2 : NULL, arg.n > 2 ? arg.n - 2 : 0);
	struct buf b;

	buf_init(&b, 4u << 20);
	switch (op) {
	case SWAP:
		buf_add(&b, t->out.p + first, second);
		buf_add(&b, t->out.p, first);
		buf_add(&b, t->out.p + first + second, t->out.n - first - second);
		break;
	case DOUBLE:
		buf_add(&b, t->out.p, first);
		buf_add(&b, t->out.p, t->out.n);
		break;
	case DROP: buf_add(&b, t->out.p + first, t->out.n - first); break;
	case SPLIT: split_first(t, &b, first, arg.n > 1 ? arg.p[1] : 4); break;
	case CRUMBLE: split_first(t, &b, first, 1); break;
	case MERGE:
		buf_add(&b, t->out.p, first + second);
		memmove(b.p + first, b.p + first + RECORD_HEAD, second - RECORD_HEAD);
		b.n -= RECORD_HEAD;
		b.p[3] = (unsigned char)((b.n - RECORD_HEAD) >> 8);
		b.p[4] = (unsigned char)(b.n - RECORD_HEAD);
		buf_add(&b, t->out.p + first + second, t->out.n - first - second);
		break;
	case INSERT:
		add_record(&b, made, content.p, content.n);
		buf_add_slice(&b, buf_slice(&t->out));
		break;
	case APPEND:
		buf_add_slice(&b, buf_slice(&t->out));
		add_record(&b, made, content.p, content.n);
		break;
	default: abort();
	}
	buf_free(&t->out);
	t->out = b;
}

void talk_records(struct talk *t, struct slice how)
{
	uint8_t op = how.n > 0 ? how.p[0] % RECORD_OPS : HOLD, a = how.n > 1 ? how.p[1] : 0, b = how.n > 2 ? how.p[2] : 0,
	        c = how.n > 3 ? how.p[3] : 1;
	size_t first, second;

	if (t->fd < 0)
		return;
	collect(t);
	if (t->out.n > (1u << 20))
		return;
	first = record_at(&t->out, 0);
	second = first ? record_at(&t->out, first) : 0;
	switch (op) {
	case HOLD: t->held = true; break;
	case LET_GO: t->held = false; break;
	case LET_GO_BYTES: send_some(t, 1u + a); break;
	case LET_GO_RECORD: send_some(t, first ? first : RECORD_HEAD); break;
	case SWAP:
	case MERGE:
		if (second)
			rebuild(t, op, how, first, second);
		break;
	case DOUBLE:
	case DROP:
	case SPLIT:
	case CRUMBLE:
		if (first)
			rebuild(t, op, how, first, second);
		break;
	case INSERT:
	case APPEND: rebuild(t, op, how, first, second); break;
	case FLIP:
		if (t->out.n > 0)
			t->out.p[(size_t)(a << 8 | b) % t->out.n] ^= c ? c : 1;
		break;
	case RETYPE:
		if (first)
			t->out.p[0] = a;
		break;
	case REVERSION:
		if (first)
			t->out.p[2] = a;
		break;
	case RELENGTH:
		if (first) {
			t->out.p[3] = a;
			t->out.p[4] = b;
		}
		break;
	case CUT: t->out.n -= a < t->out.n ? a : t->out.n; break;
	default: abort();
	}
}

/* ---- the world ---- */

void talk_settle(struct sim *s, talk_cb pump, void *arg)
{
	unsigned turns = 0;

	for (unsigned quiet = 0; quiet < s->patience; quiet++) {
		loop_turn(s->loop, 0);
		if (pump(arg))
			quiet = 0;
		talk_must(++turns < 30000); /* otherwise it never comes to rest */
	}
}

void talk_pass(struct sim *s, uint64_t us, talk_cb pump, void *arg)
{
	uint64_t end = s->clock.now_us + us, step = us / s->steps + 2 * LOOP_TICK_US;

	while (s->clock.now_us < end) {
		s->clock.now_us += step;
		talk_settle(s, pump, arg);
	}
}

static int epoll_fd = -1;

void talk_quiet(struct sim *s, talk_cb pump, void *arg)
{
	struct pollfd p = {.fd = epoll_fd, .events = POLLIN};

	talk_settle(s, pump, arg);
	for (int i = 0; i < 8; i++) /* what is put off, and events nobody wants any more */
		loop_turn(s->loop, 0);
	talk_must(list_empty(&s->loop->deferred));
	talk_must(poll(&p, 1, 0) == 0);
}

void talk_nobody_waits(struct sim *s)
{
	const struct stats_snapshot *st = sim_stats(s);

	talk_must(st->clients == st->db[0].cl_idle + st->db[0].cl_active);
}

static void find_epoll(void)
{
	char path[64], name[64];

	for (int fd = 0; fd < FDS_LOOKED_AT && epoll_fd < 0; fd++) {
		ssize_t n;

		snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
		n = readlink(path, name, sizeof(name));
		if (n >= 22 && memcmp(name, "anon_inode:[eventpoll]", 22) == 0)
			epoll_fd = fd;
	}
	talk_must(epoll_fd >= 0);
}

static unsigned open_fds(void)
{
	struct pollfd p[FDS_LOOKED_AT]; /* one system call tells of all */
	unsigned n = 0;

	for (int fd = 0; fd < FDS_LOOKED_AT; fd++)
		p[fd] = (struct pollfd){.fd = fd};
	talk_must(poll(p, FDS_LOOKED_AT, 0) >= 0);
	for (int fd = 0; fd < FDS_LOOKED_AT; fd++)
		n += !(p[fd].revents & POLLNVAL);
	return n;
}

static struct sim *the_sim;

static void at_exit(void)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/.s.PGSQL.5432", the_sim->pg.dir);
	unlink(path);
	rmdir(the_sim->pg.dir);
}

struct sim *talk_sim(void)
{
	static const RAND_METHOD method = {.bytes = numbers, .pseudorand = numbers, .status = always};

	RAND_set_rand_method(&method);
	the_sim = sim_new();
	the_sim->patience = 4; /* a dial is put off thrice */
	the_sim->steps = 5;
	find_epoll();
	atexit(at_exit);
	return the_sim;
}

struct talk_left talk_begin(struct sim *s)
{
	dice = 42;
	s->clock.now_us += 100 * SEC; /* bursts in the log are over */
	loop_turn(s->loop, 0);
	buf_clear(&s->log_text);
	return (struct talk_left){open_fds(), s->loop->wheel.count};
}

void talk_over(struct sim *s, const struct talk_left *before)
{
	s->clock.now_us += 100 * SEC;
	for (int i = 0; i < 3; i++)
		loop_turn(s->loop, 0);
	talk_must(list_empty(&s->loop->deferred) && s->loop->later_n == 0);
	talk_must(s->loop->wheel.count <= before->timers);
	talk_must(open_fds() == before->fds);
}

size_t __sanitizer_get_current_allocated_bytes(void) __attribute__((weak));

size_t talk_memory(void)
{
	return __sanitizer_get_current_allocated_bytes ? __sanitizer_get_current_allocated_bytes() : 0;
}

/* Not memmem: libFuzzer would learn what is looked for. */
bool talk_has(struct slice s, const char *what)
{
	size_t n = strlen(what), same;

	while (s.n >= n && s.n > 0) {
		const unsigned char *p = memchr(s.p, what[0], s.n - n + 1);

		if (!p)
			return false;
		for (same = 0; same < n && p[same] == (unsigned char)what[same]; same++)
			;
		if (same == n)
			return true;
		s.n -= (size_t)(p + 1 - s.p);
		s.p = p + 1;
	}
	return false;
}
