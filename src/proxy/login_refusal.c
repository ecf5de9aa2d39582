/* A server says no: what that means, in whose words, and what to do about it. */
#include "config.h" /* for memmem */
#include "proxy/login_private.h"

#include <string.h>
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

#define TOKEN_TAIL_BYTES     32 /* half of a token's signature */
#define SECRET_TELLING_BYTES 8  /* less may be any word */

/* Does the server say our secret back to us? Its words go into the log and to the client. Of a token, which is longer
 * than what is kept of such words, the end is looked for, and what its middle is made of. */
static bool repeats_secret(const struct login *l, struct slice text)
{
	struct slice tail = secret_slice(&l->sent);

	if (tail.n < SECRET_TELLING_BYTES)
		return false;
	if (l->rq.secret->ops->kind == SECRET_IAM_TOKEN && memmem(text.p, text.n, "X-Amz-", 6))
		return true;
	if (l->rq.secret->ops->kind == SECRET_IAM_TOKEN && tail.n > TOKEN_TAIL_BYTES)
		tail = slice_of(tail.p + tail.n - TOKEN_TAIL_BYTES, TOKEN_TAIL_BYTES);
	return memmem(text.p, text.n, tail.p, tail.n) != NULL;
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
	if (repeats_secret(l, body)) {
		pe.message = slice_str("(the server's words repeat the secret and are left out)");
		pe.detail = pe.hint = slice_str("");
	}
	parse_error_to_err(&pe, code, e);
	if ((code == ERR_AUTH_IAM || code == ERR_AUTH_PASSWORD) && l->rq.secret->ops->explain) {
		login_secret_request(l, &rq);
		l->rq.secret->ops->explain(l->rq.secret, &rq, e);
	}
	hint = profile_refusal_hint(l->rq.target->profile, e->msg);
	if (hint)
		err_hint(e, "%s%s%s", hint, e->hint[0] ? " " : "", e->hint);
	return 0;
}
