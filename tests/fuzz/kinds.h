/* The servers that the server fuzzer can be, as a table: what secret pgiam has for one, how TLS is begun with it and whether
 * it is verified, what comes before and after; with the targets and certificates for each. */
#ifndef PGIAM_TESTS_FUZZ_KINDS_H
#define PGIAM_TESTS_FUZZ_KINDS_H

#include "talk.h"

#define KINDS_USER "svc" /* who logs in where the secret comes with a name */

struct kind {
	enum secret_kind secret;
	enum { NO_TLS, UNVERIFIED, VERIFIED } tls;
	enum target_tls_start start;
	/* a client certificate is there to be shown; the secret comes with a name; a connect_query and no reset query */
	enum { SHOWS = 1, NAMED = 2, CONNECTS = 4 } more;
};

/* What certificate the server shows; only the first is right. */
enum kinds_cert { KINDS_GOOD, KINDS_OTHER_CA, KINDS_OTHER_NAME, KINDS_EXPIRED, KINDS_CERTS };

#define KINDS_PROTOCOLS 3 /* 3.0; 3.0 to 3.2; 3.2 */

const struct kind *kinds_get(uint8_t choice);

/* Borrowed, made once for every kind and range of versions of the protocol. */
struct target *kinds_target(const struct sim *s, const struct kind *k, unsigned protocols);

/* The server's side of TLS; borrowed. */
struct kinds_tls {
	enum kinds_cert cert;
	bool old, alpn, asks; /* TLS 1.2 and short records; PostgreSQL's ALPN; asks for a certificate, and takes any */
};
SSL_CTX *kinds_server(const struct kinds_tls *t);

#endif
