#include "aws/reply.h"

#include <stdio.h>
#include "aws/xml.h"

/* Paths (aws/json.h). */
struct fields {
	const char *access_key, *secret_key, *session_token, *expiration, *account_id; /* account_id: NULL: not told */
	enum json_unit unit;                                                           /* of expiration as a number */
};

static const struct fields forms[REPLY_FORM_COUNT] = {
	[REPLY_INSTANCE] = {.access_key = "AccessKeyId",
			    .secret_key = "SecretAccessKey",
			    .session_token = "Token",
			    .expiration = "Expiration",
			    .account_id = "AccountId"},
	[REPLY_PORTAL] = {.access_key = "roleCredentials/accessKeyId",
			  .secret_key = "roleCredentials/secretAccessKey",
			  .session_token = "roleCredentials/sessionToken",
			  .expiration = "roleCredentials/expiration",
			  .unit = JSON_MS},
};

struct credentials *reply_credentials(const struct json *j, enum reply_form form, const char *provider, struct err *e)
{
	const struct fields *f = &forms[form];
	struct credentials_parts parts = {.provider = provider, .renewable = true};
	int rc;

	if (!j) {
		err_set(e, ERR_CREDENTIALS, "%s: the answer is no JSON", provider);
		return NULL;
	}
	rc = json_time(j, f->expiration, f->unit, &parts.expires_wall_us);
	if (rc != 0) {
		err_set(e, ERR_CREDENTIALS, "%s: the answer's expiration is %s", provider,
			rc > 0 ? "missing" : "no date");
		return NULL;
	}
	parts.access_key = json_string(j, f->access_key);
	parts.secret_key = json_string(j, f->secret_key);
	parts.session_token = json_string(j, f->session_token);
	if (parts.session_token.n == 0) {
		err_set(e, ERR_CREDENTIALS, "%s: the answer's session token is missing", provider);
		return NULL;
	}
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

/* Masked first: what is cut at a '#' or ':' might not be known again. */
static void keep_code(const struct mask *m, struct slice s, char out[REPLY_CODE_SIZE])
{
	char masked[256];

	mask_printable(m, s, masked, sizeof(masked));
	s = bare_code(slice_str(masked));
	snprintf(out, REPLY_CODE_SIZE, "%.*s", SLICE_FMT(s));
}

static void from_json(const struct json *j, const struct mask *m, struct reply_error *out)
{
	static const char *const codes[] = {"__type", "Error/Code", "code", "Code", "error"};
	static const char *const messages[] = {"message", "Message", "Error/Message", "error_description"};

	for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]) && !out->code[0]; i++)
		keep_code(m, json_string(j, codes[i]), out->code);
	for (size_t i = 0; i < sizeof(messages) / sizeof(messages[0]) && !out->message[0]; i++)
		mask_printable(m, json_string(j, messages[i]), out->message, sizeof(out->message));
}

static void from_xml(struct slice body, const struct mask *m, struct reply_error *out)
{
	static const char *const paths[][2] = {
		{"ErrorResponse/Error/Code",   "ErrorResponse/Error/Message"  },
		{"Response/Errors/Error/Code", "Response/Errors/Error/Message"},
		{"Error/Code",                 "Error/Message"                },
	};
	struct buf text;

	buf_init_secret(&text, 4096);
	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]) && !out->code[0]; i++) {
		buf_clear(&text);
		if (xml_text(body, paths[i][0], &text) == 0)
			keep_code(m, buf_slice(&text), out->code);
		buf_clear(&text);
		if (xml_text(body, paths[i][1], &text) == 0)
			mask_printable(m, buf_slice(&text), out->message, sizeof(out->message));
	}
	buf_free(&text);
}

void reply_error_read(struct slice body, struct slice error_type, const struct mask *mask, struct reply_error *out)
{
	struct json *j = json_parse(body);

	out->code[0] = out->message[0] = '\0';
	if (error_type.n > 0)
		keep_code(mask, error_type, out->code);
	if (j)
		from_json(j, mask, out);
	else
		from_xml(body, mask, out);
	json_free(j);
}
