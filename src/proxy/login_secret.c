/* The secret's part in a login: when the source is asked, what a server may have, and how it is given. A source that holds a
 * secret is asked when the server asks: what may be refused for other reasons is not made. One that has to be waited for is
 * asked before anybody is dialled. */
#include "proxy/login_private.h"

#include <stdlib.h>
#include <string.h>
#include "base/digest.h"
#include "base/mem.h"
#include "pg/message.h"
#include "pg/parse.h"
#include "pg/scram.h"

void login_secret_request(const struct login *l, struct secret_request *rq)
{
	*rq = (struct secret_request){.host = l->rq.target->iam_host, .port = l->rq.target->iam_port, .user = l->user};
}

bool login_secret_first(const struct login *l)
{
	struct secret_request rq;

	login_secret_request(l, &rq);
	return l->rq.secret && l->rq.secret->ops->first && l->rq.secret->ops->first(l->rq.secret, &rq);
}

/* May a secret go out on this connection? TLS verified, or this machine's own loopback for development. */
static bool may_send_secret(const struct login *l)
{
	if (stream_is_tls(l->stream))
		return stream_is_verified(l->stream);
	return l->local && l->rq.secret->ops->kind == SECRET_PASSWORD;
}

/* The server asks for a secret: who does it think we are, and may it have it? */
static int may_answer(const struct login *l, uint32_t request, struct err *e)
{
	enum secret_kind kind = l->rq.secret ? l->rq.secret->ops->kind : SECRET_NONE;

	if (kind == SECRET_NONE)
		return err_set(e, ERR_AUTH_METHOD, "login: the server asks for a %s secret, and auth=none gives none",
		               parse_auth_name(request));
	if (kind == SECRET_IAM_TOKEN && request != AUTH_CLEARTEXT) {
		err_set(e, ERR_AUTH_NOT_IAM, "login: the server asks user \"%s\" for %s instead of an IAM token", l->rq.user,
		        parse_auth_name(request));
		err_detail(e, "The role does not exist, is not a member of rds_iam, or the instance has IAM authentication "
		              "turned off, so PostgreSQL expects a password. The token was not sent.");
		err_hint(e, "Run: GRANT rds_iam TO \"%s\"; and check that IAM database authentication is enabled on the "
		            "instance.", l->rq.user);
		return -1;
	}
	if (request != AUTH_CLEARTEXT && request != AUTH_MD5 && request != AUTH_SASL)
		return err_set(e, ERR_AUTH_METHOD, "login: the server asks for %s, which pgiam does not do",
		               parse_auth_name(request));
	if (!may_send_secret(l))
		return err_set(e, ERR_AUTH_UNSAFE,
		               "login: the server asks for a secret on a connection that is not verified TLS");
	return 0;
}

static int no_mechanism(const struct login *l, struct slice offers, const char *why, struct err *e)
{
	struct buf names;

	buf_init(&names, 200);
	parse_sasl_names(offers, &names);
	err_set(e, ERR_AUTH_METHOD, "login: the server offers %s", why);
	err_detail(e, "It offers user \"%s\" %s.", l->user, names.n ? buf_cstr(&names) : "none at all");
	err_hint(e, "pgiam logs in with scram-sha-256, md5, a password or an IAM token (pam): the server's pg_hba.conf has to "
		    "ask this user for one of these.");
	buf_free(&names);
	return -1;
}

/* The strongest of the SASL mechanisms it offers. Not every certificate has a hash that is defined for binding (RFC 5929
 * section 4.1: Ed25519's has none). Then pgiam is a client that does not bind: to say that it would, had the server offered it,
 * which is right where it has not, would be taken for the work of somebody on the line (RFC 5802 section 6). */
static int choose_mechanism(struct login *l, struct slice offers, struct err *e)
{
	int plus = parse_sasl_offers(offers, SCRAM_SHA_256_PLUS), plain = parse_sasl_offers(offers, SCRAM_SHA_256);
	bool tls = stream_is_tls(l->stream);
	unsigned char hash[64];

	if (plus < 0 || plain < 0)
		return err_set(e, ERR_SERVER_PROTOCOL, "login: the server sent a malformed list of SASL mechanisms");
	if (!plus && !plain)
		return no_mechanism(l, offers, "no SASL mechanism that pgiam knows", e);
	if (plus && stream_tls_server_end_point(l->stream, hash) > 0)
		l->binding = SCRAM_BIND_END_POINT;
	else if (plain)
		l->binding = tls && !plus ? SCRAM_BIND_UNUSED : SCRAM_BIND_NONE;
	else
		return no_mechanism(l, offers, tls ? "only SCRAM-SHA-256-PLUS, and its certificate has no hash to bind to"
						   : "only SCRAM-SHA-256-PLUS, without TLS", e);
	return 0;
}

int login_secret_asked(struct login *l, uint32_t request, struct slice data, struct err *e)
{
	if (may_answer(l, request, e) != 0 || (request == AUTH_SASL && choose_mechanism(l, data, e) != 0))
		return -1;
	if (request == AUTH_MD5)
		memcpy(l->salt, data.p, sizeof(l->salt)); /* parse_auth saw to its length */
	l->request = request;
	return 0;
}

/* ---- the answer ---- */

static int answer_md5(struct login *l, struct slice password, struct err *e)
{
	unsigned char kept[DIGEST_MD5_BYTES];
	char answer[PASSWORD_MD5_CHARS];

	if (!password_md5(password, slice_str(l->user), kept) || !password_md5_answer(kept, l->salt, answer)) {
		err_set(e, ERR_AUTH_METHOD, "login: the server asks for md5, and this system's OpenSSL has none (FIPS mode)");
		err_hint(e, "Set password_encryption = scram-sha-256 on the server and the password again.");
		return -1;
	}
	message_password(&l->out, slice_of(answer, sizeof(answer)));
	mem_wipe(kept, sizeof(kept));
	mem_wipe(answer, sizeof(answer));
	return 0;
}

int login_secret_answer(struct login *l, struct slice secret, struct err *e)
{
	l->result->token = l->rq.secret->ops->kind == SECRET_IAM_TOKEN;
	if (l->request == AUTH_SASL)
		return login_scram_begin(l, secret, e);
	if (l->request == AUTH_MD5)
		return answer_md5(l, secret, e);
	secret_set(&l->sent, secret);
	message_password(&l->out, secret);
	return 0;
}
