#include "aws/reply.h"

#include <stdio.h>
#include "aws/xml.h"
#include "base/enc.h"

struct credentials *reply_credentials(const struct json *j, const struct reply_fields *f,
				      const char *provider, struct err *e)
{
	struct credentials_parts parts = {.provider = provider, .renewable = true};
	int rc = json_time(j, f->expiration, f->unit, &parts.expires_wall_us);

	if (rc < 0 || (rc > 0 && f->must_expire)) {
		err_set(e, ERR_CREDENTIALS, "%s: the answer's expiration is %s", provider,
			rc > 0 ? "missing" : "no date");
		return NULL;
	}
	parts.access_key = json_string(j, f->access_key);
	parts.secret_key = json_string(j, f->secret_key);
	if (f->session_token)
		parts.session_token = json_string(j, f->session_token);
	if (f->account_id)
		parts.account_id = json_string(j, f->account_id);
	return credentials_new(&parts, e);
}

/* "com.amazonaws.sts#AccessDenied:http://..." is AccessDenied. */
static struct slice bare_code(struct slice s)
{
	const unsigned char *hash = s.n ? memchr(s.p, '#', s.n) : NULL, *colon;

	if (hash)
		s = slice_of(hash + 1, s.n - (size_t)(hash + 1 - s.p));
	colon = s.n ? memchr(s.p, ':', s.n) : NULL;
	return colon ? slice_of(s.p, (size_t)(colon - s.p)) : s;
}

static void keep(char *out, size_t size, struct slice s)
{
	struct buf b;

	buf_init(&b, size);
	enc_printable(&b, s, size - 1);
	snprintf(out, size, "%s", buf_cstr(&b));
	buf_free(&b);
}

static void from_json(const struct json *j, struct reply_error *out)
{
	static const char *const codes[] = {"__type", "Error/Code", "code", "Code", "error"};
	static const char *const messages[] = {"message", "Message", "Error/Message", "error_description"};

	for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]) && !out->code[0]; i++)
		keep(out->code, sizeof(out->code), bare_code(json_string(j, codes[i])));
	for (size_t i = 0; i < sizeof(messages) / sizeof(messages[0]) && !out->message[0]; i++)
		keep(out->message, sizeof(out->message), json_string(j, messages[i]));
}

static void from_xml(struct slice body, struct reply_error *out)
{
	static const char *const paths[][2] = {
		{"ErrorResponse/Error/Code",   "ErrorResponse/Error/Message"  },
		{"Response/Errors/Error/Code", "Response/Errors/Error/Message"},
		{"Error/Code",                 "Error/Message"                },
	};
	struct buf text;

	buf_init(&text, 4096);
	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]) && !out->code[0]; i++) {
		buf_clear(&text);
		if (xml_text(body, paths[i][0], &text) == 0)
			keep(out->code, sizeof(out->code), buf_slice(&text));
		buf_clear(&text);
		if (xml_text(body, paths[i][1], &text) == 0)
			keep(out->message, sizeof(out->message), buf_slice(&text));
	}
	buf_free(&text);
}

void reply_error_read(struct slice body, struct slice error_type, struct reply_error *out)
{
	struct json *j = json_parse(body);

	out->code[0] = out->message[0] = '\0';
	if (error_type.n > 0)
		keep(out->code, sizeof(out->code), bare_code(error_type));
	if (j)
		from_json(j, out);
	else
		from_xml(body, out);
	json_free(j);
}
