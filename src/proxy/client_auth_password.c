/* A password sent in one message: as it is (plain), or as PostgreSQL's old md5 challenge has it. */
#include "base/mem.h"
#include "pg/parse.h"
#include "proxy/client_auth.h"

/* Digests are compared, not the texts: how long the right one is is nobody's business either. */
static bool same_text(struct slice a, struct slice b)
{
	unsigned char x[DIGEST_SHA256_BYTES], y[DIGEST_SHA256_BYTES];
	bool same;

	digest_sha256(a, x);
	digest_sha256(b, y);
	same = slice_eq_consttime(slice_of(x, sizeof(x)), slice_of(y, sizeof(y)));
	mem_wipe(x, sizeof(x));
	mem_wipe(y, sizeof(y));
	return same;
}

/* False with the client refused: it sent no password. */
static bool take_password(struct client *c, struct slice body, struct slice *password)
{
	struct err e;

	if (password_parse(body, password, &e) == 0)
		return true;
	client_fail(c, &e);
	return false;
}

/* ---- plain ---- */

static void on_hash(void *arg, const struct scram_keys *keys)
{
	struct client *c = arg;
	const struct scram_keys *right = &c->auth->secret.scram.keys;

	c->auth->hash = NULL;
	client_auth_verdict(c, slice_eq_consttime(slice_of(keys->server, sizeof(keys->server)),
	                                          slice_of(right->server, sizeof(right->server))));
}

static void plain_begin(struct client *c)
{
	client_auth_ask(c, AUTH_CLEARTEXT, slice_str(""));
}

static void plain_message(struct client *c, struct slice body)
{
	const struct auth_secret *s = &c->auth->secret;
	unsigned char md5[DIGEST_MD5_BYTES];
	struct slice password;

	if (!take_password(c, body, &password))
		return;
	switch (s->kind) {
	case AUTH_KIND_PLAIN: client_auth_verdict(c, same_text(password, secret_slice(&s->plain))); return;
	case AUTH_KIND_MD5:
		client_auth_verdict(c, password_md5(password, slice_str(c->user), md5) &&
		                               slice_eq_consttime(slice_of(md5, sizeof(md5)),
		                                                  slice_of(s->md5, sizeof(s->md5))));
		return;
	case AUTH_KIND_SCRAM: client_auth_hash(c, password, on_hash); return;
	}
}

const struct client_auth_method client_auth_plain = {
	.name = "plain",
	.expects = "password",
	.failed = "password",
	.code = ERR_AUTH_PASSWORD,
	.secret = true,
	.max_body = CLIENT_AUTH_PASSWORD_MAX,
	.begin = plain_begin,
	.message = plain_message,
};

/* ---- md5 ---- */

static void md5_begin(struct client *c)
{
	struct client_auth *a = c->auth;

	if (a->secret.kind == AUTH_KIND_SCRAM) { /* as PostgreSQL and PgBouncer do */
		a->method = &client_auth_scram;
		a->method->begin(c);
		return;
	}
	digest_random(a->salt, sizeof(a->salt));
	client_auth_ask(c, AUTH_MD5, slice_of(a->salt, sizeof(a->salt)));
}

static void md5_message(struct client *c, struct slice body)
{
	const struct client_auth *a = c->auth;
	unsigned char kept[DIGEST_MD5_BYTES];
	char right[PASSWORD_MD5_CHARS];
	struct slice answer;
	bool ok = true;

	if (!take_password(c, body, &answer))
		return;
	if (a->secret.kind == AUTH_KIND_PLAIN)
		ok = password_md5(secret_slice(&a->secret.plain), slice_str(c->user), kept);
	else
		memcpy(kept, a->secret.md5, sizeof(kept));
	ok = ok && password_md5_answer(kept, a->salt, right);
	client_auth_verdict(c, ok && same_text(answer, slice_of(right, sizeof(right))));
	mem_wipe(kept, sizeof(kept));
	mem_wipe(right, sizeof(right));
}

const struct client_auth_method client_auth_md5 = {
	.name = "md5",
	.expects = "password",
	.failed = "password",
	.code = ERR_AUTH_PASSWORD,
	.secret = true,
	.max_body = CLIENT_AUTH_PASSWORD_MAX,
	.begin = md5_begin,
	.message = md5_message,
};
