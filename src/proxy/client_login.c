/* From the first byte to the welcome. Everything here is reachable without any authentication: sizes are small and
 * fixed, every packet kind is accepted at most once, exactly one StartupMessage is ever read (pitfalls 1-3, 10, 73), and
 * nothing is buffered when TLS starts. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "io/peer.h"
#include "pg/message.h"
#include "pg/msg.h"
#include "proxy/client.h"
#include "proxy/startup_policy.h"

#define READ_CHUNK 4096

static void refuse(struct client *c, enum err_code code, const char *what)
{
	struct err e;

	err_set(&e, code, "%s", what);
	client_fail(c, &e);
}

/* A second request of a kind is taken for a protocol version, as by PostgreSQL. */
static void refuse_version(struct client *c, uint32_t version)
{
	struct err e;

	startup_err_version(version, &e);
	client_fail(c, &e);
}

/* ---- TLS and GSS requests ---- */

/* PostgreSQL checks this for either answer: bytes that came before the answer could have been put there by somebody
 * on the line. */
static bool nothing_behind(struct client *c, size_t packet, const char *what)
{
	if (c->in.n == packet) {
		buf_clear(&c->in);
		return true;
	}
	refuse(c, ERR_CLIENT_PROTOCOL, what);
	return false;
}

static bool answer(struct client *c, char yes_or_no)
{
	buf_add_char(&c->out, yes_or_no);
	return client_flush(c) >= 0;
}

/* True if reading goes on. */
static bool ssl_request(struct client *c, size_t packet)
{
	bool offer = c->env->opts->client_tls && !addr_is_unix(&c->ends->local);

	if (c->ssl_asked || stream_is_tls(c->stream)) {
		refuse_version(c, STARTUP_CODE_SSL);
		return false;
	}
	c->ssl_asked = true;
	if (!nothing_behind(c, packet, "received unencrypted data after SSL request"))
		return false;
	if (!answer(c, offer ? 'S' : 'N'))
		return false;
	if (!offer)
		return true;
	client_set_state(c, CLIENT_TLS);
	stream_tls_server(c->stream, c->env->opts->client_tls);
	client_login_ready(c, STREAM_READABLE);
	return false;
}

static bool gss_request(struct client *c, size_t packet)
{
	if (c->gss_asked || stream_is_tls(c->stream)) {
		refuse_version(c, STARTUP_CODE_GSSENC);
		return false;
	}
	c->gss_asked = true;
	return nothing_behind(c, packet, "received unencrypted data after GSSAPI encryption request") && answer(c, 'N');
}

static void handshake(struct client *c)
{
	struct err e;
	int rc = stream_tls_step(c->stream, &e);

	if (rc == 0)
		return;
	if (rc < 0) {
		c->env->totals->client_errors[e.code]++;
		log_info(loop_log(c->env->loop), "client TLS handshake failed", LERR(&e));
		client_close(c);
		return;
	}
	client_set_state(c, CLIENT_STARTUP);
	stream_want_read(c->stream, true);
}

/* ---- cancel ---- */

static void cancel_done(void *arg)
{
	struct client *c = arg;

	c->cancel = NULL;
	client_close(c);
}

static void cancel_request(struct client *c, const struct startup *s)
{
	stream_want_read(c->stream, false); /* some clients send more: nobody reads it (pitfall 14) */
	client_set_state(c, CLIENT_CANCEL);
	c->cancel = c->env->cancel(c->env->arg, s->cancel_pid, s->cancel_key, cancel_done, c);
	if (!c->cancel)
		client_close(c);
}

/* ---- who is this? ---- */

static bool name_in(const char *const *list, const char *name)
{
	if (!list)
		return true;
	for (; *list; list++)
		if (strcmp(*list, name) == 0)
			return true;
	return false;
}

static bool uid_allowed(struct client *c)
{
	const struct proxy_opts *o = c->env->opts;
	struct err e;
	uid_t uid;

	if (!o->client_uids)
		return true;
	if (peer_uid(stream_fd(c->stream), &c->ends->peer, &c->ends->local, &uid, &e) != 0) {
		log_warning(loop_log(c->env->loop), "client refused: its user id cannot be known", LERR(&e));
		return false;
	}
	for (size_t i = 0; i < o->client_uid_count; i++)
		if (o->client_uids[i] == uid)
			return true;
	log_warning(loop_log(c->env->loop), "client refused: its user id is not in client_uids", LU("uid", uid));
	return false;
}

/* Everything that lets a client in or keeps it out. */
static int admit(struct client *c, const struct startup *s, struct err *e)
{
	const struct client_env *env = c->env;

	if (env->stopping)
		return err_set(e, ERR_SHUTDOWN, "the database system is shutting down");
	if (!uid_allowed(c))
		return err_set(e, ERR_CLIENT_USER, "this operating system user may not connect");
	if (env->opts->client_tls_required && !stream_is_tls(c->stream) && !addr_is_unix(&c->ends->local))
		return err_set(e, ERR_CLIENT_USER, "TLS required (client_tls_sslmode = require)");
	if (!name_in(env->opts->client_users, s->user))
		return err_set(e, ERR_CLIENT_USER, "user \"%.64s\" may not connect here (client_users)", s->user);
	if (env->welcomed >= env->opts->max_client_conn)
		return err_set(e, ERR_TOO_MANY_CLIENTS, "no more connections allowed (max_client_conn)");
	return 0;
}

