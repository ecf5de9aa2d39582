/* The files that say who may log in: auth_file, auth_hba_file, auth_ident_file. Shared by all threads; they are read again
 * when they have changed (io/live.h). One that cannot be used leaves in place what was read before: auth_file by itself, the
 * other two together, as the lines of the first name maps of the second. */
#ifndef PGIAM_PROXY_AUTH_STORE_H
#define PGIAM_PROXY_AUTH_STORE_H

#include "base/clock.h"
#include "base/log.h"
#include "proxy/auth_users.h"
#include "proxy/hba.h"

enum auth_file { AUTH_FILE_USERS, AUTH_FILE_HBA, AUTH_FILE_IDENT, AUTH_FILE_COUNT };

struct auth_store_opts {
	const char *path[AUTH_FILE_COUNT]; /* NULL: none */
	/* What lines of auth_hba_file may count on. */
	bool remote_trust; /* allow_remote_trust */
	bool certificates; /* clients' certificates are verified */
};

struct auth_store;

/* Told of a file that cannot be used: ERR_CONFIG or ERR_IO; e names it. */
typedef void (*auth_store_bad_cb)(void *arg, enum auth_file which, struct err *e);

/* Reads them; copies o. NULL if one is of no use: every one is told. */
struct auth_store *auth_store_new(const struct auth_store_opts *o, auth_store_bad_cb bad, void *arg);
struct auth_store *auth_store_ref(struct auth_store *s);
void auth_store_unref(struct auth_store *s); /* NULL is fine */

/* auth_users_secret with what auth_file says now; looked at once a second at most. s may be NULL: nobody is known. */
bool auth_store_secret(struct auth_store *s, const struct clock *clock, struct log *log,
		       const unsigned char key[AUTH_KEY_BYTES], const char *user, struct auth_secret *out);

/* What the other two say at one moment; immutable. */
struct auth_rules {
	struct hba *hba;         /* NULL: no auth_hba_file */
	struct hba_ident *ident; /* NULL: no auth_ident_file */
};

/* As they are now; looked at once a second at most. A reference; NULL: there is neither, or no store. */
const struct auth_rules *auth_store_rules(struct auth_store *s, const struct clock *clock, struct log *log);
void auth_rules_unref(const struct auth_rules *r); /* NULL is fine */

/* Reads all of them again, changed or not. How many readings failed; the log says why. */
unsigned auth_store_reload(struct auth_store *s, const struct clock *clock, struct log *log);

/* What is in force, in numbers. */
struct auth_summary {
	const char *path[AUTH_FILE_COUNT]; /* borrowed from the store; NULL: no such file */
	size_t users[AUTH_KIND_SCRAM + 1]; /* by enum auth_kind */
	size_t lines, mappings;            /* of auth_hba_file and auth_ident_file */
	bool uses_md5;                     /* a line of auth_hba_file does */
	bool exposed;                      /* others than auth_file's owner and group may read it */
	uint64_t users_failures, rules_failures; /* readings */
};
void auth_store_summary(struct auth_store *s, struct auth_summary *out); /* s may be NULL */

#endif
