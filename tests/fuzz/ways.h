/* The ways into a proxy that the client fuzzer tries, as tables: what proves a user, from where, over which TLS, with which
 * certificate. Who may be in is said by the same tables, and pgiam is not asked. */
#ifndef PGIAM_TESTS_FUZZ_WAYS_H
#define PGIAM_TESTS_FUZZ_WAYS_H

#include "talk.h"

#define WAYS_TLS_KINDS 4 /* of clients: TLS 1.2 or 1.3, with ALPN and small records or without */

/* What certificate a client shows. */
enum ways_cert { WAYS_NO_CERT, WAYS_JOE, WAYS_LAPTOP, WAYS_STRANGER, WAYS_EXPIRED, WAYS_CERTS };

/* Where clients come from. */
struct ways_from {
	const char *ip, *at; /* its address, and ours; NULL: a unix socket */
	bool remote;         /* another machine */
};

/* What a connection has. */
struct ways_has {
	bool tls, proved; /* the right password was given */
	enum ways_cert cert;
};

/* One of the setups, chosen by these bytes: sets auth, client_uids and client_tls. file: prove_store's. */
void ways_choose(struct sim *s, uint8_t auth, uint8_t tls, unsigned file);
const struct ways_from *ways_from(void); /* of the setup */

/* Of a client; borrowed. */
SSL_CTX *ways_client(unsigned kind, enum ways_cert cert);

/* The user who runs this, as the kernel tells of a unix socket. */
const char *ways_self(void);

/* May a connection that has this be in as this user? Is its TLS good enough to be in at all? */
bool ways_may(const struct ways_has *has, const char *user);
bool ways_tls_may(const SSL *ssl, enum ways_cert cert);

#endif
