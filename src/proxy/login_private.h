/* Inside of a login, for login*.c only. login.c is the state machine: the others know what is said in it, tell it by what they
 * return, and need each other from the ground up, as they stand here. */
#ifndef PGIAM_PROXY_LOGIN_PRIVATE_H
#define PGIAM_PROXY_LOGIN_PRIVATE_H

#include "base/secret.h"
#include "pg/password.h"
#include "pg/scram.h"
#include "proxy/login.h"

enum login_state {
	LOGIN_ASK,         /* the secret source is at work, and nobody is dialled: it names who logs in, or is away */
	LOGIN_REACH,       /* upstream is at work */
	LOGIN_AUTH,        /* the startup packet is sent: an authentication request must come */
	LOGIN_SECRET,      /* the secret source is at work, or what it gave before waits for the turn's end */
	LOGIN_VERDICT,     /* the cleartext secret is sent: AuthenticationOk must come */
	LOGIN_SCRAM_FIRST, /* client-first is sent */
	LOGIN_SCRAM_HASH,  /* PBKDF2 is at work */
	LOGIN_SCRAM_FINAL, /* client-final is sent: the server's signature must come */
	LOGIN_SCRAM_OK,    /* verified: AuthenticationOk must come */
	LOGIN_SETUP,       /* ParameterStatus, BackendKeyData, ReadyForQuery */
	LOGIN_READY,       /* that has come; what came with it is read to its end */
	LOGIN_DONE,
};

#define LOGIN_BUFFER_MAX   65536 /* one message of at most MSG_MAX_SERVER_LOGIN, and what came with it */
#define LOGIN_PARAMS_MAX   256   /* parameters remembered, ... */
#define LOGIN_PARAMS_BYTES 900000 /* ... names and values: they fit into a welcome */
#define LOGIN_MESSAGES_MAX 4096  /* of all kinds: notices could go on for ever */

struct hash_job;

struct login {
	struct login_env env;
	struct login_request rq;     /* its tls is a reference until somebody is dialled */
	enum login_state state;
	struct upstream *upstream;   /* non-NULL exactly in LOGIN_REACH */
	struct secret_op *secret_op; /* non-NULL while the source is at work */
	uint64_t secret_no;          /* of what it gave; 0: nothing */
	struct secret kept;          /* given before the server was dialled; NULL: none */
	struct defer give;           /* hands it over */
	struct offload_op *hash_op;  /* non-NULL exactly in LOGIN_SCRAM_HASH */
	struct hash_job *hash;
	struct scram_client *scram;
	enum scram_binding binding;  /* of the SASL mechanism that was chosen */
	uint32_t agreed;             /* the protocol version the server chose; 0: it has not said */
	uint32_t request;            /* the authentication request that waits for the secret */
	unsigned char salt[PASSWORD_MD5_SALT]; /* of AUTH_MD5 */
	struct secret sent;          /* what was sent in cleartext, to know it again; NULL before */
	struct stream *stream;
	struct buf in, out;
	unsigned messages;
	bool local; /* this machine's own loopback, or a unix socket */
	char *user;                  /* who logs in: the source may name another */
	struct timer deadline;
	uint64_t auth_start_us;
	struct login_result *result;
	login_cb cb;
	void *arg;
};

static inline bool login_is_let_in(const struct login *l)
{
	return l->state == LOGIN_SETUP || l->state == LOGIN_READY;
}

/* ---- login_scram.c: what is sent goes into out ---- */

/* client-first-message, binding as l->binding says. */
int login_scram_begin(struct login *l, struct slice secret, struct err *e);

/* server-first-message: begins hashing. done comes once, never inside, with client-final-message in out. */
int login_scram_first(struct login *l, struct slice data, void (*done)(struct login *l), struct err *e);

/* server-final-message: does the server know the password? */
int login_scram_final(const struct login *l, struct slice data, struct err *e);

void login_scram_free(struct login *l); /* idempotent */

/* ---- login_secret.c ---- */

void login_secret_request(const struct login *l, struct secret_request *rq);

/* Is the source asked before anybody is dialled? */
bool login_secret_first(const struct login *l);

/* The server asks for a secret, with a request that parse_auth took: may it have it? Notes how it is given. */
int login_secret_asked(struct login *l, uint32_t request, struct slice data, struct err *e);

/* Puts what it is given into out. */
int login_secret_answer(struct login *l, struct slice secret, struct err *e);

/* ---- login_refusal.c ---- */

/* What an ErrorResponse means; -1 without e: it is malformed. */
int login_refusal(const struct login *l, struct slice body, struct err *e);

#endif
