/* [pgiam]: listeners, restrictions, limits, and what holds between them. */
#include <grp.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "app/conf_build.h"
#include "app/conf_listen.h"
#include "base/mem.h"
#include "http/host.h"

/* Lookups of names run on threads of their own; a resolver that does not answer must not collect them without
 * end. */
#define RESOLVER_THREADS   4
#define RESOLVER_PENDING   256
#define RESOLVER_STALE_SEC 3600

static void bad(struct conf_builder *b, enum option_id id, const char *text, const char *hint)
{
	struct err e;

	err_set(&e, ERR_CONFIG, "%s", text);
	if (hint)
		err_hint(&e, "%s", hint);
	conf_builder_bad(b, NULL, id, &e);
}

/* ---- where clients connect ---- */

/* Does listen stand, or listen_addr with listen_port? The stronger source's. */
static bool listen_wins(struct conf_builder *b)
{
	const struct conf_setting *pairs = conf_builder_setting(b, NULL, OPT_LISTEN),
				  *hosts = conf_builder_setting(b, NULL, OPT_LISTEN_ADDR),
				  *port = conf_builder_setting(b, NULL, OPT_LISTEN_PORT);
	enum conf_rank other = hosts->rank > port->rank ? hosts->rank : port->rank;

	if (!pairs->text || !*pairs->text)
		return false;
	if (pairs->rank == other)
		bad(b, OPT_LISTEN, "stands in place of listen_addr and listen_port, which are set as well",
		    "Leave one of them out.");
	return pairs->rank >= other;
}

static bool is_number(const char *name)
{
	return strspn(name, "0123456789") == strlen(name) && strlen(name) < 10;
}

static int group_id(const char *name, gid_t *gid, struct err *e)
{
	struct group gr, *found = NULL;
	char buffer[16384];

	if (is_number(name)) {
		*gid = (gid_t)strtoul(name, NULL, 10);
		return 0;
	}
	if (getgrnam_r(name, &gr, buffer, sizeof(buffer), &found) != 0 || !found)
		return err_set(e, ERR_CONFIG, "there is no group \"%s\" on this machine", name);
	*gid = found->gr_gid;
	return 0;
}

static void add_tcp(struct conf_builder *b, struct conf_listen_list *l)
{
	bool pairs = listen_wins(b);
	enum option_id id = pairs ? OPT_LISTEN : OPT_LISTEN_ADDR;
	const char *text = conf_builder_text(b, NULL, id);
	uint16_t port = (uint16_t)conf_builder_num(b, NULL, OPT_LISTEN_PORT);
	struct err e;

	if (!text)
		return;
	if ((pairs ? conf_listen_add_pairs(l, text, &e) : conf_listen_add_hosts(l, text, port, &e)) != 0) {
		conf_builder_bad(b, NULL, id, &e);
		return;
	}
	if (conf_builder_setting(b, NULL, id)->rank == CONF_RANK_DEFAULT) /* nobody asked for ::1 */
		for (size_t i = 0; i < l->n; i++)
			l->v[i].optional = l->v[i].addr.ss.ss_family == AF_INET6;
	for (size_t i = 0; i < l->n; i++) {
		if (conf_may_listen(b->c, &l->v[i].addr, &e) < 0)
			conf_builder_bad(b, NULL, id, &e);
	}
}

static void build_unix_access(struct conf_builder *b)
{
	const char *name = conf_builder_text(b, NULL, OPT_UNIX_SOCKET_GROUP);
	struct listen_opts *o = &b->c->listen_opts;
	struct err e;

	o->unix_mode = (mode_t)conf_builder_num(b, NULL, OPT_UNIX_SOCKET_MODE);
	o->unix_gid_set = name != NULL;
	if (name && group_id(name, &o->unix_gid, &e) != 0)
		conf_builder_bad(b, NULL, OPT_UNIX_SOCKET_GROUP, &e);
}

static void add_unix(struct conf_builder *b, struct conf_listen_list *l)
{
	const char *dir = conf_builder_text(b, NULL, OPT_UNIX_SOCKET_DIR);
	uint16_t port = (uint16_t)conf_builder_num(b, NULL, OPT_LISTEN_PORT);
	struct err e;

	if (!dir)
		return;
	if (conf_listen_add_unix(l, dir, port, &e) != 0)
		conf_builder_bad(b, NULL, OPT_UNIX_SOCKET_DIR, &e);
	else if (dir[0] == '@' && !conf_builder_text(b, NULL, OPT_CLIENT_UIDS))
		conf_problem_note(b->p, LOG_WARNING, conf_builder_setting(b, NULL, OPT_UNIX_SOCKET_DIR)->where,
				  "unix_socket_dir: an abstract socket has no permissions, every local user "
				  "may open it; see "
				  "client_uids");
}

