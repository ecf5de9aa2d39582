/* What a server owes, in thousands of random conversations with a server written out after PostgreSQL's own main loop
 * (tcop/postgres.c), messages under way in both directions at any time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "proxy/inflight.h"

enum { QUEUE = 4096 };

struct queue {
	unsigned char type[QUEUE + 1];
	size_t n, at;
};

static void put(struct queue *q, int type)
{
	assert_true(q->n < QUEUE);
	q->type[q->n++] = (unsigned char)type;
}

static size_t left(const struct queue *q)
{
	return q->n - q->at;
}

static int get(struct queue *q)
{
	return q->type[q->at++];
}

/* A backend: what it has not read yet, what the proxy has not read yet, and where it is. */
struct model {
	struct queue in, out;
	uint64_t seed;
	bool ignore_till_sync, batch; /* batch: messages of the extended protocol since the last Sync or Query */
	bool copy, copy_extended;
	unsigned statements;          /* of a simple query, still to run */
	unsigned errors;              /* chance of one, in 256 */
	bool both;
};

static unsigned chance(struct model *m, unsigned n)
{
	m->seed = m->seed * 6364136223846793005ULL + 1442695040888963407ULL;
	return (unsigned)(m->seed >> 33) % n;
}

static bool errs(struct model *m)
{
	return chance(m, 256) < m->errors;
}

static void say(struct model *m, const char *types)
{
	for (; *types; types++)
		put(&m->out, *types);
}

static void run_statements(struct model *m);

/* ereport(ERROR): see the sigsetjmp block of PostgresMain. */
static void model_error(struct model *m, bool extended)
{
	put(&m->out, 'E');
	m->copy = m->both = false;
	m->statements = 0;
	if (extended)
		m->ignore_till_sync = true;
	else
		put(&m->out, 'Z');
}

/* What one statement says, its end left out. False: it failed. True with m->copy: it reads now. */
static bool statement(struct model *m, bool extended)
{
	if (errs(m))
		return false;
	switch (chance(m, 16)) {
	case 0: say(m, "HddcC"); break;
	case 1:
		m->both = !extended && chance(m, 8) == 0;
		put(&m->out, m->both ? 'W' : 'G');
		m->copy = true;
		m->copy_extended = extended;
		break;
	case 2:
	case 3: say(m, extended ? "D" : "TD"); __attribute__((fallthrough));
	default:
		for (unsigned n = chance(m, 3); n > 0; n--)
			put(&m->out, 'D');
		say(m, extended && chance(m, 4) == 0 ? "s" : chance(m, 5) == 0 ? "I" : "C");
	}
	return true;
}

static void run_statements(struct model *m)
{
	while (m->statements > 0) {
		m->statements--;
		if (!statement(m, false)) {
			model_error(m, false);
			return;
		}
		if (m->copy)
			return;
	}
	put(&m->out, 'Z');
}

/* The COPY's reader takes a message (copyfromparse.c, CopyGetData). */
static void model_copy(struct model *m, int type)
{
	switch (type) {
	case 'd':
		if (errs(m))
			model_error(m, m->copy_extended);
		else if (m->both && chance(m, 2))
			put(&m->out, 'd');
		return;
	case 'H':
	case 'S': return;
	case 'c':
		if (errs(m)) {
			model_error(m, m->copy_extended);
			return;
		}
		if (m->both)
			say(m, "cC");
		put(&m->out, 'C');
		m->copy = m->both = false;
		if (!m->copy_extended)
			run_statements(m);
		return;
	default: model_error(m, m->copy_extended); return;
	}
}

static void model_extended(struct model *m, int type)
{
	m->batch = true;
	if (type == 'E') {
		if (!statement(m, true))
			model_error(m, true);
		return;
	}
	if (errs(m)) {
		model_error(m, true);
		return;
	}
	switch (type) {
	case 'P': put(&m->out, '1'); break;
	case 'B': put(&m->out, '2'); break;
	case 'C': put(&m->out, '3'); break;
	default: say(m, (const char *[]){"tT", "tn", "T", "n"}[chance(m, 4)]); break;
	}
}

/* PostgresMain takes a message. */
static void model_read(struct model *m)
{
	int type = get(&m->in);

	if (m->copy) {
		model_copy(m, type);
		return;
	}
	if (m->ignore_till_sync && type != 'S')
		return;
	switch (type) {
	case 'Q':
		m->batch = false;
		m->statements = 1 + chance(m, 3);
		run_statements(m);
		break;
	case 'F':
		m->batch = false;
		say(m, errs(m) ? "EZ" : "VZ");
		break;
	case 'S':
		/* it can only fail in what it commits */
		say(m, m->batch && !m->ignore_till_sync && errs(m) ? "EZ" : "Z");
		m->ignore_till_sync = m->batch = false;
		break;
	case 'P':
	case 'B':
	case 'D':
	case 'E':
	case 'C': model_extended(m, type); break;
	default: break; /* c, d, f, H */
	}
}

/* Does what was sent but not read yet ask for an answer? */
static bool unread_matters(const struct model *m)
{
	for (size_t i = m->in.at; i < m->in.n; i++)
		if (!strchr("dcfH", m->in.type[i]))
			return true;
	return false;
}

