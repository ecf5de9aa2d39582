/* Methods that ask nothing of the client: somebody else says who it is. peer: the kernel. cert: who signed the
 * certificate it showed when TLS began. */
#include <pwd.h>
#include <stdlib.h>
#include "base/mem.h"
#include "io/peer.h"
#include "proxy/client_auth.h"

/* system: who it is there. */
static void decide(struct client *c, const char *system)
{
	const struct client_auth *a = c->auth;

	if (hba_ident_allows(a->rules ? a->rules->ident : NULL, a->map, system, c->user)) {
		client_enter(c);
		return;
	}
	log_info(loop_log(c->env->loop), "this name may not be that user", LS("name", system), LS("user", c->user),
	         LS("map", a->map));
	client_auth_refuse(c, a->map ? "its map does not give it this user" : "the names are not the same");
}

/* ---- cert ---- */

#define CN_MAX 256

static void cert_begin(struct client *c)
{
	char cn[CN_MAX];

	if (!stream_is_tls(c->stream))
		client_auth_refuse(c, "it has not asked for TLS, where it would show a certificate");
	else if (!stream_tls_peer_cn(c->stream, cn, sizeof(cn)))
		client_auth_refuse(c, "it showed no certificate with one common name");
	else
		decide(c, cn);
}

const struct client_auth_method client_auth_cert = {
	.name = "cert",
	.failed = "certificate",
	.code = ERR_CLIENT_USER,
	.begin = cert_begin,
};

/* ---- peer ---- */

/* Names of users may come from afar (LDAP): they are looked up on the helper thread. */
struct client_lookup {
	struct client *client;
	struct offload_op *op;
	uid_t uid;
	char name[256]; /* "": there is none */
};

static void work(void *data)
{
	struct client_lookup *k = data;
	struct passwd pw, *found = NULL;
	char buffer[16384];

	if (getpwuid_r(k->uid, &pw, buffer, sizeof(buffer), &found) == 0 && found && strlen(found->pw_name) < sizeof(k->name))
		memcpy(k->name, found->pw_name, strlen(found->pw_name) + 1);
}

static void done(void *data)
{
	struct client_lookup *k = data;
	struct client *c = k->client;

	c->auth->lookup = NULL;
	if (k->name[0])
		decide(c, k->name);
	else
		client_auth_refuse(c, "its user id has no name on this machine");
	free(k);
}

static void peer_end(struct client_auth *a)
{
	if (a->lookup)
		offload_cancel(a->lookup->op); /* frees it when the helper is through */
	a->lookup = NULL;
}

static void peer_begin(struct client *c)
{
	struct client_lookup *k;
	struct err e;
	uid_t uid;

	if (!addr_is_unix(&c->ends->local)) {
		client_auth_refuse(c, "peer is for unix sockets");
		return;
	}
	if (peer_uid(stream_fd(c->stream), &c->ends->peer, &c->ends->local, &uid, &e) != 0) {
		client_auth_refuse(c, e.msg);
		return;
	}
	k = mem_zalloc(sizeof(*k));
	k->client = c;
	k->uid = uid;
	k->op = offload_start(c->env->hashes->offload, c->env->hashes->mail, work, done, free, k);
	if (!k->op) {
		free(k);
		err_set(&e, ERR_TOO_MANY_CLIENTS, "too many clients are logging in");
		client_fail(c, &e);
		return;
	}
	c->auth->lookup = k;
	c->auth->phase = CLIENT_AUTH_WORKS;
	stream_want_read(c->stream, false);
}

const struct client_auth_method client_auth_peer = {
	.name = "peer",
	.failed = "Peer",
	.code = ERR_CLIENT_USER,
	.begin = peer_begin,
	.end = peer_end,
};
