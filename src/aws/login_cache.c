#include "aws/login_cache.h"

#include <string.h>
#include "aws/env.h"
#include "base/digest.h"
#include "base/enc.h"
#include "base/mem.h"

/* Seconds of expiresIn: the service's say is 900 at most; a day is nonsense. */
#define LIFE_MAX 86400.0

static struct slice trimmed(const char *text)
{
	struct slice s = slice_str(text);

	while (s.n > 0 && memchr(" \t\r\n", s.p[0], 4))
		s = slice_of(s.p + 1, s.n - 1);
	while (s.n > 0 && memchr(" \t\r\n", s.p[s.n - 1], 4))
		s.n--;
	return s;
}

char *login_cache_path(const char *const *env, const char *login_session, struct err *e)
{
	const char *dir = env_get(env, "AWS_LOGIN_CACHE_DIRECTORY"), *home = env_get(env, "HOME");
	unsigned char sha[DIGEST_SHA256_BYTES];
	struct buf hex;
	char *path = NULL;

	buf_init(&hex, 2 * sizeof(sha) + 1);
	digest_sha256(trimmed(login_session), sha);
	enc_hex(&hex, slice_of(sha, sizeof(sha)));
	if (dir)
		path = mem_printf("%s/%s.json", dir, buf_cstr(&hex));
	else if (home)
		path = mem_printf("%s/.aws/login/cache/%s.json", home, buf_cstr(&hex));
	else
		err_set(e, ERR_CREDENTIALS, "HOME is not set, so there is no ~/.aws/login/cache");
	buf_free(&hex);
	return path;
}

static void take_slices(struct login_token *t)
{
	t->refresh = json_string(t->json, "refreshToken");
	t->client_id = json_string(t->json, "clientId");
	t->dpop_key = json_string(t->json, "dpopKey");
}

int login_cache_parse(struct slice text, struct login_token *t, struct err *e)
{
	memset(t, 0, sizeof(*t));
	t->json = json_parse(text);
	if (!t->json || json_time(t->json, "accessToken/expiresAt", JSON_SEC, &t->expires_wall_us) != 0)
		return err_set(e, ERR_CREDENTIALS, "the file of `aws login` has not the form it should have");
	take_slices(t);
	return 0;
}

void login_cache_free(struct login_token *t)
{
	json_free(t->json);
	memset(t, 0, sizeof(*t));
}

struct credentials *login_cache_credentials(const struct login_token *t, struct err *e)
{
	const struct credentials_parts parts = {
		.provider = "login",
		.access_key = json_string(t->json, "accessToken/accessKeyId"),
		.secret_key = json_string(t->json, "accessToken/secretAccessKey"),
		.session_token = json_string(t->json, "accessToken/sessionToken"),
		.account_id = json_string(t->json, "accessToken/accountId"),
		.expires_wall_us = t->expires_wall_us,
		.renewable = true,
	};

	return credentials_new(&parts, e);
}

bool login_cache_can_renew(const struct login_token *t)
{
	return t->refresh.n > 0 && t->client_id.n > 0 && t->dpop_key.n > 0;
}

int login_cache_renew(struct login_token *t, struct slice answer, int64_t now_wall_us)
{
	static const char *const names[] = {"accessToken/accessKeyId", "accessToken/secretAccessKey",
					    "accessToken/sessionToken", "refreshToken"};
	struct json *j = json_parse(answer);
	bool whole = true;

	for (size_t i = 0; j && i < sizeof(names) / sizeof(names[0]); i++)
		whole = whole && json_string(j, names[i]).n > 0;
	if (!j || !whole || !cache_file_life(j, LIFE_MAX, now_wall_us, &t->expires_wall_us)) {
		json_free(j);
		return -1;
	}
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		cache_file_set(t->json, names[i], json_string(j, names[i]));
	cache_file_set_date(t->json, "accessToken/expiresAt", t->expires_wall_us);
	take_slices(t);
	json_free(j);
	return 0;
}
