/* A server says no: what that means, in whose words, and what to do about it. */
#include "config.h" /* for memmem */
#include "proxy/login_private.h"

#include <string.h>
#include "base/mask.h"
#include "pg/parse.h"

static enum err_code refusal_code(const struct login *l, const struct parse_error *pe)
{
	bool auth = slice_eq_str(pe->sqlstate, "28000") || slice_eq_str(pe->sqlstate, "28P01");
	enum secret_kind kind = l->rq.secret ? l->rq.secret->ops->kind : SECRET_NONE;

	if (!auth || login_is_let_in(l))
		return ERR_LOGIN_REFUSED;
	if (kind == SECRET_IAM_TOKEN)
		return ERR_AUTH_IAM;
	return kind == SECRET_PASSWORD ? ERR_AUTH_PASSWORD : ERR_LOGIN_REFUSED;
}

/* What of the secret nobody else may know. A token's is at its end: the session's token and the signature. */
static struct slice telling(const struct login *l)
{
	static const char *const from[] = {"X-Amz-Security-Token=", "X-Amz-Signature="};
	struct slice sent = secret_slice(&l->sent);
	const unsigned char *found = NULL;

	if (l->rq.secret->ops->kind != SECRET_IAM_TOKEN)
		return sent;
	for (size_t i = 0; i < sizeof(from) / sizeof(from[0]) && !found; i++)
		if ((found = memmem(sent.p, sent.n, from[i], strlen(from[i]))))
			found += strlen(from[i]);
	return found ? slice_of(found, sent.n - (size_t)(found - sent.p)) : sent;
}

/* Does the server say our secret back to us, or a piece of it? Its words go into the log and to the client. What a token's
 * middle is made of is looked for as well. That of an earlier login is not (doc/threat-model.md): whoever says that by mistake
 * would have had to keep it. */
static bool repeats_secret(const struct login *l, const struct parse_error *pe, struct slice body)
{
	struct mask m = {NULL, NULL};
	bool found;

	if (l->sent.n < MASK_SECRET_MIN_BYTES)
		return false;
	if (l->rq.secret->ops->kind == SECRET_IAM_TOKEN && memmem(body.p, body.n, "X-Amz-", 6))
		return true;
	mask_add(&m, telling(l));
	found = mask_finds(&m, pe->message) || mask_finds(&m, pe->detail) || mask_finds(&m, pe->hint);
	mask_fini(&m);
	return found;
}

int login_refusal(const struct login *l, struct slice body, struct err *e)
{
	struct parse_error pe;
	struct secret_request rq;
	enum err_code code;
	const char *hint;

	if (parse_error(body, &pe) != 0)
		return -1;
	code = refusal_code(l, &pe);
	if (repeats_secret(l, &pe, body)) {
		pe.message = slice_str("(the server's words repeat the secret and are left out)");
		pe.detail = pe.hint = slice_str("");
	}
	parse_error_to_err(&pe, code, e);
	if ((code == ERR_AUTH_IAM || code == ERR_AUTH_PASSWORD) && l->rq.secret->ops->explain) {
		login_secret_request(l, &rq);
		l->rq.secret->ops->explain(l->rq.secret, &rq, l->secret_no, e);
	}
	hint = profile_refusal_hint(l->rq.target->profile, e->msg);
	if (hint)
		err_hint(e, "%s%s%s", hint, e->hint[0] ? " " : "", e->hint);
	return 0;
}
