/* The configuration in words, for `pgiam check`. */
#include "app/conf_private.h"
#include "aws/region_finder.h"
#include "proxy/auth_store.h"

static void list(struct buf *out, const struct conf_listen *v, size_t n)
{
	for (size_t i = 0; i < n; i++)
		buf_printf(out, "%s%s", i ? ", " : "", v[i].text);
	if (n == 0)
		buf_add_str(out, "nowhere");
	buf_add_char(out, '\n');
}

static const char *tls_text(const struct proxy_opts *o)
{
	if (!o->client_tls)
		return "refused";
	return o->client_tls_required ? "required" : "for those that ask";
}

static void describe_client_tls(struct tls_live *live, struct buf *out)
{
	struct tls_ctx *tls = tls_live_get(live, clock_system(), NULL);
	const struct tls_opts *o = tls_ctx_opts(tls);

	if (o->cert_file)
		buf_printf(out, " with certificate %s", o->cert_file);
	if (o->ca_file)
		buf_printf(out, ", client certificates %s by %s",
			   o->verify == TLS_VERIFY_CHAIN ? "required" : "verified", o->ca_file);
	tls_ctx_unref(tls);
}

/* Counted, and nothing of what is in them. */
static void describe_auth(const struct conf *c, struct buf *out)
{
	struct auth_summary is;

	auth_store_summary(c->auth, &is);
	buf_printf(out, "           auth_type %s\n", c->priv->values.set[OPT_AUTH_TYPE].text);
	if (is.path[AUTH_FILE_USERS])
		buf_printf(out, "           auth_file %s: users with a secret of SCRAM %zu, of md5 %zu, in clear %zu\n",
			   is.path[AUTH_FILE_USERS], is.users[AUTH_KIND_SCRAM], is.users[AUTH_KIND_MD5],
			   is.users[AUTH_KIND_PLAIN]);
	if (is.path[AUTH_FILE_HBA])
		buf_printf(out, "           auth_hba_file %s: lines %zu\n", is.path[AUTH_FILE_HBA], is.lines);
	if (is.path[AUTH_FILE_IDENT])
		buf_printf(out, "           auth_ident_file %s: lines %zu\n", is.path[AUTH_FILE_IDENT], is.mappings);
}

static void describe_clients(const struct conf *c, struct buf *out)
{
	const struct proxy_opts *o = &c->priv->opts;

	buf_add_str(out, "clients    ");
	list(out, c->listen, c->listen_count);
	buf_printf(out, "           TLS %s", tls_text(o));
	if (o->client_tls)
		describe_client_tls(o->client_tls, out);
	buf_printf(out, "; at most %u\n", o->max_client_conn);
	describe_auth(c, out);
	if (o->client_users) {
		buf_add_str(out, "           database users:");
		for (const char *const *u = o->client_users; *u; u++)
			buf_printf(out, " %s", *u);
		buf_add_char(out, '\n');
	}
	if (o->client_uids) {
		buf_add_str(out, "           processes of uid:");
		for (size_t i = 0; i < o->client_uid_count; i++)
			buf_printf(out, " %lu", (unsigned long)o->client_uids[i]);
		buf_add_char(out, '\n');
	}
	buf_add_str(out, "metrics    ");
	list(out, c->http, c->http_count);
}

static void describe_limit(struct buf *out, const char *name, uint32_t v)
{
	if (v)
		buf_printf(out, ", %s %u", name, v);
}

static void describe_rate(struct buf *out, const struct target *t)
{
	if (t->login_rate > 0)
		buf_printf(out, ", logins a second %g to start with", t->login_rate);
	if (t->login_rate > 0 && t->login_rate_max > 0)
		buf_printf(out, ", %g at most", t->login_rate_max);
}

static void describe_server_tls(const struct target *t, struct buf *out)
{
	struct tls_ctx *tls = tls_live_get(t->tls, clock_system(), NULL);
	const struct tls_opts *o = tls_ctx_opts(tls);

	if (o->verify == TLS_VERIFY_FULL)
		buf_printf(out, " of %s by %s", t->tls_name, tls_ctx_ca_text(tls));
	else if (o->verify == TLS_VERIFY_CHAIN)
		buf_printf(out, " by %s", tls_ctx_ca_text(tls));
	if (o->cert_file)
		buf_printf(out, " with certificate %s", o->cert_file);
	if (t->tls_start == TARGET_TLS_DIRECT)
		buf_add_str(out, ", direct");
	tls_ctx_unref(tls);
}

