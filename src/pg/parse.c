/* Each parser reads like the message's description in the protocol's documentation and ends by asking whether
 * it came out even. */
#include "base/rd.h"
#include "pg/parse.h"
#include "pg/startup.h"
#include "pg/utf8.h"

/* What of a server's text may reach our own error, logs and clients. */
#define TEXT_MAX 1024

/* What is no five-character SQLSTATE is none. */
static struct slice checked_sqlstate(struct slice s)
{
	for (size_t i = 0; i < s.n; i++)
		if (!((s.p[i] >= '0' && s.p[i] <= '9') || (s.p[i] >= 'A' && s.p[i] <= 'Z')))
			return slice_str("");
	return s.n == 5 ? s : slice_str("");
}

static void take_field(struct parse_error *out, uint8_t field, struct slice text)
{
	switch (field) {
	case 'V': out->severity = text; break;
	case 'S':
		if (out->severity.n == 0)
			out->severity = text;
		break;
	case 'C': out->sqlstate = checked_sqlstate(text); break;
	case 'M': out->message = text; break;
	case 'D': out->detail = text; break;
	case 'H': out->hint = text; break;
	case 'F': out->file = text; break;
	case 'L': out->line = text; break;
	case 'R': out->routine = text; break;
	default: break; /* fields of later versions */
	}
}

/* Fields up to the zero byte, or to the first that is not whole. */
static void take_fields(struct rd *r, struct parse_error *out)
{
	const struct slice none = slice_str("");

	*out = (struct parse_error){none, none, none, none, none, none, none, none};
	for (;;) {
		uint8_t field = rd_u8(r);
		struct slice text;

		if (!rd_ok(r) || field == 0)
			return;
		text = rd_cstr(r);
		if (!rd_ok(r))
			return;
		take_field(out, field, text);
	}
}

int parse_error(struct slice body, struct parse_error *out)
{
	struct rd r = rd_init(body);

	take_fields(&r, out);
	return rd_end(&r) ? 0 : -1;
}

void parse_error_prefix(struct slice prefix, struct parse_error *out)
{
	struct rd r = rd_init(prefix);

	take_fields(&r, out);
}

bool parse_error_old(struct slice in, struct parse_error *out)
{
	struct rd r = rd_init(in);
	const unsigned char *end;

	take_fields(&(struct rd){NULL, 0, true}, out);
	if (rd_u8(&r) != 'E')
		return false;
	out->message = rd_rest(&r);
	end = out->message.n ? memchr(out->message.p, '\0', out->message.n) : NULL;
	if (end)
		out->message.n = (size_t)(end - out->message.p);
	while (out->message.n && out->message.p[out->message.n - 1] == '\n')
		out->message.n--;
	return true;
}

void parse_error_to_err(const struct parse_error *pe, enum err_code code, struct err *e)
{
	struct buf text;

	buf_init(&text, TEXT_MAX);
	utf8_clean(&text, pe->message);
	err_set(e, code, "%s", text.n ? buf_cstr(&text) : "the server sent an error without a message");
	buf_clear(&text);
	utf8_clean(&text, pe->detail);
	if (text.n)
		err_detail(e, "%s", buf_cstr(&text));
	buf_clear(&text);
	utf8_clean(&text, pe->hint);
	if (text.n)
		err_hint(e, "%s", buf_cstr(&text));
	buf_free(&text);
	if (pe->sqlstate.n == sizeof(e->sqlstate) - 1)
		memcpy(e->sqlstate, pe->sqlstate.p, pe->sqlstate.n);
	e->from_server = true;
}

int parse_parameter_status(struct slice body, struct slice *name, struct slice *value)
{
	struct rd r = rd_init(body);

	*name = rd_cstr(&r);
	*value = rd_cstr(&r);
	return rd_end(&r) && name->n > 0 ? 0 : -1;
}

int parse_backend_key(struct slice body, uint32_t *pid, struct slice *key)
{
	struct rd r = rd_init(body);

	*pid = rd_be32(&r);
	*key = rd_rest(&r);
	return rd_ok(&r) && key->n >= 4 && key->n <= STARTUP_CANCEL_KEY_MAX ? 0 : -1;
}

char parse_ready(struct slice body)
{
	char status = body.n == 1 ? (char)body.p[0] : 0;

	return status == 'I' || status == 'T' || status == 'E' ? status : 0;
}

