/* What the network tests share: a loop, sockets that know each other, certificates made on the spot. */
#ifndef PGIAM_TESTS_UNIT_IO_KIT_H
#define PGIAM_TESTS_UNIT_IO_KIT_H

#include <stdarg.h>
#include <setjmp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <openssl/ssl.h>
#include "io/addr.h"
#include "io/loop.h"
#include "io/tls.h"

struct loop *kit_loop(void);

/* Turns the loop until *done, or fails the test after some seconds. */
#define kit_until(l, cond)                                                                                   \
	do {                                                                                                 \
		uint64_t kit_end_ = kit_now_us() + 10000000;                                                 \
		while (!(cond)) {                                                                            \
			if (kit_now_us() > kit_end_)                                                         \
				fail_msg("waited in vain for %s", #cond);                                    \
			loop_turn((l), 5000);                                                                \
		}                                                                                            \
	} while (0)

/* Turns the loop for that long. */
void kit_for(struct loop *l, uint64_t us);
uint64_t kit_now_us(void);

/* Two connected non-blocking sockets. */
void kit_unix_pair(int fd[2]);
void kit_tcp_pair(int fd[2]);

/* A listening socket on a free loopback port; *a says which. */
int kit_listen(struct addr *a, const char *ip, int backlog);

/* ---- certificates ---- */

struct kit_cert {
	X509 *x;
	EVP_PKEY *key;
};

struct kit_cert_opts {
	const char *cn, *san;   /* san in OpenSSL's notation, or NULL */
	int from_days, to_days; /* relative to now; 0, 0: -1 to 30 */
	bool ca;
	bool ed25519;           /* its key: what it signs is signed without a hash */
};

/* Signed by issuer, or by itself if that is NULL. */
struct kit_cert kit_cert_new(const struct kit_cert_opts *o, const struct kit_cert *issuer);
void kit_cert_free(struct kit_cert *c);

/* Files in a directory of the test's own. The path is owned by the caller. */
char *kit_dir_new(void);
void kit_dir_free(char *dir); /* with what is in it */
char *kit_write(const char *dir, const char *name, const void *p, size_t n);
char *kit_write_cert(const char *dir, const char *name, const struct kit_cert *c);
char *kit_write_key(const char *dir, const char *name, const struct kit_cert *c, const char *passphrase);

/* A server's and a client's context around one CA and one certificate for that name. */
struct kit_tls {
	char *dir;
	struct kit_cert ca, server;
	char *ca_file, *cert_file, *key_file;
	struct tls_ctx *server_ctx, *client_ctx;
};

void kit_tls_init(struct kit_tls *t, const char *cn, const char *san);
void kit_tls_fini(struct kit_tls *t);

#endif
