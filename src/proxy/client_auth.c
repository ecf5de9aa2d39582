/* The client is a stranger: its messages are small and come one at a time, what it is told is the same whoever it says it
 * is, and why it was refused is only in the log. Texts and order are PostgreSQL's (libpq/auth.c). */
#include "proxy/client_auth.h"

#include <string.h>
#include <strings.h>
#include "base/mem.h"
#include "pg/frame.h"

#define READ_CHUNK 4096

static void trust_begin(struct client *c)
{
	client_enter(c);
}

static const struct client_auth_method trust = {.name = "trust", .unproven = true, .begin = trust_begin};

/* By enum auth_type. */
static const struct client_auth_method *const methods[] = {
	[AUTH_TYPE_TRUST] = &trust,
	[AUTH_TYPE_PLAIN] = &client_auth_plain,
	[AUTH_TYPE_MD5] = &client_auth_md5,
	[AUTH_TYPE_SCRAM] = &client_auth_scram,
	[AUTH_TYPE_CERT] = &client_auth_cert,
	[AUTH_TYPE_PEER] = &client_auth_peer,
};

/* ---- messages ---- */

static void protocol_error(struct client *c, const char *what)
{
	struct err e;

	err_set(&e, ERR_CLIENT_PROTOCOL, "%s", what);
	client_fail(c, &e);
}

/* Handles one message. False if there is none yet, or none is awaited any more. */
static bool one_message(struct client *c)
{
	const struct client_auth *a = c->auth;
	struct frame f;
	struct slice body;
	struct err e;

	if (c->state != CLIENT_AUTH || a->phase != CLIENT_AUTH_ASKED || c->in.n == 0)
		return false;
	if (c->in.p[0] != 'p') {
		err_set(&e, ERR_CLIENT_PROTOCOL, "expected %s response, got message type %d", a->method->expects, c->in.p[0]);
		client_fail(c, &e);
		return false;
	}
	switch (frame_whole(buf_slice(&c->in), a->method->max_body, &f, &body)) {
	case FRAME_PARTIAL: return false;
	case FRAME_BAD: protocol_error(c, "invalid message length"); return false;
	case FRAME_OK: break;
	}
	/* The method may let the client in, and what is behind the message is its session's then. */
	struct buf message;

	buf_init_secret(&message, body.n);
	buf_add_slice(&message, body);
	buf_drop_front(&c->in, FRAME_HEAD_BYTES + (size_t)f.body);
	client_got_on(c);
	a->method->message(c, buf_slice(&message));
	buf_free(&message);
	return true;
}

void client_auth_ready(struct client *c, unsigned what)
{
	unsigned char chunk[READ_CHUNK];
	ssize_t n;

	if ((what & STREAM_WRITABLE) && client_flush(c) < 0)
		return;
	if (!(what & STREAM_READABLE) || c->auth->phase != CLIENT_AUTH_ASKED)
		return;
	do {
		n = stream_read(c->stream, chunk, sizeof(chunk));
		if (n == STREAM_AGAIN)
			break;
		if (n <= 0) {
			client_close(c); /* PostgreSQL, too, says nothing: it may have gone to ask somebody for a password */
			break;
		}
		buf_add(&c->in, chunk, (size_t)n);
		while (one_message(c))
			;
	} while (c->state == CLIENT_AUTH && c->auth->phase == CLIENT_AUTH_ASKED);
	mem_wipe(chunk, sizeof(chunk));
}

/* Does it begin word, in any case, and with at least so many letters? */
static bool begins(const char *text, const char *word, size_t least)
{
	size_t n = strlen(text);

	return n >= least && n <= strlen(word) && strncasecmp(text, word, n) == 0;
}

/* Physical replication, which asks for no database. The value is the server's to judge, and what it takes for no
 * replication must not be let in by a line for replication: PostgreSQL's parse_bool, and "database". */
static bool is_replication(const struct startup *s)
{
	const char *v = s->replication;

	return v && *v && strcmp(v, "database") != 0 && strcmp(v, "0") != 0 && !begins(v, "false", 1) &&
	       !begins(v, "no", 1) && !begins(v, "off", 2);
}

/* What auth_hba_file says. False: the client is refused, as PostgreSQL does it. */
static bool ask_hba(struct client *c, struct hba_answer *out)
{
	const struct hba_client who = {.peer = &c->ends->peer,
	                               .local = addr_is_unix(&c->ends->local),
	                               .tls = stream_is_tls(c->stream),
	                               .replication = is_replication(&c->auth->startup),
	                               .database = c->database,
	                               .user = c->user};
	bool found = hba_find(c->auth->rules->hba, &who, out);
	char host[ADDR_TEXT];
	struct err e;

	if (found && out->method != AUTH_TYPE_REJECT)
		return true;
	err_set(&e, ERR_CLIENT_USER, "%s host \"%s\", user \"%.63s\", database \"%.63s\", %s",
	        found ? "pg_hba.conf rejects connection for" : "no pg_hba.conf entry for",
	        who.local ? "[local]" : addr_host_text(who.peer, host), c->user, c->database,
	        who.tls ? "SSL encryption" : "no encryption");
	client_fail(c, &e);
	return false;
}

/* client_auth_refuse began it. */
static void on_penalty_over(void *arg)
{
	struct client *c = arg;
	const struct client_auth_method *m = c->auth->method;
	struct err e;

	err_set(&e, m->code, "%s authentication failed for user \"%.63s\"", m->failed, c->user);
	client_fail(c, &e);
}

void client_auth_begin(struct client *c, struct startup *s)
{
	const struct auth_opts *o = &c->env->opts->auth;
	struct client_auth *a = mem_zalloc(sizeof(*a));
	struct hba_answer how = {.method = o->type};
	const struct clock *clock = loop_clock(c->env->loop);
	struct log *log = loop_log(c->env->loop);

	a->startup = *s;
	*s = (struct startup){.kind = STARTUP_MESSAGE};
	timer_init(&a->penalty, c->env->loop, on_penalty_over, c);
	c->auth = a;
	client_set_state(c, CLIENT_AUTH);
	a->rules = auth_store_rules(o->store, clock, log);
	if (o->type == AUTH_TYPE_HBA && !ask_hba(c, &how))
		return;
	a->method = methods[how.method];
	a->map = how.map;
	if (a->method->secret)
		a->known = auth_store_secret(o->store, clock, log, o->key, c->user, &a->secret);
	a->method->begin(c);
	while (one_message(c)) /* it may not have waited for the question */
		;
}
