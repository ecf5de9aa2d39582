/* Parsers of what a server sends, for the messages pgiam itself reads. Bodies are hostile. */
#ifndef PGIAM_PG_PARSE_H
#define PGIAM_PG_PARSE_H

#include <stdint.h>
#include "base/buf.h"
#include "base/err.h"

/* ErrorResponse and NoticeResponse. Every field is optional (CVE-2026-6666); absent ones are empty. Borrowed.
 * 0, or -1 if the body is no list of fields. */
struct parse_error {
	struct slice severity; /* V if there, else S */
	struct slice sqlstate; /* "" unless five of [0-9A-Z] */
	struct slice message, detail, hint, file, line, routine;
};
int parse_error(struct slice body, struct parse_error *out);

/* The same for a body cut short (MSG_PREFIX): what is complete is reported. */
void parse_error_prefix(struct slice prefix, struct parse_error *out);

/* The error of a server that could not even start a backend, or knows no protocol 3: 'E' and a text up to a
 * NUL or the end, no length. To be tried where the first byte is 'E' and frame_head or the limit says that
 * the length is BAD. in: everything received. False if it does not start with 'E'. Only message is set. */
bool parse_error_old(struct slice in, struct parse_error *out);

/* Puts a server's error into e (not NULL): its SQLSTATE, its texts (cleaned by utf8_clean and cut),
 * from_server. */
void parse_error_to_err(const struct parse_error *pe, enum err_code code, struct err *e);

/* ParameterStatus: two strings, borrowed, without their NULs. The name is not empty. */
int parse_parameter_status(struct slice body, struct slice *name, struct slice *value);

/* BackendKeyData: a key of 4..256 bytes, borrowed. */
int parse_backend_key(struct slice body, uint32_t *pid, struct slice *key);

/* ReadyForQuery: 'I', 'T' or 'E'; 0 if malformed. */
char parse_ready(struct slice body);

/* NegotiateProtocolVersion, answering a startup packet of version `asked` without _pq_. options: the version the
 * server speaks. Versions are major << 16 | minor. 0 if it makes sense (then 3.0 <= minimum <= *version < asked),
 * else -1 with ERR_SERVER_PROTOCOL. Judged as by libpq 18 (fe-protocol3.c, pqGetNegotiateProtocolVersion3). */
int parse_negotiate(struct slice body, uint32_t asked, uint32_t minimum, uint32_t *version, struct err *e);

/* Authentication requests ('R'). */
enum auth_request {
	AUTH_OK = 0,
	AUTH_KERBEROS_V5 = 2,
	AUTH_CLEARTEXT = 3,
	AUTH_MD5 = 5,
	AUTH_GSS = 7,
	AUTH_GSS_CONTINUE = 8,
	AUTH_SSPI = 9,
	AUTH_SASL = 10,
	AUTH_SASL_CONTINUE = 11,
	AUTH_SASL_FINAL = 12,
};
/* data: what follows the code, borrowed (4 bytes of salt for md5, nothing for those that have no data). -1 if
 * malformed; unknown codes are returned as they are. */
int parse_auth(struct slice body, uint32_t *request, struct slice *data);

/* A name for messages: "SASL", "md5", "password", "GSSAPI", ...; "unknown". */
const char *parse_auth_name(uint32_t request);

/* Is mechanism in AuthenticationSASL's list? -1 if the list is malformed, else 0 or 1. */
int parse_sasl_offers(struct slice data, const char *mechanism);

/* Adds the list's mechanisms to out for people, as many as there is room for: "A, B". What no name has (RFC 4422: up to 20
 * of A-Z, 0-9, '-' and '_') is shown as '?' and cut. */
void parse_sasl_names(struct slice data, struct buf *out);

#endif