static struct pool *find_pool(struct client *c, const struct startup *s, struct err *e)
{
	struct database *db = registry_database(c->env->registry, s->database);
	struct pool_request rq;
	struct params startup;
	struct pool *p = NULL;

	if (!db) {
		err_set(e, ERR_NO_DATABASE, "database \"%.64s\" does not exist", s->database);
		return NULL;
	}
	params_init(&startup);
	rq = (struct pool_request){
		.db = db,
		.env = c->env->registry->env,
		.user = db->target->user ? db->target->user : s->user,
		.database = db->target->dbname ? db->target->dbname : s->database,
		.startup = &startup,
		.replication = s->replication && *s->replication,
	};
	if (startup_policy(db->target->profile, &s->params, &db->target->startup_defaults, c->env->opts->ignore_startup,
	                   &startup, e) == 0) {
		if (rq.replication) {
			/* of its own, and the name counts (synchronous_standby_names) */
			params_set(&startup, slice_str("replication"), slice_str(s->replication));
			if (c->app_name[0])
				params_set(&startup, slice_str("application_name"), slice_str(c->app_name));
		}
		p = registry_pool(c->env->registry, &rq, e);
	}
	params_free(&startup);
	return p;
}

/* What PostgreSQL makes of an application name: printable ASCII, at most 63 bytes (guc.c check_application_name). */
static char *clean_app_name(const char *name)
{
	char *clean = mem_strndup(name ? name : "", name ? strnlen(name, 63) : 0);

	for (char *p = clean; *p; p++)
		if (*p < 32 || *p > 126)
			*p = '?';
	return clean;
}

static void startup_message(struct client *c, const struct startup *s, size_t packet)
{
	struct err e;

	c->user = mem_strdup(s->user);
	c->database = mem_strdup(s->database);
	c->app_name = clean_app_name(params_get(&s->params, "application_name"));
	buf_drop_front(&c->in, packet); /* whatever is left belongs to the session */
	if (admit(c, s, &e) != 0 || !(c->pool = find_pool(c, s, &e))) {
		client_fail(c, &e);
		return;
	}
	free(c->ends);
	c->ends = NULL;
	c->counted = true;
	c->env->welcomed++;
	startup_write_negotiate(&c->out, s);
	timer_clear(&c->timer);
	client_set_state(c, CLIENT_WELCOME);
	pool_wait(c->pool, &c->waiter, POOL_WELCOME);
}

/* ---- packets ---- */

/* Handles the packet at the front of in, of `packet` bytes. True if reading goes on. */
static bool one_packet(struct client *c, size_t packet)
{
	struct startup s;
	struct err e;
	bool more = false;

	if (startup_parse(slice_of(c->in.p, packet), &s, &e) != 0) {
		client_fail(c, &e);
	} else {
		switch (s.kind) {
		case STARTUP_SSL: more = ssl_request(c, packet); break;
		case STARTUP_GSSENC: more = gss_request(c, packet); break;
		case STARTUP_CANCEL: cancel_request(c, &s); break;
		case STARTUP_MESSAGE: startup_message(c, &s, packet); break;
		}
	}
	startup_free(&s);
	return more;
}

static void read_startup(struct client *c)
{
	for (;;) {
		unsigned char chunk[READ_CHUNK];
		struct err e;
		size_t packet;
		ssize_t n = stream_read(c->stream, chunk, sizeof(chunk));

		if (n == STREAM_AGAIN)
			return;
		if (n <= 0) {
			client_close(c);
			return;
		}
		buf_add(&c->in, chunk, (size_t)n);
		switch (startup_length(buf_slice(&c->in), &packet)) {
		case FRAME_PARTIAL: continue;
		case FRAME_BAD:
			startup_err_length(&e);
			client_fail(c, &e);
			return;
		case FRAME_OK: break;
		}
		if (c->in.n >= packet && !one_packet(c, packet))
			return;
	}
}

void client_login_ready(struct client *c, unsigned what)
{
	(void)what;
	if (c->state == CLIENT_TLS)
		handshake(c);
	else
		read_startup(c);
}

/* ---- welcome ---- */

void client_welcome(struct client *c)
{
	const struct params *w = &c->pool->welcome;

	c->told_version = c->pool->welcome_version;
	c->key = keyring_add(c->env->keys, c);
	message_auth_ok(&c->out);
	for (size_t i = 0; i < w->n; i++) {
		bool is_app = c->app_name[0] && strcmp(w->v[i].name, "application_name") == 0;
		message_parameter_status(&c->out, w->v[i].name, is_app ? c->app_name : w->v[i].value);
	}
	message_backend_key(&c->out, c->key.pid,
	                    slice_of((unsigned char[4]){(unsigned char)(c->key.secret >> 24),
	                                                (unsigned char)(c->key.secret >> 16),
	                                                (unsigned char)(c->key.secret >> 8),
	                                                (unsigned char)c->key.secret},
	                             4));
	message_ready(&c->out, 'I');
	if (c->out.full) {
		buf_clear(&c->out);
		refuse(c, ERR_LIMIT, "the server reports more parameters than fit into a welcome");
		return;
	}
	c->pool->db->stats.client_logins++;
	if (c->env->opts->log_connections)
		log_info(loop_log(c->env->loop), "client connected", LS("database", c->database), LS("user", c->user),
		         LS("tls", stream_tls_version(c->stream)));
	client_idle(c);
}
