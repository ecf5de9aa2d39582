/* auth_type and what belongs to it. The files are read here, so that a bad one is told at the start; the workers read
 * auth_file again themselves. */
#include "app/conf_build.h"
#include "base/digest.h"
#include "proxy/auth_store.h"
#include "proxy/hba.h"

static const char *place(const struct conf_builder *b, enum option_id id)
{
	return b->c->priv->values.set[id].where;
}

static void warn_exposed(struct conf_builder *b, enum option_id id, const char *what)
{
	conf_problem_note(b->p, LOG_WARNING, place(b, id), "%s: every local user may open it (its permissions): %s",
			  options_get(id)->name, what);
}

/* ---- auth_file ---- */

static void check_md5(struct conf_builder *b, bool needed)
{
	unsigned char md5[DIGEST_MD5_BYTES];
	struct err e;

	if (!needed || digest_md5(slice_str(""), md5))
		return;
	err_set(&e, ERR_CONFIG, "MD5 is needed, and this system's OpenSSL has none (FIPS mode)");
	err_hint(&e, "Use auth_type = scram-sha-256 and SCRAM secrets in auth_file.");
	conf_build_bad(b, NULL, OPT_AUTH_TYPE, &e);
}

/* Is a method used, by auth_type or by a line of auth_hba_file? */
static bool uses(const struct auth_opts *o, enum auth_type method)
{
	return o->type == method || (o->hba && hba_uses(o->hba, method) > 0);
}

static void build_users(struct conf_builder *b, const struct auth_opts *o)
{
	struct auth_users *u;
	struct err e;
	bool exposed = false;

	if (!o->file) {
		err_set(&e, ERR_CONFIG, "needs auth_file, where the users' secrets are");
		conf_build_bad(b, NULL, OPT_AUTH_TYPE, &e);
		return;
	}
	u = auth_store_read(o->file, &exposed, &e);
	if (!u) {
		conf_build_bad(b, NULL, OPT_AUTH_FILE, &e);
		return;
	}
	if (exposed)
		warn_exposed(b, OPT_AUTH_FILE, "its secrets are for pgiam alone");
	if (o->type == AUTH_TYPE_SCRAM && auth_users_count(u, AUTH_KIND_MD5) > 0)
		conf_problem_note(b->p, LOG_WARNING, place(b, OPT_AUTH_FILE),
				  "auth_file: users whose secret is md5 cannot log in with auth_type = scram-sha-256");
	check_md5(b, uses(o, AUTH_TYPE_MD5) || auth_users_count(u, AUTH_KIND_MD5) > 0);
	auth_users_free(u);
}

/* ---- auth_hba_file, auth_ident_file ---- */

/* The file's text; false, and told, if it cannot be had. */
static bool read_file(struct conf_builder *b, enum option_id id, struct buf *text)
{
	struct err e;

	buf_init_secret(text, AUTH_STORE_MAX);
	if (auth_store_text(conf_build_text(b, NULL, id), text, NULL, &e) == 0)
		return true;
	conf_build_bad(b, NULL, id, &e);
	return false;
}

static void bad_file(struct conf_builder *b, enum option_id id, struct err *e)
{
	err_prefix(e, "%s", conf_build_text(b, NULL, id));
	conf_build_bad(b, NULL, id, e);
}

static void build_ident(struct conf_builder *b)
{
	struct conf_private *priv = b->c->priv;
	struct buf text;
	struct err e;

	if (!conf_build_text(b, NULL, OPT_AUTH_IDENT_FILE))
		return;
	if (read_file(b, OPT_AUTH_IDENT_FILE, &text)) {
		priv->ident = hba_ident_parse(buf_slice(&text), &e);
		if (!priv->ident)
			bad_file(b, OPT_AUTH_IDENT_FILE, &e);
	}
	buf_free(&text);
	priv->opts.auth.ident = priv->ident;
}

static void check_hba(struct conf_builder *b, const struct hba *h)
{
	const char *map = hba_missing_map(h, b->c->priv->ident);
	unsigned line = hba_trusts_remote(h);
	struct err e;

	if (map) {
		err_set(&e, ERR_CONFIG, "auth_ident_file has no map \"%.64s\"", map);
		bad_file(b, OPT_AUTH_HBA_FILE, &e);
	}
	if (line > 0 && !conf_build_num(b, NULL, OPT_ALLOW_REMOTE_TRUST)) {
		err_set(&e, ERR_CONFIG, "line %u: other hosts are let in by trust", line);
		err_hint(&e, "Ask for a password or a certificate there, or, if the network in front of it is trusted, set "
			     "allow_remote_trust = 1.");
		bad_file(b, OPT_AUTH_HBA_FILE, &e);
	}
}

static void build_hba(struct conf_builder *b)
{
	struct conf_private *priv = b->c->priv;
	struct buf text;
	struct err e;

	if (!conf_build_text(b, NULL, OPT_AUTH_HBA_FILE)) {
		err_set(&e, ERR_CONFIG, "needs auth_hba_file");
		conf_build_bad(b, NULL, OPT_AUTH_TYPE, &e);
		return;
	}
	if (read_file(b, OPT_AUTH_HBA_FILE, &text)) {
		priv->hba = hba_parse(buf_slice(&text), &e);
		if (priv->hba)
			check_hba(b, priv->hba);
		else
			bad_file(b, OPT_AUTH_HBA_FILE, &e);
	}
	buf_free(&text);
	priv->opts.auth.hba = priv->hba;
}

/* ---- all of it ---- */

/* A certificate counts only if its chain was verified; where a CA is given, every one that is shown is. */
static void check_cert(struct conf_builder *b)
{
	const char *mode = conf_build_text(b, NULL, OPT_CLIENT_TLS_SSLMODE);
	struct err e;

	if (conf_build_text(b, NULL, OPT_CLIENT_TLS_CA_FILE) && strcmp(mode, "disable") != 0)
		return;
	err_set(&e, ERR_CONFIG, "cert needs TLS with client_tls_ca_file: clients' certificates are verified by it");
	conf_build_bad(b, NULL, OPT_AUTH_TYPE, &e);
}

void conf_build_auth(struct conf_builder *b)
{
	struct auth_opts *o = &b->c->priv->opts.auth;

	o->type = (enum auth_type)conf_build_num(b, NULL, OPT_AUTH_TYPE);
	o->file = conf_build_text(b, NULL, OPT_AUTH_FILE);
	digest_random(o->key, sizeof(o->key));
	build_ident(b);
	if (o->type == AUTH_TYPE_HBA) {
		build_hba(b);
		if (!o->hba)
			return;
	}
	if (uses(o, AUTH_TYPE_CERT))
		check_cert(b);
	if (uses(o, AUTH_TYPE_PLAIN) || uses(o, AUTH_TYPE_MD5) || uses(o, AUTH_TYPE_SCRAM)) {
		build_users(b, o);
		return;
	}
	if (o->file)
		conf_problem_note(b->p, LOG_WARNING, place(b, OPT_AUTH_FILE), "auth_file: not used with auth_type = %s%s",
				  conf_build_text(b, NULL, OPT_AUTH_TYPE),
				  o->type == AUTH_TYPE_TRUST ? ": see client_users" : "");
	o->file = NULL;
}
