#include "aws/secret_value.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include "aws/json.h"
#include "base/enc.h"
#include "base/mem.h"

static void set(struct err *e, const char *what)
{
	err_set(e, ERR_CREDENTIALS, "secretsmanager: %s", what);
	err_hint(e, "The secret has to hold JSON as RDS's own do: {\"username\": ..., \"password\": ...}.");
}

static bool is_version(struct slice s)
{
	if (s.n == 0 || s.n > SECRET_VALUE_VERSION_MAX)
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

static char *name_of(const struct json *j, const char *key)
{
	struct slice s = json_string(j, key);

	return s.n > 0 && is_name(s) ? slice_dup(s) : NULL;
}

/* What the secret itself says, into v. */
static int parse_secret(struct secret_value *v, struct slice text, struct err *e)
{
	struct json *j = json_parse(text);
	int rc = -1;

	if (!j)
		set(e, "the secret is not a JSON object");
	else if (json_string(j, "password").n == 0)
		set(e, "the secret has no password");
	else if (!enc_is_utf8(json_string(j, "password")))
		set(e, "the secret's password is not UTF-8");
	else if (!is_name(json_string(j, "username")))
		set(e, "the secret's username is too long, or no name");
	else
		rc = 0;
	if (rc == 0) {
		secret_set(&v->password, json_string(j, "password"));
		v->user = name_of(j, "username");
		v->host = name_of(j, "host");
		v->dbname = name_of(j, "dbname");
		v->port = port_of(j);
	}
	json_free(j);
	return rc;
}

struct secret_value *secret_value_parse(struct slice reply, const char *stage, struct err *e)
{
	struct secret_value *v = mem_zalloc(sizeof(*v));
	struct json *j = json_parse(reply);
	struct slice version = json_string(j, "VersionId"), text = json_string(j, "SecretString"),
		     binary = json_string(j, "SecretBinary");
	struct buf decoded;
	int rc = -1;

	atomic_init(&v->refs, 1);
	v->stage = stage;
	buf_init_secret(&decoded, SECRET_VALUE_MAX);
	if (!is_version(version)) {
		set(e, "the answer is not one of GetSecretValue");
	} else if (text.n == 0 && (binary.n == 0 || enc_base64_decode(&decoded, binary) != 0)) {
		set(e, "the answer holds no secret that can be read");
	} else {
		memcpy(v->version, version.p, version.n);
		rc = parse_secret(v, text.n > 0 ? text : buf_slice(&decoded), e);
	}
	buf_free(&decoded);
	json_free(j);
	if (rc == 0)
		return v;
	secret_value_unref(v);
	return NULL;
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
