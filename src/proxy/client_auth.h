/* A client proves who it is (CLIENT_AUTH), for client*.c only:
 *   client_auth_verdict.c   what methods do and come to
 *   client_auth_scram.c     scram-sha-256
 *   client_auth_password.c  plain; md5, which is scram-sha-256 for whoever has a secret of that
 *   client_auth_name.c      cert, peer
 *   client_auth.c           the exchange's frame: which method, messages
 * Each needs only those above it.
 *
 * Until the verdict nothing may depend on whether the user or the database exists: not what is said, and not what work
 * is done (auth_users_secret gives everybody a secret). */
#ifndef PGIAM_PROXY_CLIENT_AUTH_H
#define PGIAM_PROXY_CLIENT_AUTH_H

#include "proxy/auth_store.h"
#include "proxy/client_private.h"
#include "proxy/hash_queue.h"

/* What is sent before the verdict is small: PostgreSQL takes passwords of up to 65535 bytes. */
#define CLIENT_AUTH_PASSWORD_MAX 8192

/* How long a wrong answer waits for its verdict: guessing takes time and a place among those who log in. */
#define CLIENT_AUTH_PENALTY_US (500 * CLOCK_US_PER_MS)

struct client_auth;

struct client_auth_method {
	const char *name;   /* auth_type's */
	const char *expects; /* "password", "SASL": of "expected ... response" */
	const char *failed; /* "password": of "... authentication failed for user" */
	enum err_code code; /* of that */
	bool secret;        /* auth_file's is needed */
	bool unproven;      /* it lets in whoever can connect */
	uint32_t max_body;  /* of the client's messages */
	void (*begin)(struct client *c);
	void (*message)(struct client *c, struct slice body); /* NULL: it asks nothing */
	void (*end)(struct client_auth *a); /* frees what is the method's in a, if begin came to it; NULL: nothing */
};

enum client_auth_phase {
	CLIENT_AUTH_ASKED,   /* a message of the client is awaited */
	CLIENT_AUTH_WORKS,   /* a hash is being computed; the client is not listened to */
	CLIENT_AUTH_PENALTY, /* it failed, and will be told */
};

struct client_auth {
	const struct client_auth_method *method;
	enum client_auth_phase phase;
	struct startup startup;     /* what it asked for */
	struct auth_secret secret;  /* what it must prove, or one made up */
	bool known;                 /* the former */
	const struct auth_rules *rules; /* a reference: it is judged by what the files said when it came; NULL: none */
	const char *map;            /* of auth_hba_file's line, in rules; NULL: none */
	struct hash_op *hash;       /* non-NULL exactly while it is computed */
	struct client_lookup *lookup; /* non-NULL exactly while a name is looked up */
	struct client_scram *scram; /* of client_auth_scram.c */
	unsigned char salt[PASSWORD_MD5_SALT];
	struct timer penalty;
};

extern const struct client_auth_method client_auth_plain, client_auth_md5, client_auth_scram, client_auth_cert,
	client_auth_peer;

/* Asks the client: an authentication request and its data. */
void client_auth_ask(struct client *c, uint32_t request, struct slice data);

/* Starts a hash of this password as the secret's salt and iterations say. */
void client_auth_hash(struct client *c, struct slice password, hash_cb cb);

/* The verdict. right: it has proven the secret, which counts only if that is the user's. Both end the method; the client
 * may be gone. */
void client_auth_verdict(struct client *c, bool right);

/* The same, refused: why is for the log. */
void client_auth_refuse(struct client *c, const char *why);

#endif
