#include "aws/sso_cache.h"

#include <stdlib.h>
#include <sys/stat.h>
#include "aws/date.h"
#include "aws/env.h"
#include "base/digest.h"
#include "base/enc.h"
#include "base/mem.h"

#define LIFE_MAX 315360000.0 /* seconds of expiresIn: ten years */

char *sso_cache_path(const char *const *env, const char *key, struct err *e)
{
	const char *home = env_get(env, "HOME");
	unsigned char sha[DIGEST_SHA1_BYTES];
	struct buf hex;
	char *path;

	if (!home) {
		err_set(e, ERR_CREDENTIALS, "HOME is not set, so there is no ~/.aws/sso/cache");
		return NULL;
	}
	if (!digest_sha1(slice_str(key), sha)) {
		err_set(e, ERR_CREDENTIALS,
			"this OpenSSL has no SHA-1, which names the files in ~/.aws/sso/cache");
		return NULL;
	}
	buf_init(&hex, 2 * sizeof(sha) + 1);
	enc_hex(&hex, slice_of(sha, sizeof(sha)));
	path = mem_printf("%s/.aws/sso/cache/%s.json", home, buf_cstr(&hex));
	buf_free(&hex);
	return path;
}

/* "2026-01-15T12:34:56Z", and as old versions of the AWS CLI wrote it: "...UTC". */
static int parse_date(struct slice text, int64_t *wall_us)
{
	char z[DATE_RFC3339_SIZE];

	if (text.n != 22 || memcmp(text.p + 19, "UTC", 3) != 0)
		return date_parse_rfc3339(text, wall_us);
	memcpy(z, text.p, 19);
	z[19] = 'Z';
	return date_parse_rfc3339(slice_of(z, 20), wall_us);
}

static void take_slices(struct sso_token *t)
{
	t->access = json_string(t->json, "accessToken");
	t->refresh = json_string(t->json, "refreshToken");
	t->client_id = json_string(t->json, "clientId");
	t->client_secret = json_string(t->json, "clientSecret");
}

int sso_cache_parse(struct slice text, struct sso_token *t, struct err *e)
{
	struct slice registration;

	memset(t, 0, sizeof(*t));
	t->json = json_parse(text);
	if (!t->json)
		return err_set(e, ERR_CREDENTIALS, "the cached token's file is no JSON object");
	take_slices(t);
	registration = json_string(t->json, "registrationExpiresAt");
	if (t->access.n == 0)
		return err_set(e, ERR_CREDENTIALS, "there is no accessToken in the cached token's file");
	if (parse_date(json_string(t->json, "expiresAt"), &t->expires_wall_us) != 0)
		return err_set(e, ERR_CREDENTIALS, "expiresAt in the cached token's file is no date");
	if (registration.n > 0 && parse_date(registration, &t->registration_wall_us) != 0)
		return err_set(e, ERR_CREDENTIALS,
			       "registrationExpiresAt in the cached token's file is no date");
	return 0;
}

void sso_cache_free(struct sso_token *t)
{
	json_free(t->json);
	memset(t, 0, sizeof(*t));
}

int sso_cache_renew(struct sso_token *t, struct slice answer, int64_t now_wall_us)
{
	struct json *j = json_parse(answer);
	struct slice access = json_string(j, "accessToken"), refresh = json_string(j, "refreshToken");

	if (access.n == 0 || !cache_file_life(j, LIFE_MAX, now_wall_us, &t->expires_wall_us)) {
		json_free(j);
		return -1;
	}
	cache_file_set(t->json, "accessToken", access);
	if (refresh.n > 0)
		cache_file_set(t->json, "refreshToken", refresh);
	cache_file_set_date(t->json, "expiresAt", t->expires_wall_us);
	take_slices(t);
	json_free(j);
	return 0;
}
