/* The configuration's life: references, its end, and the workers' shares of it. */
#include <stdlib.h>
#include <string.h>
#include "app/conf_listen.h"
#include "app/conf_private.h"
#include "base/mem.h"
#include "proxy/auth_store.h"

static void words_free(char **words)
{
	for (char **w = words; w && *w; w++)
		free(*w);
	free(words);
}

static void conf_free(struct conf *c)
{
	struct conf_private *priv = c->priv;

	for (size_t i = 0; i < priv->target_count; i++)
		target_fini(&priv->targets[i].whole);
	free(priv->targets);
	words_free(priv->client_users);
	words_free(priv->ignore_startup);
	words_free(priv->http_host_names);
	free(priv->client_uids);
	auth_store_unref(c->auth);
	tls_live_unref(priv->opts.client_tls);
	conf_values_free(&priv->values);
	free(priv);
	for (size_t i = 0; i < c->tls_count; i++)
		tls_live_unref(c->tls[i].live);
	free(c->tls);
	for (size_t i = 0; i < c->secret_count; i++) {
		free(c->secrets[i].region);
		free(c->secrets[i].secret_id);
		free(c->secrets[i].redshift_name);
		free(c->secrets[i].password_file);
		mem_free_str_wipe(c->secrets[i].password);
	}
	free(c->secrets);
	free(c->identities);
	conf_listen_free(c->listen, c->listen_count);
	conf_listen_free(c->http, c->http_count);
	free(c->file);
	free(c->logfile);
	free(c->pidfile);
	free(c);
}

struct conf *conf_ref(struct conf *c)
{
	__atomic_add_fetch(&c->refs, 1, __ATOMIC_RELAXED);
	return c;
}

void conf_unref(struct conf *c)
{
	if (c && __atomic_sub_fetch(&c->refs, 1, __ATOMIC_ACQ_REL) == 0)
		conf_free(c);
}

/* A worker's share of a limit: the first ones take what does not divide. 0 is no limit, and stays. */
static uint32_t share(uint32_t whole, const struct proxy_opts *o)
{
	return whole / o->workers + (o->worker < whole % o->workers);
}

static struct target *target_share(const struct target *whole, const struct proxy_opts *o)
{
	struct target t;

	target_copy(&t, whole);
	t.pool_size = share(whole->pool_size, o);
	t.min_pool_size = share(whole->min_pool_size, o);
	t.max_db_connections = share(whole->max_db_connections, o);
	t.login_parallel = share(whole->login_parallel, o);
	t.login_rate = whole->login_rate / o->workers;
	t.login_rate_max = whole->login_rate_max / o->workers;
	return target_new(&t);
}

struct conf_worker *conf_worker_new(struct conf *c, unsigned index)
{
	struct conf_worker *w = mem_zalloc(sizeof(*w));
	struct proxy_opts *o = &w->opts;
	struct target **targets = mem_array(c->priv->target_count, sizeof(*targets));

	w->conf = conf_ref(c);
	*o = c->priv->opts;
	o->worker = index;
	o->max_client_conn = share(o->max_client_conn, o);
	o->max_pools = share(o->max_pools, o);
	for (size_t i = 0; i < c->priv->target_count; i++)
		targets[i] = target_share(&c->priv->targets[i].whole, o);
	o->targets = targets;
	o->target_count = c->priv->target_count;
	return w;
}

void conf_worker_free(struct conf_worker *w)
{
	if (!w)
		return;
	for (size_t i = 0; i < w->opts.target_count; i++)
		target_unref(w->opts.targets[i]);
	free((void *)(uintptr_t)w->opts.targets); /* made by conf_worker_new, const for its readers */
	conf_unref(w->conf);
	free(w);
}

int conf_may_listen(const struct conf *c, const struct addr *a, struct err *e)
{
	char text[ADDR_TEXT];

	if (c->remote_allowed || addr_is_loopback(a))
		return 0;
	err_set(e, ERR_CONFIG,
		"%s can be reached from other hosts, and with auth_type = trust whoever reaches it is let in",
		addr_text(a, text));
	err_hint(e, "Listen on 127.0.0.1 and ::1, or, if the network in front of it is trusted, set "
		    "allow_remote_trust = 1.");
	return -1;
}
