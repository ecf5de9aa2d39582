/* Each builder writes type, length and body in one go; a buffer that fills up says so once, at the end. */
#include "base/enc.h"
#include "base/wr.h"
#include "pg/message.h"
#include "pg/utf8.h"

/* An error's text, cleaned, is bounded by its source; this bounds it whatever that was. */
#define TEXT_MAX 4096

static size_t begin(struct buf *out, char type)
{
	wr_u8(out, (uint8_t)type);
	return wr_len_begin(out);
}

void message_auth(struct buf *out, uint32_t request, struct slice data)
{
	size_t mark = begin(out, 'R');

	wr_be32(out, request);
	buf_add_slice(out, data);
	wr_len_end(out, mark);
}

void message_auth_ok(struct buf *out)
{
	message_auth(out, 0, slice_str(""));
}

void message_parameter_status(struct buf *out, const char *name, const char *value)
{
	size_t mark = begin(out, 'S');

	wr_cstr(out, name);
	wr_cstr(out, value);
	wr_len_end(out, mark);
}

void message_backend_key(struct buf *out, uint32_t pid, struct slice key)
{
	size_t mark = begin(out, 'K');

	wr_be32(out, pid);
	buf_add_slice(out, key);
	wr_len_end(out, mark);
}

void message_ready(struct buf *out, char status)
{
	size_t mark = begin(out, 'Z');

	wr_u8(out, (uint8_t)status);
	wr_len_end(out, mark);
}

static void add_field(struct buf *out, char field, const char *text)
{
	struct slice in = slice_str(text);
	struct buf clean;

	if (in.n == 0)
		return;
	buf_init(&clean, TEXT_MAX);
	utf8_clean(&clean, in);
	wr_u8(out, (uint8_t)field);
	wr_cslice(out, buf_slice(&clean));
	buf_free(&clean);
}

static void add_report(struct buf *out, char type, const struct message_error *m)
{
	size_t mark = begin(out, type);

	add_field(out, 'S', m->severity);
	add_field(out, 'V', m->severity);
	add_field(out, 'C', m->sqlstate);
	add_field(out, 'M', m->message);
	add_field(out, 'D', m->detail);
	add_field(out, 'H', m->hint);
	wr_u8(out, 0);
	wr_len_end(out, mark);
}

void message_error(struct buf *out, const struct message_error *m)
{
	add_report(out, 'E', m);
}

void message_notice(struct buf *out, const struct message_error *m)
{
	add_report(out, 'N', m);
}

void message_fatal_err(struct buf *out, const struct err *e, bool trusted)
{
	bool hide = !trusted && err_is_private(e);
	struct message_error m = {
		.severity = "FATAL",
		.sqlstate = hide ? err_info(e->code)->sqlstate : e->sqlstate,
		.message = hide ? "could not log in to the database server" : e->msg,
		.detail = trusted ? e->detail : NULL,
		.hint = trusted ? err_hint_text(e) : NULL,
	};

	message_error(out, &m);
}

void message_fatal_old(struct buf *out, const struct err *e)
{
	struct buf clean;

	buf_init(&clean, TEXT_MAX);
	utf8_clean(&clean, slice_str(e->msg));
	wr_u8(out, 'E');
	buf_add_str(out, "FATAL:  ");
	buf_add_slice(out, buf_slice(&clean));
	wr_cstr(out, "\n");
	buf_free(&clean);
}

void message_query(struct buf *out, const char *sql)
{
	size_t mark = begin(out, 'Q');

	wr_cstr(out, sql);
	wr_len_end(out, mark);
}

void message_password(struct buf *out, struct slice password)
{
	size_t mark = begin(out, 'p');

	wr_cslice(out, password);
	wr_len_end(out, mark);
}

void message_sasl_initial(struct buf *out, const char *mechanism, struct slice data)
{
	size_t mark = begin(out, 'p');

	wr_cstr(out, mechanism);
	wr_be32(out, (uint32_t)data.n);
	buf_add_slice(out, data);
	wr_len_end(out, mark);
}

void message_sasl_response(struct buf *out, struct slice data)
{
	size_t mark = begin(out, 'p');

	buf_add_slice(out, data);
	wr_len_end(out, mark);
}

/* Characters beyond ASCII are spelled out: in some client encodings a byte of one may be a backslash or a
 * quote. */
void message_literal(struct buf *out, const char *value)
{
	struct slice in = slice_str(value);
	bool escape = false;

	for (size_t i = 0; i < in.n; i++)
		escape = escape || in.p[i] == '\\' || in.p[i] >= 0x80;
	buf_add_str(out, escape ? " E'" : "'");
	while (in.n > 0) {
		uint32_t cp = '?';
		size_t n = enc_utf8_next(in, &cp);

		n = n ? n : 1;
		in.p += n;
		in.n -= n;
		if (cp >= 0x80) {
			buf_printf(out, "\\U%08X", (unsigned)cp);
			continue;
		}
		if (cp == '\'' || cp == '\\')
			buf_add_char(out, (char)cp);
		buf_add_char(out, (char)cp);
	}
	buf_add_char(out, '\'');
}
