/* auth_type and what belongs to it. The files are read here once, so that a bad one is told at the start; the workers read
 * auth_file themselves. */
#include "app/conf_build.h"
#include "base/digest.h"
#include "proxy/auth_store.h"

static void note(struct conf_builder *b, const char *text)
{
	const struct conf_setting *s = &b->c->priv->values.set[OPT_AUTH_FILE];

	conf_problem_note(b->p, LOG_WARNING, s->where, "%s", text);
}

static void check_file(struct conf_builder *b, enum auth_type type, const char *file)
{
	unsigned char md5[DIGEST_MD5_BYTES];
	struct auth_users *u;
	struct err e;
	bool exposed = false;

	u = auth_store_read(file, &exposed, &e);
	if (!u) {
		conf_build_bad(b, NULL, OPT_AUTH_FILE, &e);
		return;
	}
	if (exposed)
		note(b, "auth_file: every local user may open it (its permissions): its secrets are for pgiam alone");
	if (type == AUTH_TYPE_SCRAM && auth_users_count(u, AUTH_KIND_MD5) > 0)
		note(b, "auth_file: users whose secret is md5 cannot log in with auth_type = scram-sha-256");
	if ((type == AUTH_TYPE_MD5 || auth_users_count(u, AUTH_KIND_MD5) > 0) && !digest_md5(slice_str(""), md5)) {
		err_set(&e, ERR_CONFIG, "MD5 is needed, and this system's OpenSSL has none (FIPS mode)");
		err_hint(&e, "Use auth_type = scram-sha-256 and SCRAM secrets in auth_file.");
		conf_build_bad(b, NULL, OPT_AUTH_TYPE, &e);
	}
	auth_users_free(u);
}

void conf_build_auth(struct conf_builder *b)
{
	struct auth_opts *o = &b->c->priv->opts.auth;
	struct err e;

	o->type = (enum auth_type)conf_build_num(b, NULL, OPT_AUTH_TYPE);
	o->file = conf_build_text(b, NULL, OPT_AUTH_FILE);
	digest_random(o->key, sizeof(o->key));
	if (o->type == AUTH_TYPE_TRUST) {
		if (o->file)
			note(b, "auth_file: not used with auth_type = trust: see client_users");
		o->file = NULL;
		return;
	}
	if (!o->file) {
		err_set(&e, ERR_CONFIG, "needs auth_file, where the users' secrets are");
		conf_build_bad(b, NULL, OPT_AUTH_TYPE, &e);
		return;
	}
	check_file(b, o->type, o->file);
}
