/* Logs in to a target: from nothing to ReadyForQuery. The server is hostile until it has proven otherwise: lengths,
 * counts and order are checked, and the secret goes only where it may (design.md rule 1). */
#ifndef PGIAM_PROXY_LOGIN_H
#define PGIAM_PROXY_LOGIN_H

#include "io/offload.h"
#include "pg/startup.h"
#include "proxy/state.h"
#include "proxy/upstream.h"

struct login_env {
	struct upstream_env up;
	struct offload *offload;
};

struct login_request {
	const struct target *target; /* borrowed until the callback or cancel, like all of this */
	struct tls_ctx *tls;         /* the target's as it is now; NULL: plaintext. Borrowed during login_start only */
	struct secret_source *secret; /* NULL for auth=none */
	const char *user, *database;
	const struct params *startup; /* further startup parameters */
};

/* Given to the callee, which calls login_result_free. stream may be taken out. */
struct login_result {
	struct stream *stream;
	struct params params;         /* ParameterStatus, in the server's order */
	bool has_key;                 /* did the server send BackendKeyData? */
	uint32_t pid;
	unsigned char key[STARTUP_CANCEL_KEY_MAX];
	size_t key_bytes;
	bool token;                   /* an IAM token was asked for and given */
	uint64_t resolve_us, connect_us, tls_us, auth_us;
};
void login_result_free(struct login_result *r);

/* Remembers a ParameterStatus; -1 if that would be more than a server has to report. */
int login_result_parameter(struct login_result *r, struct slice name, struct slice value);

/* Exactly one of r and e. secret_no: which of the source's secrets it was given; 0: none. */
typedef void (*login_cb)(void *arg, struct login_result *r, uint64_t secret_no, const struct err *e);

struct login;
struct login *login_start(const struct login_env *env, const struct login_request *rq, login_cb cb, void *arg);
void login_cancel(struct login *l);

const struct state_row *login_state_rows(size_t *count);

#endif
