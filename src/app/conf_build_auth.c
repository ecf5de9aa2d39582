/* auth_type and what belongs to it. The files are read here, so that a bad one is told at the start; who serves follows
 * them (proxy/auth_store.h). */
#include "app/conf_build.h"
#include "base/digest.h"
#include "proxy/auth_store.h"

static const char *place(const struct conf_builder *b, enum option_id id)
{
	return b->c->priv->values.set[id].where;
}

static void bad_type(struct conf_builder *b, const char *why)
{
	struct err e;

	err_set(&e, ERR_CONFIG, "%s", why);
	conf_builder_bad(b, NULL, OPT_AUTH_TYPE, &e);
}

/* ---- what each type needs ---- */

static const struct {
	bool users, hba;   /* auth_file, auth_hba_file: read */
	bool needs_users;  /* and wanted */
	bool certificates;
} wants[] = {
	[AUTH_TYPE_PLAIN] = {.users = true, .needs_users = true},
	[AUTH_TYPE_MD5] = {.users = true, .needs_users = true},
	[AUTH_TYPE_SCRAM] = {.users = true, .needs_users = true},
	[AUTH_TYPE_CERT] = {.certificates = true},
	[AUTH_TYPE_HBA] = {.users = true, .hba = true}, /* a line may come to need secrets while pgiam runs */
	[AUTH_TYPE_REJECT] = {0},
};

/* A certificate counts only if its chain was verified; where a CA is given, every one that is shown is. */
static bool certificates_are_verified(const struct conf_builder *b)
{
	return conf_builder_text(b, NULL, OPT_CLIENT_TLS_CA_FILE) &&
	       strcmp(conf_builder_text(b, NULL, OPT_CLIENT_TLS_SSLMODE), "disable") != 0;
}

/* ---- the files ---- */

static const enum option_id options[] = {
	[AUTH_FILE_USERS] = OPT_AUTH_FILE,
	[AUTH_FILE_HBA] = OPT_AUTH_HBA_FILE,
	[AUTH_FILE_IDENT] = OPT_AUTH_IDENT_FILE,
};

static void on_bad(void *arg, enum auth_file which, struct err *e)
{
	conf_builder_bad(arg, NULL, options[which], e);
}

static void check_md5(struct conf_builder *b)
{
	unsigned char md5[DIGEST_MD5_BYTES];
	struct err e;

	if (digest_md5(slice_str(""), md5))
		return;
	err_set(&e, ERR_CONFIG, "MD5 is needed, and this system's OpenSSL has none (FIPS mode)");
	err_hint(&e, "Use auth_type = scram-sha-256 and SCRAM secrets in auth_file.");
	conf_builder_bad(b, NULL, OPT_AUTH_TYPE, &e);
}

static void look_at(struct conf_builder *b, const struct auth_opts *o)
{
	struct auth_summary is;

	auth_store_summary(o->store, &is);
	if (is.exposed)
		conf_problem_note(b->p, LOG_WARNING, place(b, OPT_AUTH_FILE),
				  "auth_file: every local user may open it (its permissions): its secrets are for pgiam alone");
	if (o->type == AUTH_TYPE_SCRAM && is.users[AUTH_KIND_MD5] > 0)
		conf_problem_note(b->p, LOG_WARNING, place(b, OPT_AUTH_FILE),
				  "auth_file: users whose secret is md5 cannot log in with auth_type = scram-sha-256");
	if (o->type == AUTH_TYPE_MD5 || is.uses_md5 || is.users[AUTH_KIND_MD5] > 0)
		check_md5(b);
}

/* A file that is given and not used: whoever wrote it may think that it guards something. */
static void warn_unused(struct conf_builder *b, enum auth_file which)
{
	if (conf_builder_text(b, NULL, options[which]))
		conf_problem_note(b->p, LOG_WARNING, place(b, options[which]), "%s: not used with auth_type = %s%s",
				  options_get(options[which])->name, conf_builder_text(b, NULL, OPT_AUTH_TYPE),
				  which == AUTH_FILE_USERS && b->c->priv->opts.auth.type == AUTH_TYPE_TRUST ? ": see client_users" : "");
}

void conf_build_auth(struct conf_builder *b)
{
	struct auth_opts *o = &b->c->priv->opts.auth;
	struct auth_store_opts files = {
		.path = {[AUTH_FILE_IDENT] = conf_builder_text(b, NULL, OPT_AUTH_IDENT_FILE)},
		.remote_trust = conf_builder_num(b, NULL, OPT_ALLOW_REMOTE_TRUST),
		.certificates = certificates_are_verified(b),
	};
	const char *users = conf_builder_text(b, NULL, OPT_AUTH_FILE);

	o->type = (enum auth_type)conf_builder_num(b, NULL, OPT_AUTH_TYPE);
	digest_random(o->key, sizeof(o->key));
	if (wants[o->type].users)
		files.path[AUTH_FILE_USERS] = users;
	else
		warn_unused(b, AUTH_FILE_USERS);
	if (wants[o->type].hba) {
		files.path[AUTH_FILE_HBA] = conf_builder_text(b, NULL, OPT_AUTH_HBA_FILE);
	} else {
		warn_unused(b, AUTH_FILE_HBA);
		warn_unused(b, AUTH_FILE_IDENT);
	}
	if (wants[o->type].needs_users && !users)
		bad_type(b, "needs auth_file, where the users' secrets are");
	if (wants[o->type].hba && !files.path[AUTH_FILE_HBA])
		bad_type(b, "needs auth_hba_file");
	if (wants[o->type].certificates && !files.certificates)
		bad_type(b, "cert needs TLS with client_tls_ca_file: clients' certificates are verified by it");
	b->c->auth = o->store = auth_store_new(&files, on_bad, b);
	if (o->store)
		look_at(b, o);
}
