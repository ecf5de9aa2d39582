/* `aws login`: credentials that somebody got in a browser, with a life of 15 minutes, in a file that the AWS
 * CLI renews whenever it is used. They are used while they live; renewing them takes a proof of possession
 * (DPoP) whose state belongs to that CLI. Source: botocore's credentials.py, LoginProvider. */
#include <stdlib.h>
#include "aws/date.h"
#include "aws/env.h"
#include "aws/file.h"
#include "aws/json.h"
#include "aws/provider_profile.h"
#include "aws/skew.h"
#include "base/digest.h"
#include "base/enc.h"
#include "base/mem.h"
#include "io/loop.h"

#define NAME     "login"
#define FILE_MAX 65536

struct provider_login {
	struct provider base;
	struct provider_deps deps;
	const char *session; /* borrowed */
};

struct provider_login_op {
	struct provider_op base;
	struct defer defer;
	provider_cb cb;
	void *arg;
};

static struct slice trimmed(const char *text)
{
	struct slice s = slice_str(text);

	while (s.n > 0 && memchr(" \t\r\n", s.p[0], 4))
		s = slice_of(s.p + 1, s.n - 1);
	while (s.n > 0 && memchr(" \t\r\n", s.p[s.n - 1], 4))
		s.n--;
	return s;
}

/* Owned; NULL: there is no home. */
static char *path_of(const char *const *env, const char *session)
{
	const char *dir = env_get(env, "AWS_LOGIN_CACHE_DIRECTORY"), *home = env_get(env, "HOME");
	unsigned char sha[DIGEST_SHA256_BYTES];
	struct buf hex;
	char *path = NULL;

	buf_init(&hex, 2 * sizeof(sha) + 1);
	digest_sha256(trimmed(session), sha);
	enc_hex(&hex, slice_of(sha, sizeof(sha)));
	if (dir)
		path = mem_printf("%s/%s.json", dir, buf_cstr(&hex));
	else if (home)
		path = mem_printf("%s/.aws/login/cache/%s.json", home, buf_cstr(&hex));
	buf_free(&hex);
	return path;
}

static struct credentials *read_text(struct slice text, struct err *e)
{
	struct json *j = json_parse(text);
	struct credentials_parts parts = {.provider = NAME, .renewable = true};
	struct credentials *c = NULL;

	if (!j || json_time(j, "accessToken/expiresAt", JSON_SEC, &parts.expires_wall_us) != 0) {
		err_set(e, ERR_CREDENTIALS, NAME ": the file of `aws login` has not the form it should have");
	} else {
		parts.access_key = json_string(j, "accessToken/accessKeyId");
		parts.secret_key = json_string(j, "accessToken/secretAccessKey");
		parts.session_token = json_string(j, "accessToken/sessionToken");
		parts.account_id = json_string(j, "accessToken/accountId");
		c = credentials_new(&parts, e);
	}
	json_free(j);
	return c;
}

static struct credentials *read_login(const struct provider_login *p, struct err *e)
{
	char *path = path_of(p->deps.env, p->session);
	struct credentials *c = NULL;
	struct buf text;

	buf_init_secret(&text, FILE_MAX);
	if (!path)
		err_set(e, ERR_CREDENTIALS, NAME ": HOME is not set, so there is no ~/.aws/login/cache");
	else if (file_read(path, NAME, &text, e) == 0)
		c = read_text(buf_slice(&text), e);
	buf_free(&text);
	free(path);
	if (c && !credentials_valid_at(c, skew_wall_us(p->deps.skew, loop_clock(p->deps.loop)))) {
		credentials_unref(c);
		c = NULL;
		err_set(e, ERR_CREDENTIALS, NAME ": the credentials of `aws login` have expired");
	}
	if (!c)
		err_hint(e, "Run `aws login`, or any command of the AWS CLI, which renews them for up to 12 "
			    "hours.");
	return c;
}

static void answer(void *arg)
{
	struct provider_login_op *op = arg;
	struct err e;
	struct provider_answer a = {.result = PROVIDER_FAILED, .e = &e};

	a.creds = read_login((struct provider_login *)op->base.provider, &e);
	if (a.creds) {
		a.result = PROVIDER_CREDENTIALS;
		a.e = NULL;
	}
	op->cb(op->arg, &a);
	credentials_unref(a.creds);
	free(op);
}

static struct provider_op *start(struct provider *base, provider_cb cb, void *arg)
{
	struct provider_login_op *op = mem_zalloc(sizeof(*op));

	op->base.provider = base;
	op->cb = cb;
	op->arg = arg;
	defer_init(&op->defer, ((struct provider_login *)base)->deps.loop, answer, op);
	defer_set(&op->defer);
	return &op->base;
}

static void cancel(struct provider_op *base)
{
	struct provider_login_op *op = (struct provider_login_op *)base;

	defer_clear(&op->defer);
	free(op);
}

static void free_login(struct provider *p)
{
	free(p);
}

static const struct provider_ops ops = {.name = NAME, .start = start, .cancel = cancel, .free = free_login};

struct provider *provider_login_new(const struct provider_deps *d, const char *login_session)
{
	struct provider_login *p = mem_zalloc(sizeof(*p));

	p->base.ops = &ops;
	p->deps = *d;
	p->session = login_session;
	return &p->base;
}