static bool is_named(struct conf_builder *b, enum option_id id)
{
	return conf_builder_setting(b, NULL, id)->rank > CONF_RANK_DEFAULT && conf_builder_text(b, NULL, id);
}

static void build_listen(struct conf_builder *b)
{
	struct conf_listen_list clients = {0}, http = {0};
	const char *text = conf_builder_text(b, NULL, OPT_HTTP_LISTEN);
	struct err e;

	b->c->remote_allowed = conf_builder_num(b, NULL, OPT_ALLOW_REMOTE_TRUST) != 0 ||
			       conf_builder_num(b, NULL, OPT_AUTH_TYPE) != AUTH_TYPE_TRUST;
	b->c->listen_named = is_named(b, OPT_LISTEN) || is_named(b, OPT_LISTEN_ADDR) || is_named(b, OPT_UNIX_SOCKET_DIR);
	b->c->http_named = is_named(b, OPT_HTTP_LISTEN);
	add_tcp(b, &clients);
	add_unix(b, &clients);
	if (clients.n == 0 && b->p->errors == 0)
		conf_problem_note(b->p, LOG_WARNING, conf_builder_setting(b, NULL, OPT_LISTEN_ADDR)->where,
				  "listen_addr: there is no address to listen on, unless a service manager passes sockets "
				  "on: set listen_addr or unix_socket_dir");
	if (text && conf_listen_add_pairs(&http, text, &e) != 0)
		conf_builder_bad(b, NULL, OPT_HTTP_LISTEN, &e);
	b->c->listen = clients.v;
	b->c->listen_count = clients.n;
	b->c->http = http.v;
	b->c->http_count = http.n;
	b->c->listen_opts.backlog = (int)conf_builder_num(b, NULL, OPT_LISTEN_BACKLOG);
	build_unix_access(b);
}

/* ---- who may connect ---- */

/* The items of a list, NULL-terminated, or NULL if there are none. */
static char **words(struct conf_builder *b, enum option_id id, size_t *count)
{
	const char *rest = conf_builder_text(b, NULL, id);
	char **out = NULL;
	struct slice item;
	size_t n = 0;

	while (rest && options_item(&rest, &item)) {
		out = mem_resize(out, (n + 2) * sizeof(*out));
		out[n++] = slice_dup(item);
		out[n] = NULL;
	}
	if (count)
		*count = n;
	return out;
}

/* A list of those who may: an empty one is an error, not "all". */
static char **permitted(struct conf_builder *b, enum option_id id, size_t *count)
{
	char **out = words(b, id, count);

	if (!out && conf_builder_setting(b, NULL, id)->text)
		bad(b, id, "is empty", "Leave it out to let everybody in, or say who may.");
	return out;
}

static void build_http_host_names(struct conf_builder *b)
{
	struct conf_private *priv = b->c->priv;

	priv->http_host_names = words(b, OPT_HTTP_HOST_NAMES, NULL);
	b->c->http_host_names = (const char *const *)priv->http_host_names;
	for (const char *const *n = b->c->http_host_names; n && *n; n++)
		if (strchr(*n, ':') || host_check(slice_str(*n), b->c->http_host_names) != HOST_OK)
			bad(b, OPT_HTTP_HOST_NAMES, "holds something that is no host name",
			    "Write names only, without ports, schemes or wildcards.");
}

static void build_client_users(struct conf_builder *b)
{
	struct conf_private *priv = b->c->priv;

	priv->client_users = permitted(b, OPT_CLIENT_USERS, NULL);
	priv->opts.client_users = (const char *const *)priv->client_users;
	priv->ignore_startup = words(b, OPT_IGNORE_STARTUP_PARAMETERS, NULL);
	priv->opts.ignore_startup = (const char *const *)priv->ignore_startup;
}

static int user_id(const char *name, uid_t *uid, struct err *e)
{
	struct passwd pw, *found = NULL;
	char buffer[16384];

	if (is_number(name)) {
		*uid = (uid_t)strtoul(name, NULL, 10);
		return 0;
	}
	if (getpwnam_r(name, &pw, buffer, sizeof(buffer), &found) != 0 || !found)
		return err_set(e, ERR_CONFIG, "there is no user \"%s\" on this machine", name);
	*uid = found->pw_uid;
	return 0;
}

