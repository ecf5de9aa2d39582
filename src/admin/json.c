#include "admin/json.h"

#include <inttypes.h>
#include "admin/text.h"

void json_init(struct json *j, struct buf *out)
{
	*j = (struct json){.out = out};
}

static void value_begins(struct json *j)
{
	if (j->comma)
		buf_add_char(j->out, ',');
	j->comma = true;
}

void json_open(struct json *j, char bracket)
{
	value_begins(j);
	buf_add_char(j->out, bracket);
	j->comma = false;
}

void json_close(struct json *j, char bracket)
{
	buf_add_char(j->out, bracket);
	j->comma = true;
}

void json_key(struct json *j, const char *key)
{
	value_begins(j);
	text_json(j->out, slice_str(key));
	buf_add_char(j->out, ':');
	j->comma = false;
}

void json_str(struct json *j, const char *s)
{
	value_begins(j);
	if (s)
		text_json(j->out, slice_str(s));
	else
		buf_add_str(j->out, "null");
}

void json_uint(struct json *j, uint64_t n)
{
	value_begins(j);
	buf_printf(j->out, "%" PRIu64, n);
}

void json_bool(struct json *j, bool b)
{
	value_begins(j);
	buf_add_str(j->out, b ? "true" : "false");
}
