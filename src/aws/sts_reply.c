/* Both forms have the same nesting, so one path names a field in either; only where JSON gives a number for a
 * date does XML give text. */
#include "aws/sts_reply.h"

#include <stdio.h>
#include "aws/date.h"
#include "aws/json.h"
#include "aws/xml.h"
#include "base/mem.h"

#define FIELD_MAX 32768

static const char *const names[] = {
	[STS_ASSUME_ROLE] = "AssumeRole",
	[STS_WEB_IDENTITY] = "AssumeRoleWithWebIdentity",
	[STS_CALLER_IDENTITY] = "GetCallerIdentity",
};

struct answer {
	enum sts_action action;
	struct json *json; /* NULL: it is XML */
	struct slice body;
};

static void path_of(const struct answer *a, const char *field, char out[160])
{
	snprintf(out, 160, "%sResponse/%sResult/%s", names[a->action], names[a->action], field);
}

/* Adds the text there; nothing if there is none. */
static void text(const struct answer *a, const char *field, struct buf *out)
{
	char path[160];

	path_of(a, field, path);
	if (a->json)
		buf_add_slice(out, json_string(a->json, path));
	else if (xml_text(a->body, path, out) != 0)
		buf_clear(out);
}

static int expiration(const struct answer *a, int64_t *wall_us)
{
	char path[160];
	struct buf b;
	int rc;

	path_of(a, "Credentials/Expiration", path);
	if (a->json)
		return json_time(a->json, path, JSON_SEC, wall_us);
	buf_init(&b, 64);
	rc = xml_text(a->body, path, &b) == 0 ? date_parse_rfc3339(buf_slice(&b), wall_us) : -1;
	buf_free(&b);
	return rc;
}

struct credentials *sts_reply_credentials(enum sts_action action, struct slice body, const char *provider,
					  struct err *e)
{
	struct answer a = {action, json_parse(body), body};
	struct credentials_parts parts = {.provider = provider, .renewable = true};
	struct credentials *c = NULL;
	struct buf key, secret, token;

	buf_init_secret(&key, FIELD_MAX);
	buf_init_secret(&secret, FIELD_MAX);
	buf_init_secret(&token, FIELD_MAX);
	text(&a, "Credentials/AccessKeyId", &key);
	text(&a, "Credentials/SecretAccessKey", &secret);
	text(&a, "Credentials/SessionToken", &token);
	parts.access_key = buf_slice(&key);
	parts.secret_key = buf_slice(&secret);
	parts.session_token = buf_slice(&token);
	if (key.n == 0 && secret.n == 0)
		err_set(e, ERR_CREDENTIALS, "%s: what %s answered holds no credentials", provider,
			names[action]);
	else if (token.n == 0)
		err_set(e, ERR_CREDENTIALS, "%s: the answer's session token is missing", provider);
	else if (expiration(&a, &parts.expires_wall_us) != 0)
		err_set(e, ERR_CREDENTIALS, "%s: the answer's expiration is missing or no date", provider);
	else
		c = credentials_new(&parts, e);
	buf_free(&key);
	buf_free(&secret);
	buf_free(&token);
	json_free(a.json);
	return c;
}

static void keep(const struct answer *a, const char *field, const struct mask *m, char *out, size_t size)
{
	struct buf raw;

	buf_init_secret(&raw, FIELD_MAX);
	text(a, field, &raw);
	mask_printable(m, buf_slice(&raw), out, size);
	buf_free(&raw);
}

int sts_reply_identity(struct slice body, const struct mask *mask, struct sts_identity *out, struct err *e)
{
	struct answer a = {STS_CALLER_IDENTITY, json_parse(body), body};

	keep(&a, "Arn", mask, out->arn, sizeof(out->arn));
	keep(&a, "Account", mask, out->account, sizeof(out->account));
	json_free(a.json);
	if (!out->arn[0])
		return err_set(e, ERR_CREDENTIALS, "what GetCallerIdentity answered names nobody");
	return 0;
}
