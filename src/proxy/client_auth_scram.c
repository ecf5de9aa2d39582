/* SCRAM-SHA-256, and -PLUS inside TLS. A SCRAM secret costs a few HMACs; for a password kept in clear the keys are
 * hashed first, on a helper thread, once the client's last message is there. */
#include "base/mem.h"
#include "pg/message.h"
#include "pg/parse.h"
#include "pg/scram_server.h"
#include "proxy/client_auth.h"

enum scram_step { STEP_MECHANISM, STEP_FIRST, STEP_FINAL };

struct client_scram {
	enum scram_step step;
	struct scram_server *server; /* NULL until the mechanism is known */
	unsigned char binding[64];
	size_t binding_bytes; /* 0: -PLUS is not offered */
};

static void end(struct client_auth *a)
{
	struct client_scram *s = a->scram;

	if (!s)
		return;
	scram_server_free(s->server);
	mem_free_wipe(s, sizeof(*s));
	a->scram = NULL;
}

static void begin(struct client *c)
{
	struct client_auth *a = c->auth;
	struct client_scram *s = a->scram = mem_zalloc(sizeof(*s));
	struct buf list;

	if (a->secret.kind == AUTH_KIND_MD5) { /* nothing can be proven with it */
		auth_secret_clear(&a->secret);
		auth_users_mock_scram(c->env->opts->auth.key, c->user, &a->secret);
		a->known = false;
	}
	if (stream_is_tls(c->stream))
		s->binding_bytes = stream_tls_server_end_point(c->stream, s->binding);
	buf_init(&list, 128);
	if (s->binding_bytes > 0)
		buf_add(&list, SCRAM_SHA_256_PLUS, sizeof(SCRAM_SHA_256_PLUS));
	buf_add(&list, SCRAM_SHA_256 "\0", sizeof(SCRAM_SHA_256) + 1);
	client_auth_ask(c, AUTH_SASL, buf_slice(&list));
	buf_free(&list);
}

static void on_first(struct client *c, struct slice data)
{
	struct client_scram *s = c->auth->scram;
	const struct scram_secret *secret = &c->auth->secret.scram;
	struct buf answer;
	struct err e;

	buf_init(&answer, 4 * SCRAM_MAX_CLIENT_MESSAGE);
	if (scram_server_first(s->server, data, slice_of(secret->salt, secret->salt_bytes), secret->iterations, &answer,
	                       &e) == 0) {
		s->step = STEP_FINAL;
		client_auth_ask(c, AUTH_SASL_CONTINUE, buf_slice(&answer));
	} else {
		client_fail(c, &e);
	}
	buf_free(&answer);
}

/* Which one the client chose, and what it says with it. */
static int read_choice(const struct client_scram *s, struct slice body, bool *plus, struct password_sasl *m, struct err *e)
{
	struct slice mechanism;

	if (password_take_mechanism(&body, &mechanism, e) != 0)
		return -1;
	*plus = slice_eq_str(mechanism, SCRAM_SHA_256_PLUS) && s->binding_bytes > 0;
	if (!*plus && !slice_eq_str(mechanism, SCRAM_SHA_256))
		return err_set(e, ERR_CLIENT_PROTOCOL, "client selected an invalid SASL authentication mechanism");
	return password_parse_sasl(body, m, e);
}

static void on_mechanism(struct client *c, struct slice body)
{
	struct client_scram *s = c->auth->scram;
	unsigned char nonce[SCRAM_NONCE_BYTES];
	struct password_sasl m;
	struct err e;
	bool plus;

	if (read_choice(s, body, &plus, &m, &e) != 0) {
		client_fail(c, &e);
		return;
	}
	digest_random(nonce, sizeof(nonce));
	s->server = scram_server_new(&(struct scram_server_opts){.nonce = nonce,
	                                                         .plus = plus,
	                                                         .plus_offered = s->binding_bytes > 0,
	                                                         .binding_data = slice_of(s->binding, s->binding_bytes)});
	s->step = STEP_FIRST;
	if (m.has_data)
		on_first(c, m.data);
	else
		client_auth_ask(c, AUTH_SASL_CONTINUE, slice_str(""));
}

static void verify(struct client *c, const struct scram_keys *keys)
{
	struct buf answer;
	bool right;

	buf_init(&answer, SCRAM_MAX_CLIENT_MESSAGE);
	right = scram_server_verify(c->auth->scram->server, keys, &answer);
	if (right && c->auth->known)
		message_auth(&c->out, AUTH_SASL_FINAL, buf_slice(&answer));
	buf_free(&answer);
	client_auth_verdict(c, right);
}

static void on_hash(void *arg, const struct scram_keys *keys)
{
	struct client *c = arg;

	c->auth->hash = NULL;
	verify(c, keys);
}

static void on_final(struct client *c, struct slice data)
{
	struct client_auth *a = c->auth;
	struct err e;

	if (scram_server_final(a->scram->server, data, &e) != 0) {
		client_fail(c, &e);
		return;
	}
	if (a->secret.kind == AUTH_KIND_PLAIN)
		client_auth_hash(c, secret_slice(&a->secret.plain), on_hash);
	else
		verify(c, &a->secret.scram.keys);
}

static void message(struct client *c, struct slice body)
{
	switch (c->auth->scram->step) {
	case STEP_MECHANISM: on_mechanism(c, body); return;
	case STEP_FIRST: on_first(c, body); return;
	case STEP_FINAL: on_final(c, body); return;
	}
}

const struct client_auth_method client_auth_scram = {
	.name = "scram-sha-256",
	.expects = "SASL",
	.failed = "password",
	.code = ERR_AUTH_PASSWORD,
	.secret = true,
	.max_body = SCRAM_MAX_CLIENT_MESSAGE - 4, /* PostgreSQL counts the length's own bytes */
	.begin = begin,
	.message = message,
	.end = end,
};
