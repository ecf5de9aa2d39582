/* Builds messages. Every builder adds to a struct buf and relies on its sticky `full`. */
#ifndef PGIAM_PG_MESSAGE_H
#define PGIAM_PG_MESSAGE_H

#include <stdint.h>
#include "base/buf.h"
#include "base/err.h"
#include "pg/params.h"

/* ---- what a server sends ---- */
void message_auth_ok(struct buf *out);

/* An authentication request (enum auth_request of pg/parse.h) and what follows its code. */
void message_auth(struct buf *out, uint32_t request, struct slice data);
void message_parameter_status(struct buf *out, const char *name, const char *value);
void message_backend_key(struct buf *out, uint32_t pid, struct slice key);
void message_ready(struct buf *out, char status); /* 'I', 'T' or 'E' */

/* An ErrorResponse or NoticeResponse: S and V, C, M, and D and H if not NULL or "". Bytes that are not UTF-8
 * and control characters are replaced (utf8_clean). severity: "FATAL", "ERROR", "WARNING", "NOTICE". */
struct message_error {
	const char *severity, *sqlstate, *message, *detail, *hint;
};
void message_error(struct buf *out, const struct message_error *m);
void message_notice(struct buf *out, const struct message_error *m);

/* FATAL from an err. trusted: the client may see what the server said, detail and hint (rule 6); otherwise a
 * private error (err_is_private) becomes a general sentence with its code's SQLSTATE. */
void message_fatal_err(struct buf *out, const struct err *e, bool trusted);

/* The same for a client that is older than protocol 3: 'E' and a text, no length. Nothing of the server's is in e. */
void message_fatal_old(struct buf *out, const struct err *e);

/* ---- what a client sends ---- */
void message_query(struct buf *out, const char *sql);
void message_password(struct buf *out,
		      struct slice password); /* PasswordMessage, no NUL in it; out is a secret buf */
void message_sasl_initial(struct buf *out, const char *mechanism, struct slice data);
void message_sasl_response(struct buf *out, struct slice data);

/* Appends value as an SQL literal, E'' where it holds a backslash or characters beyond ASCII (written as \U
 * escapes; bytes that are not UTF-8 become '?'): safe whatever standard_conforming_strings and
 * client_encoding are. */
void message_literal(struct buf *out, const char *value);

#endif
