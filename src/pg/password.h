/* What a client answers to an authentication request: bodies of 'p' messages, hostile. And PostgreSQL's md5 exchange.
 * The errors are those of PostgreSQL's backend (libpq/auth.c recv_password_packet, auth-sasl.c). */
#ifndef PGIAM_PG_PASSWORD_H
#define PGIAM_PG_PASSWORD_H

#include <stdint.h>
#include "base/digest.h"
#include "base/err.h"

/* PasswordMessage: not empty, borrowed, without its NUL. -1 with ERR_CLIENT_PROTOCOL, or ERR_AUTH_PASSWORD if it is
 * empty. */
int password_parse(struct slice body, struct slice *password, struct err *e);

/* SASLInitialResponse in two steps, as PostgreSQL reads it: a mechanism that is not to be had is refused, whatever is
 * behind it. The first takes the mechanism, borrowed, off the front of body; the second reads the rest, borrowed.
 * has_data: the client-first-message is in it; if not, it comes after an empty challenge. */
struct password_sasl {
	struct slice data;
	bool has_data;
};
int password_take_mechanism(struct slice *body, struct slice *mechanism, struct err *e);
int password_parse_sasl(struct slice rest, struct password_sasl *out, struct err *e);

/* ---- md5 ---- */

#define PASSWORD_MD5_CHARS 35 /* "md5" and 32 digits */
#define PASSWORD_MD5_SALT  4

/* What PostgreSQL keeps: MD5 of the password and the user's name. False where there is no MD5. */
bool password_md5(struct slice password, struct slice user, unsigned char out[DIGEST_MD5_BYTES]);

/* What a client sends for it, not NUL-terminated: "md5" and the digits of MD5(digits of kept, salt). */
bool password_md5_answer(const unsigned char kept[DIGEST_MD5_BYTES], const unsigned char salt[PASSWORD_MD5_SALT],
			 char out[PASSWORD_MD5_CHARS]);

/* "md5" and 32 hexadecimal digits? Then kept is set, if not NULL. */
bool password_is_md5(struct slice text, unsigned char kept[DIGEST_MD5_BYTES]);

#endif