static int bad_negotiate(struct err *e, const char *what)
{
	return err_set(e, ERR_SERVER_PROTOCOL, "the server's answer about the protocol version makes no sense: %s", what);
}

int parse_negotiate(struct slice body, uint32_t asked, uint32_t minimum, uint32_t *version, struct err *e)
{
	struct rd r = rd_init(body);
	uint32_t options;
	struct slice first;

	*version = rd_be32(&r);
	options = rd_be32(&r);
	if (!rd_ok(&r))
		return bad_negotiate(e, "it is too short");
	if (*version > asked)
		return bad_negotiate(e, "it names a newer version than was asked for");
	if (*version < STARTUP_3_0)
		return bad_negotiate(e, "it names a version older than 3.0");
	if (*version == STARTUP_VERSION(3, 1))
		return bad_negotiate(e, "it names version 3.1, which never existed");
	if (options > INT32_MAX)
		return bad_negotiate(e, "it names a negative number of options");
	if (*version == asked && options == 0)
		return bad_negotiate(e, "it asks for no change");
	if (*version < minimum) {
		err_set(e, ERR_SERVER_PROTOCOL, "the server speaks protocol %u.%u, and min_protocol_version is %u.%u",
			*version >> 16, *version & 0xffff, minimum >> 16, minimum & 0xffff);
		return -1;
	}
	first = options > 0 ? rd_cstr(&r) : slice_of(NULL, 0);
	if (options > 0 && rd_ok(&r) && slice_starts(first, "_pq_."))
		return bad_negotiate(e, "it refuses an option that was not asked for");
	if (options > 0)
		return bad_negotiate(e, "it names what is no option");
	return rd_end(&r) ? 0 : bad_negotiate(e, "it is too long");
}

/* How many bytes follow the code, where that is known; auth names for people. */
static const struct auth_info {
	uint32_t request;
	int data; /* -1: any */
	const char *name;
} auth_infos[] = {
	{AUTH_OK,            0,  "trust"      },
	{AUTH_KERBEROS_V5,   0,  "Kerberos V5"},
	{AUTH_CLEARTEXT,     0,  "password"   },
	{AUTH_MD5,           4,  "md5"        },
	{AUTH_GSS,           0,  "GSSAPI"     },
	{AUTH_GSS_CONTINUE,  -1, "GSSAPI"     },
	{AUTH_SSPI,          0,  "SSPI"       },
	{AUTH_SASL,          -1, "SASL"       },
	{AUTH_SASL_CONTINUE, -1, "SASL"       },
	{AUTH_SASL_FINAL,    -1, "SASL"       },
};

static const struct auth_info *find_auth(uint32_t request)
{
	for (size_t i = 0; i < sizeof(auth_infos) / sizeof(auth_infos[0]); i++)
		if (auth_infos[i].request == request)
			return &auth_infos[i];
	return NULL;
}

int parse_auth(struct slice body, uint32_t *request, struct slice *data)
{
	struct rd r = rd_init(body);
	const struct auth_info *info;

	*request = rd_be32(&r);
	*data = rd_rest(&r);
	if (!rd_ok(&r))
		return -1;
	info = find_auth(*request);
	return !info || info->data < 0 || data->n == (size_t)info->data ? 0 : -1;
}

const char *parse_auth_name(uint32_t request)
{
	const struct auth_info *info = find_auth(request);

	return info ? info->name : "unknown";
}

#define SASL_NAME_MAX 20

void parse_sasl_names(struct slice data, struct buf *out)
{
	struct rd r = rd_init(data);
	struct slice offer;

	for (bool first = true; (offer = rd_cstr(&r)).n > 0 && rd_ok(&r); first = false) {
		char name[SASL_NAME_MAX + 1] = "";

		for (size_t i = 0; i < offer.n && i < SASL_NAME_MAX; i++) {
			unsigned char c = offer.p[i];
			bool fits = (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_';

			name[i] = fits ? (char)c : '?';
		}
		if (buf_printf(out, "%s%s", first ? "" : ", ", name) != 0)
			return;
	}
}

int parse_sasl_offers(struct slice data, const char *mechanism)
{
	struct rd r = rd_init(data);
	int found = 0;

	for (;;) {
		struct slice offer = rd_cstr(&r);

		if (!rd_ok(&r))
			return -1;
		if (offer.n == 0)
			return rd_end(&r) ? found : -1;
		if (slice_eq_str(offer, mechanism))
			found = 1;
	}
}
