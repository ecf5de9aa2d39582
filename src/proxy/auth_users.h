/* Who may log in to pgiam and what proves it: the content of PgBouncer's auth_file. Pure.
 *
 *   "user" "secret" whatever else
 *   ; a comment
 *
 * A quote inside quotes is doubled. A secret is a SCRAM secret as PostgreSQL writes it (pg/scram_secret.h), md5 and 32
 * digits, or the password itself; a user whose secret is empty cannot log in. What follows on a line is ignored, as by
 * PgBouncer. Beyond PgBouncer: a user twice, a broken SCRAM secret, a line break inside quotes are errors. */
#ifndef PGIAM_PROXY_AUTH_USERS_H
#define PGIAM_PROXY_AUTH_USERS_H

#include "base/secret.h"
#include "pg/password.h"
#include "pg/scram_secret.h"

#define AUTH_USERS_MAX_NAME   128 /* bytes, as PgBouncer's, */
#define AUTH_USERS_MAX_SECRET 2048
#define AUTH_USERS_MAX_FILE   (8u << 20)

#define AUTH_KEY_BYTES 32

enum auth_kind { AUTH_KIND_PLAIN, AUTH_KIND_MD5, AUTH_KIND_SCRAM };

struct auth_secret {
	enum auth_kind kind;
	struct secret plain;                 /* of AUTH_KIND_PLAIN; owned */
	unsigned char md5[DIGEST_MD5_BYTES]; /* of AUTH_KIND_MD5 */
	struct scram_secret scram;           /* of AUTH_KIND_SCRAM; for AUTH_KIND_PLAIN its salt and iterations only */
};
void auth_secret_clear(struct auth_secret *s); /* wipes; idempotent */

struct auth_users;

/* Returns owned; NULL with e (ERR_CONFIG) naming the line, and no secret. */
struct auth_users *auth_users_parse(struct slice text, struct err *e);
void auth_users_free(struct auth_users *u); /* wipes; NULL is fine */
size_t auth_users_count(const struct auth_users *u, enum auth_kind kind);

/* The user's secret (out: to be cleared), true. For somebody who is not in the file, false and a secret that nobody
 * knows, of the kind, salt length and iterations of one that is there, chosen by the name: what is done and said with it
 * is what would be for a real one (PostgreSQL's mock authentication). Either answer takes as long. key: the same for all
 * workers, random. u may be NULL: nobody is known. */
bool auth_users_secret(const struct auth_users *u, const unsigned char key[AUTH_KEY_BYTES], const char *user,
		       struct auth_secret *out);

/* The same for somebody whose secret is of no use with SCRAM. */
void auth_users_mock_scram(const unsigned char key[AUTH_KEY_BYTES], const char *user, struct auth_secret *out);

#endif