static void build_client_uids(struct conf_builder *b)
{
	struct conf_private *priv = b->c->priv;
	size_t n;
	char **names = permitted(b, OPT_CLIENT_UIDS, &n);
	struct err e;

	if (!names)
		return;
	priv->client_uids = mem_array(n, sizeof(*priv->client_uids));
	for (size_t i = 0; i < n; i++) {
		if (user_id(names[i], &priv->client_uids[i], &e) != 0)
			conf_builder_bad(b, NULL, OPT_CLIENT_UIDS, &e);
		free(names[i]);
	}
	free(names);
	priv->opts.client_uids = priv->client_uids;
	priv->opts.client_uid_count = n;
}

/* ---- the rest ---- */

static void build_opts(struct conf_builder *b)
{
	struct proxy_opts *o = &b->c->priv->opts;

	o->max_client_conn = (uint32_t)conf_builder_num(b, NULL, OPT_MAX_CLIENT_CONN);
	o->max_pools = (uint32_t)conf_builder_num(b, NULL, OPT_MAX_POOLS);
	o->client_login_timeout_us = (uint64_t)conf_builder_num(b, NULL, OPT_CLIENT_LOGIN_TIMEOUT);
	o->client_idle_timeout_us = (uint64_t)conf_builder_num(b, NULL, OPT_CLIENT_IDLE_TIMEOUT);
	o->cancel_wait_timeout_us = (uint64_t)conf_builder_num(b, NULL, OPT_CANCEL_WAIT_TIMEOUT);
	o->keepalive.keepalive = conf_builder_num(b, NULL, OPT_TCP_KEEPALIVE) != 0;
	o->keepalive.keepcnt = (int)conf_builder_num(b, NULL, OPT_TCP_KEEPCNT);
	o->keepalive.keepidle_sec = (int)conf_builder_num(b, NULL, OPT_TCP_KEEPIDLE);
	o->keepalive.keepintvl_sec = (int)conf_builder_num(b, NULL, OPT_TCP_KEEPINTVL);
	o->keepalive.user_timeout_ms = (int)conf_builder_num(b, NULL, OPT_TCP_USER_TIMEOUT);
	o->log_connections = conf_builder_num(b, NULL, OPT_LOG_CONNECTIONS) != 0;
	o->log_disconnections = conf_builder_num(b, NULL, OPT_LOG_DISCONNECTIONS) != 0;
	o->workers = b->c->workers;
}

/* A limit that is shared out must give every worker something. */
static void check_shares(struct conf_builder *b)
{
	const struct conf_values *v = &b->c->priv->values;
	struct err e;

	for (size_t id = 0; id < OPT_COUNT; id++) {
		if (!options_get(id)->shared)
			continue;
		for (size_t i = 0; i <= v->db_count; i++) { /* [pgiam]'s, then each database's own */
			const struct conf_database *db = i ? &v->db[i - 1] : NULL;
			const struct conf_setting *s = db ? &db->set[id] : &v->set[id];
			if (!s->text || s->v.num == 0 || s->v.num >= b->c->workers)
				continue;
			err_set(&e, ERR_CONFIG, "%s%s is too little for %u workers, which share it", s->text,
				s->where ? "" : " (the default)", b->c->workers);
			conf_builder_bad(b, db, (enum option_id)id, &e);
		}
	}
}

void conf_build_global(struct conf_builder *b)
{
	struct conf *c = b->c;

	c->workers = (unsigned)conf_builder_num(b, NULL, OPT_WORKERS);
	c->resolver = (struct resolver_opts){
		.threads = RESOLVER_THREADS,
		.max_pending = RESOLVER_PENDING,
		.ttl_us = (uint64_t)conf_builder_num(b, NULL, OPT_DNS_MAX_TTL),
		.neg_ttl_us = (uint64_t)conf_builder_num(b, NULL, OPT_DNS_NXDOMAIN_TTL),
		.stale_us = RESOLVER_STALE_SEC * CLOCK_US_PER_SEC,
	};
	c->log_level = conf_builder_num(b, NULL, OPT_VERBOSE) > 0
			       ? LOG_DEBUG
			       : (enum log_level)conf_builder_num(b, NULL, OPT_LOG_LEVEL);
	c->log_format = (enum log_format)conf_builder_num(b, NULL, OPT_LOG_FORMAT);
	c->logfile = mem_strdup(conf_builder_text(b, NULL, OPT_LOGFILE));
	c->pidfile = mem_strdup(conf_builder_text(b, NULL, OPT_PIDFILE));
	c->credential_provider = conf_builder_text(b, NULL, OPT_CREDENTIAL_PROVIDER);
	c->shutdown_timeout_us = (uint64_t)conf_builder_num(b, NULL, OPT_SHUTDOWN_TIMEOUT);
	build_listen(b);
	build_http_host_names(b);
	build_client_users(b);
	build_client_uids(b);
	conf_build_auth(b);
	conf_build_client_tls(b);
	build_opts(b);
	check_shares(b);
}
