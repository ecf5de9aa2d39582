#include "aws/secret_value.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include "aws/json.h"
#include "base/enc.h"
#include "base/mem.h"

static bool is_version(struct slice s)
{
	if (s.n > SECRET_VALUE_VERSION_MAX)
		return false;
	for (size_t i = 0; i < s.n; i++)
		if (!isalnum(s.p[i]) && s.p[i] != '-')
			return false;
	return true;
}

/* Nothing that would not survive a startup packet or a log line. */
static bool is_name(struct slice s)
{
	if (s.n > SECRET_VALUE_NAME_MAX || !enc_is_utf8(s))
		return false;
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] < 0x20 || s.p[i] == 0x7f)
			return false;
	return true;
}

static char *name_of(struct slice s)
{
	return s.n > 0 && is_name(s) ? slice_dup(s) : NULL;
}

/* These are for logs, pages and the database, where the credentials that were asked with do not belong. */
static bool repeats_request(const struct secret_value_parts *parts)
{
	return mask_finds(parts->mask, parts->user) || mask_finds(parts->mask, parts->version) ||
	       mask_finds(parts->mask, parts->host) || mask_finds(parts->mask, parts->dbname);
}

struct secret_value *secret_value_new(const struct secret_value_parts *parts, struct err *e)
{
	struct secret_value *v;
	const char *wrong = NULL;

	if (parts->password.n == 0)
		wrong = "there is no password in it";
	else if (!enc_is_utf8(parts->password) || memchr(parts->password.p, 0, parts->password.n))
		wrong = "its password is not UTF-8";
	else if (!is_name(parts->user))
		wrong = "its user is too long, or no name";
	else if (!is_version(parts->version))
		wrong = "its version is none";
	else if (repeats_request(parts))
		wrong = "a name in it is what was sent to ask for it";
	if (wrong) {
		err_set(e, ERR_CREDENTIALS, "%s", wrong);
		return NULL;
	}
	v = mem_zalloc(sizeof(*v));
	atomic_init(&v->refs, 1);
	v->how = parts->how;
	if (parts->version.n > 0)
		memcpy(v->version, parts->version.p, parts->version.n);
	secret_set(&v->password, parts->password);
	v->user = name_of(parts->user);
	v->host = name_of(parts->host);
	v->dbname = name_of(parts->dbname);
	v->port = parts->port;
	v->expires_wall_us = parts->expires_wall_us;
	return v;
}

struct secret_value *secret_value_ref(struct secret_value *v)
{
	if (v)
		atomic_fetch_add_explicit(&v->refs, 1, memory_order_relaxed);
	return v;
}

void secret_value_unref(struct secret_value *v)
{
	if (!v || atomic_fetch_sub_explicit(&v->refs, 1, memory_order_acq_rel) != 1)
		return;
	secret_clear(&v->password);
	free(v->user);
	free(v->host);
	free(v->dbname);
	free(v);
}

struct slice secret_value_password(const struct secret_value *v)
{
	return v ? secret_slice(&v->password) : slice_of(NULL, 0);
}

bool secret_value_valid_at(const struct secret_value *v, int64_t wall_us)
{
	return v->expires_wall_us == 0 || wall_us < v->expires_wall_us;
}

bool secret_value_same(const struct secret_value *a, const struct secret_value *b)
{
	return a == b || (a->version[0] && strcmp(a->version, b->version) == 0);
}

/* ---- of Secrets Manager ---- */

/* A number, or digits in a string, as older secrets have it; 0 if it is neither. */
static uint16_t port_of(const struct json *j)
{
	struct slice text = json_string(j, "port");
	double number;
	unsigned port = 0;

	if (json_number(j, "port", &number))
		return number >= 1 && number <= UINT16_MAX ? (uint16_t)number : 0;
	for (size_t i = 0; i < text.n; i++) {
		if (!isdigit(text.p[i]) || port > UINT16_MAX)
			return 0;
		port = port * 10 + (unsigned)(text.p[i] - '0');
	}
	return port <= UINT16_MAX ? (uint16_t)port : 0;
}

/* What the secret itself says. */
static struct secret_value *parse_secret(struct slice version, const char *stage, struct slice text,
					 const struct mask *mask, struct err *e)
{
	struct json *j = json_parse(text);
	struct secret_value *v = NULL;

	if (!j)
		err_set(e, ERR_CREDENTIALS, "it is not a JSON object");
	else
		v = secret_value_new(
			&(struct secret_value_parts){
				.how = stage,
				.version = version,
				.password = json_string(j, "password"),
				.user = json_string(j, "username"),
				.host = json_string(j, "host"),
				.dbname = json_string(j, "dbname"),
				.port = port_of(j),
				.mask = mask,
			},
			e);
	json_free(j);
	return v;
}

struct secret_value *secret_value_parse(struct slice reply, const char *stage, const struct mask *mask, struct err *e)
{
	struct json *j = json_parse(reply);
	struct slice version = json_string(j, "VersionId"), text = json_string(j, "SecretString"),
		     binary = json_string(j, "SecretBinary");
	struct secret_value *v = NULL;
	struct buf decoded;

	buf_init_secret(&decoded, SECRET_VALUE_MAX);
	if (version.n == 0)
		err_set(e, ERR_CREDENTIALS, "the answer is not one of GetSecretValue");
	else if (text.n == 0 && (binary.n == 0 || enc_base64_decode(&decoded, binary) != 0))
		err_set(e, ERR_CREDENTIALS, "the answer holds no secret that can be read");
	else
		v = parse_secret(version, stage, text.n > 0 ? text : buf_slice(&decoded), mask, e);
	buf_free(&decoded);
	json_free(j);
	if (v)
		return v;
	err_prefix(e, "secretsmanager");
	err_hint(e, "The secret has to hold JSON as RDS's own do: {\"username\": ..., \"password\": ...}.");
	return NULL;
}