/* Whose AWS credentials. */
static void describe_identity(const struct conf *c, uint32_t identity, struct buf *out)
{
	const struct aws_identity *who = &c->identities[identity];

	buf_add_str(out, "           identity ");
	identity_text(who, out);
	if (who->external_id)
		buf_add_str(out, ", with external id");
	if (!who->profile && c->credential_provider)
		buf_printf(out, ", from %s only", c->credential_provider);
	buf_add_char(out, '\n');
}

/* Who logs in. */
static const char *user_text(const struct target *t)
{
	if (t->auth == TARGET_AUTH_REDSHIFT)
		return "as Redshift answers";
	if (t->user)
		return t->user;
	return t->auth == TARGET_AUTH_SECRET ? "as the secret says, else as asked" : "as asked";
}

static void describe_secret(const struct target *t, const struct conf_secret *s, struct buf *out)
{
	switch (t->auth) {
	case TARGET_AUTH_IAM:
		buf_printf(out, " for %s:%u in %s", t->iam_host, t->iam_port, region_finder_text(s->region));
		break;
	case TARGET_AUTH_SECRET: buf_printf(out, " %s in %s", s->secret_id, region_finder_text(s->region)); break;
	case TARGET_AUTH_REDSHIFT:
		buf_printf(out, " %s of ", redshift_call_name(s->redshift.call));
		redshift_text(&s->redshift, out);
		break;
	case TARGET_AUTH_PASSWORD:
	case TARGET_AUTH_NONE: break;
	}
}

static void describe_target(const struct conf *c, const struct conf_target *ct, struct buf *out)
{
	const struct target *t = &ct->whole;

	buf_printf(out, "database   %s\n           server %s", t->name, t->host);
	if (t->host[0] != '/')
		buf_printf(out, ":%u", t->port);
	if (t->hostaddr)
		buf_printf(out, " at %s", t->hostaddr);
	buf_printf(out, ", database %s, user %s\n", t->dbname ? t->dbname : "as asked", user_text(t));
	buf_printf(out, "           auth %s", ct->auth_text);
	describe_secret(t, &c->secrets[t->secret_index], out);
	buf_printf(out, ", TLS %s", ct->tls_text);
	if (t->tls)
		describe_server_tls(t, out);
	buf_printf(out, ", profile %s\n", t->profile->name);
	if (conf_auth_signs(t->auth))
		describe_identity(c, c->secrets[t->secret_index].identity, out);
	buf_printf(out, "           pool_size %u", t->pool_size);
	describe_limit(out, "min_pool_size", t->min_pool_size);
	describe_limit(out, "max_db_connections", t->max_db_connections);
	describe_rate(out, t);
	buf_add_char(out, '\n');
	if (t->profile->pinned_by)
		buf_printf(out, "           %s pins a session at: %s\n", t->profile->name, t->profile->pinned_by);
}

static void describe_worker(const struct conf_worker *w, struct buf *out)
{
	const struct proxy_opts *o = &w->opts;

	buf_printf(out, "worker %-3u max_client_conn %u, max_pools %u\n", o->worker, o->max_client_conn,
		   o->max_pools);
	for (size_t i = 0; i < o->target_count; i++) {
		const struct target *t = o->targets[i];
		buf_printf(out, "           %s: pool_size %u", t->name, t->pool_size);
		describe_limit(out, "min_pool_size", t->min_pool_size);
		describe_limit(out, "max_db_connections", t->max_db_connections);
		buf_printf(out, ", login_parallel %u", t->login_parallel);
		describe_rate(out, t);
		buf_add_char(out, '\n');
	}
}

int conf_describe(struct conf *c, struct buf *out)
{
	describe_clients(c, out);
	for (size_t i = 0; i < c->priv->target_count; i++)
		describe_target(c, &c->priv->targets[i], out);
	buf_printf(out, "workers    %u%s\n", c->workers,
		   c->workers > 1 ? "; each keeps to its share of the limits above:" : "");
	for (unsigned i = 0; c->workers > 1 && i < c->workers; i++) {
		struct conf_worker *w = conf_worker_new(c, i);
		describe_worker(w, out);
		conf_worker_free(w);
	}
	return out->full ? -1 : 0;
}
