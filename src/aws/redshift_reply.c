#include "aws/redshift_reply.h"

#include <stdio.h>
#include "aws/date.h"
#include "aws/json.h"
#include "aws/xml.h"

#define FIELD_MAX 4096
#define PATH_SIZE 128

struct answer {
	struct buf user, password;
	int64_t expires_wall_us;
};

static int xml_field(const char *call, const char *name, struct slice body, struct buf *out)
{
	char path[PATH_SIZE];

	snprintf(path, sizeof(path), "%sResponse/%sResult/%s", call, call, name);
	return xml_text(body, path, out);
}

static int from_xml(const char *call, struct slice body, struct answer *a)
{
	struct buf date;
	int rc;

	buf_init(&date, 64);
	rc = xml_field(call, "DbUser", body, &a->user) == 0 && xml_field(call, "DbPassword", body, &a->password) == 0 &&
			     xml_field(call, "Expiration", body, &date) == 0
		     ? date_parse_rfc3339(buf_slice(&date), &a->expires_wall_us)
		     : -1;
	buf_free(&date);
	return rc;
}

static int from_json(const char *call, struct slice body, struct answer *a)
{
	struct json *j = json_parse(body);
	int rc = json_time(j, "expiration", JSON_SEC, &a->expires_wall_us);

	(void)call;
	buf_add_slice(&a->user, json_string(j, "dbUser"));
	buf_add_slice(&a->password, json_string(j, "dbPassword"));
	json_free(j);
	return rc == 0 && !a->user.full && !a->password.full ? 0 : -1;
}

static struct secret_value *parse(int (*from)(const char *call, struct slice body, struct answer *a), const char *call,
				  struct slice body, const struct mask *mask, struct err *e)
{
	struct secret_value *v = NULL;
	struct answer a = {.expires_wall_us = 0};
	int rc;

	buf_init_secret(&a.user, FIELD_MAX);
	buf_init_secret(&a.password, FIELD_MAX);
	rc = from(call, body, &a);
	if (rc != 0 || a.user.n == 0 || a.expires_wall_us <= 0)
		err_set(e, ERR_CREDENTIALS, "the answer is not one of %s", call);
	else
		v = secret_value_new(
			&(struct secret_value_parts){
				.how = call,
				.user = buf_slice(&a.user),
				.password = buf_slice(&a.password),
				.expires_wall_us = a.expires_wall_us,
				.mask = mask,
			},
			e);
	buf_free(&a.user);
	buf_free(&a.password);
	return v;
}

struct secret_value *redshift_reply_xml(const char *call, struct slice body, const struct mask *mask, struct err *e)
{
	return parse(from_xml, call, body, mask, e);
}

struct secret_value *redshift_reply_json(const char *call, struct slice body, const struct mask *mask, struct err *e)
{
	return parse(from_json, call, body, mask, e);
}