/* Is there anything but Syncs and their answers on the way? */
static bool asked(const struct model *m)
{
	for (size_t i = m->in.at; i < m->in.n; i++)
		if (!strchr("SdcfH", m->in.type[i]))
			return true;
	for (size_t i = m->out.at; i < m->out.n; i++)
		if (m->out.type[i] != 'Z')
			return true;
	return false;
}

static bool model_idle(const struct model *m)
{
	return !m->copy && !m->ignore_till_sync && !m->batch && !unread_matters(m) && left(&m->out) == 0;
}

struct conversation {
	struct model m;
	struct inflight f;
	char text[2 * QUEUE + 1];
	size_t n;
};

static void note(struct conversation *c, char what)
{
	assert_true(c->n < sizeof(c->text) - 1);
	c->text[c->n++] = what;
}

/* Never idle too early: the next client would get what was for the last one. */
static void check_sound(struct conversation *c)
{
	if (inflight_idle(&c->f) && !model_idle(&c->m))
		fail_msg("idle too early: %s", c->text);
	if (c->f.doubt == INFLIGHT_SYNCS && inflight_quiet(&c->f) && asked(&c->m))
		fail_msg("quiet too early: %s", c->text);
	if (inflight_idle(&c->f) && !inflight_closed(&c->f))
		fail_msg("idle and not closed: %s", c->text);
}

static void proxy_reads(struct conversation *c)
{
	int type = get(&c->m.out);

	note(c, '<');
	note(c, (char)type);
	if (!inflight_server(&c->f, (uint8_t)type))
		fail_msg("a legal answer was refused: %s", c->text);
}

static void client_sends(struct conversation *c, char type)
{
	note(c, type);
	put(&c->m.in, type);
	assert_true(inflight_client(&c->f, (uint8_t)type));
}

/* Nothing more from the client: all that is owed comes. */
static void settle(struct conversation *c)
{
	bool closed = inflight_closed(&c->f);
	size_t from = c->m.out.at;

	while (left(&c->m.in) > 0 || left(&c->m.out) > 0) {
		if (left(&c->m.in) > 0)
			model_read(&c->m);
		while (left(&c->m.out) > 0)
			proxy_reads(c);
	}
	check_sound(c);
	if (model_idle(&c->m) && !inflight_quiet(&c->f))
		fail_msg("not quiet at the end: %s", c->text);
	if (c->f.doubt != INFLIGHT_CERTAIN)
		return;
	if (inflight_idle(&c->f) != model_idle(&c->m))
		fail_msg("%s: %s", inflight_idle(&c->f) ? "idle" : "not idle at the end", c->text);
	if (inflight_closed(&c->f) != model_idle(&c->m))
		fail_msg("closed is wrong at the end: %s", c->text);
	/* what is closed stays so, but for what only the server knows: that something is a COPY, or fails */
	c->m.out.type[c->m.out.n] = '\0';
	if (closed && !inflight_idle(&c->f) && !strpbrk((const char *)c->m.out.type + from, "GWE"))
		fail_msg("it was not closed: %s", c->text);
	if (inflight_idle(&c->f) && c->f.ready_owed != 0)
		fail_msg("ready_owed is wrong: %s", c->text);
}

/* A client that knows what it does sends this next; a wild one anything. */
static char next_message(struct conversation *c, bool wild)
{
	if (wild)
		return "PBDECHSQFdcf"[chance(&c->m, 12)];
	if (c->f.copy_in)
		return "dddHcf"[chance(&c->m, 6)];
	return "PBDEEECHSSQQFdc"[chance(&c->m, 15)];
}

static bool converse(uint64_t seed, bool wild)
{
	static struct conversation c;
	unsigned length;
	bool lost;

	memset(&c, 0, sizeof(c));
	c.m.seed = seed;
	inflight_init(&c.f);
	length = 1 + chance(&c.m, 60);
	c.m.errors = (const unsigned[]){0, 10, 60}[chance(&c.m, 3)];
	for (unsigned i = 0; i < length; i++) {
		unsigned eager = chance(&c.m, 4);

		client_sends(&c, next_message(&c, wild));
		check_sound(&c);
		for (unsigned k = chance(&c.m, 4); k > 0; k--) {
			/* a COPY can also fail before it reads anything */
			if (c.m.copy && c.m.errors && chance(&c.m, 50) == 0)
				model_error(&c.m, c.m.copy_extended);
			if (left(&c.m.in) > 0)
				model_read(&c.m);
			while (left(&c.m.out) > 0 && chance(&c.m, 4) >= eager) {
				proxy_reads(&c);
				check_sound(&c);
			}
		}
		if (chance(&c.m, 10) == 0)
			settle(&c);
	}
	settle(&c);
	lost = c.f.doubt == INFLIGHT_LOST;
	inflight_free(&c.f);
	return lost;
}

static void random_conversations(void **state)
{
	unsigned lost = 0, rounds = 30000;

	(void)state;
	for (unsigned i = 0; i < rounds; i++)
		lost += converse(i, false);
	/* most are followed to their end, COPYs included */
	assert_true(lost < rounds / 4);
}

static void wild_conversations(void **state)
{
	unsigned lost = 0, rounds = 30000;

	(void)state;
	for (unsigned i = 0; i < rounds; i++)
		lost += converse(i + 1000000, true);
	assert_true(lost < rounds / 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(random_conversations),
		cmocka_unit_test(wild_conversations),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
