/* pg/parse and pg/message: a server's error, whole and cut short, on its way to a client; SQL literals of its
 * texts. */
#include <stdint.h>
#include <stdlib.h>
#include "base/enc.h"
#include "base/mem.h"
#include "pg/frame.h"
#include "pg/message.h"
#include "pg/parse.h"

#define MAX_BYTES (1u << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool ok)
{
	if (!ok)
		abort();
}

/* What goes to a client must parse, be UTF-8 and have a SQLSTATE and a message. */
static void to_client(const struct err *e, bool trusted)
{
	struct parse_error pe;
	struct slice body;
	struct frame f;
	struct buf out;

	buf_init(&out, MAX_BYTES);
	message_fatal_err(&out, e, trusted);
	must(!out.full && frame_whole(buf_slice(&out), MAX_BYTES, &f, &body) == FRAME_OK);
	must(f.type == 'E' && body.n == out.n - FRAME_HEAD_BYTES && parse_error(body, &pe) == 0);
	must(slice_eq_str(pe.severity, "FATAL") && pe.sqlstate.n == 5 && pe.message.n > 0);
	must(enc_is_utf8(pe.message) && enc_is_utf8(pe.detail) && enc_is_utf8(pe.hint));
	if (trusted)
		must(slice_eq_str(pe.message, e->msg) && slice_eq_str(pe.detail, e->detail));
	else
		must(pe.detail.n == 0 && pe.hint.n == 0 && !slice_eq_str(pe.message, e->msg));
	buf_free(&out);
}

static void errors(const struct parse_error *pe)
{
	struct err e;

	must(pe->sqlstate.n == 0 || pe->sqlstate.n == 5);
	parse_error_to_err(pe, ERR_LOGIN_REFUSED, &e);
	must(e.from_server && e.msg[0] && strlen(e.sqlstate) == 5);
	must(pe->sqlstate.n == 0 || slice_eq_str(pe->sqlstate, e.sqlstate));
	to_client(&e, true);
	if (strcmp(e.msg, "could not log in to the database server") != 0)
		to_client(&e, false);
}

/* Reads the literal as PostgreSQL's scanner does: it must end at its last byte, and only there. */
static void literal(struct slice text)
{
	char *value = slice_dup(text);
	struct buf out;
	const char *s;
	bool escapes;

	buf_init(&out, MAX_BYTES);
	message_literal(&out, value);
	must(!out.full);
	s = buf_cstr(&out);
	escapes = s[0] == ' ';
	must(s[escapes ? 2 : 0] == '\'' && (!escapes || s[1] == 'E'));
	for (s += escapes ? 3 : 1;; s++) {
		must(*s && (unsigned char)*s < 0x80);
		if (*s == '\\') {
			must(escapes && (s[1] == '\\' || s[1] == 'U'));
			s++;
		} else if (*s == '\'') {
			if (s[1] != '\'')
				break;
			s++;
		}
	}
	must(s[1] == '\0');
	buf_free(&out);
	free(value);
}

/* Each cut alone in memory, so that reading over its end is seen. */
static void cuts(struct slice in)
{
	for (size_t n = 1; n < in.n && n < 64; n++) {
		unsigned char *p = mem_alloc(n);
		struct parse_error pe;

		memcpy(p, in.p, n);
		parse_error_prefix(slice_of(p, n), &pe);
		must(pe.message.n < n && pe.detail.n < n);
		free(p);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice in = slice_of(data, size);
	struct parse_error whole, prefix;

	if (size > 1 << 16)
		return 0;
	parse_error_prefix(in, &prefix);
	errors(&prefix);
	if (parse_error(in, &whole) == 0) {
		must(slice_eq(whole.message, prefix.message) && slice_eq(whole.sqlstate, prefix.sqlstate));
		literal(whole.message);
	}
	cuts(in);
	if (parse_error_old(in, &whole))
		errors(&whole);
	return 0;
}
