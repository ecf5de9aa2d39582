/* Which client has to prove itself how: PgBouncer's auth_hba_file, which is PostgreSQL's pg_hba.conf without what needs
 * a database or an outside service; and auth_ident_file, pg_ident.conf without regular expressions. Both pure. The
 * first line that fits a client holds.
 *
 *   local|host|hostssl|hostnossl  DATABASE  USER  [ADDRESS]  METHOD  [map=NAME]
 *   MAPNAME  SYSTEM-USER  DATABASE-USER
 *
 * DATABASE: names, all, sameuser, replication. USER: names, all. ADDRESS: all, an address with a prefix length, or an
 * address and a mask. METHOD: trust, reject, password (or plain), md5, scram-sha-256, cert (hostssl), peer (local). What is not known
 * is an error, and never a line that fits nobody. */
#ifndef PGIAM_PROXY_HBA_H
#define PGIAM_PROXY_HBA_H

#include "io/addr.h"
#include "proxy/auth.h"

struct hba;
struct hba_ident;

/* Owned; NULL with e (ERR_CONFIG) naming the line. */
struct hba *hba_parse(struct slice text, struct err *e);
void hba_free(struct hba *h); /* NULL is fine */
size_t hba_count(const struct hba *h); /* lines; h may be NULL */

struct hba_client {
	const struct addr *peer;
	bool local, tls; /* a unix socket; inside TLS */
	bool replication; /* physical: asks for no database */
	const char *database, *user;
};

struct hba_answer {
	enum auth_type method; /* AUTH_TYPE_REJECT as well */
	const char *map;       /* borrowed; NULL: none */
};

/* False: no line fits. */
bool hba_find(const struct hba *h, const struct hba_client *c, struct hba_answer *out);

/* The number of the first line with this method, 0: none; and of the first that trusts other hosts. */
unsigned hba_uses(const struct hba *h, enum auth_type method);
unsigned hba_trusts_remote(const struct hba *h);

/* The first map= that m does not have; NULL: none. */
const char *hba_missing_map(const struct hba *h, const struct hba_ident *m);

/* ---- auth_ident_file ---- */

struct hba_ident *hba_ident_parse(struct slice text, struct err *e);
void hba_ident_free(struct hba_ident *m); /* NULL is fine */
size_t hba_ident_count(const struct hba_ident *m); /* lines; m may be NULL */

/* Is there a line for this map? m may be NULL. */
bool hba_ident_has(const struct hba_ident *m, const char *map);

/* May this user of the system (of the certificate) be that database user? map NULL: if they have the same name. */
bool hba_ident_allows(const struct hba_ident *m, const char *map, const char *system, const char *user);

#endif
