/* [databases]: each entry becomes a target. What may be sent where is decided here, once: a secret goes to a
 * server whose certificate is verified, or to one on this host if the user turned TLS off by name. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>
#include "app/conf_build_target.h"
#include "app/conf_kind.h"
#include "base/mem.h"
#include "pg/startup.h"

#define HOST_MAX 253  /* RFC 1035: 255 octets on the wire */
#define SQL_MAX  8192 /* a query of pgiam's own goes into one buffer; as long as a line of the file may be */

/* Values of the options, in the table's order. */
enum { SSLMODE_DISABLE, SSLMODE_ALLOW, SSLMODE_PREFER, SSLMODE_REQUIRE, SSLMODE_VERIFY_CA, SSLMODE_VERIFY_FULL };
enum { SSLNEGOTIATION_POSTGRES, SSLNEGOTIATION_DIRECT };

/* ---- names ---- */

static bool is_ip(const char *s)
{
	struct addr a;

	return addr_parse(&a, s, 0) == 0;
}

/* Lower case, without one trailing dot; NULL if it is no host name. */
static char *normalise(const char *name)
{
	size_t n = strlen(name);
	char *out;

	if (n > 1 && name[n - 1] == '.')
		n--;
	if (n == 0 || n > HOST_MAX)
		return NULL;
	out = mem_strndup(name, n);
	for (char *c = out; *c; c++) {
		*c = (char)tolower((unsigned char)*c);
		if (!isalnum((unsigned char)*c) && !strchr("-._", *c) && !(is_ip(name) && *c == ':')) {
			free(out);
			return NULL;
		}
	}
	return out;
}

/* A name option into *out, normalised. */
static void take_name(struct targets *ts, enum option_id id, char **out)
{
	const char *given = conf_build_target_text(ts, id);

	if (!given)
		return;
	*out = normalise(given);
	if (!*out)
		conf_build_target_bad(ts, id,
				      strchr(given, ',') ? "Lists of hosts are not in this version." : NULL,
				      "\"%s\" is not a host name", given);
}

static void build_host(struct targets *ts)
{
	struct target *t = ts->t;
	const char *host = conf_build_target_text(ts, OPT_HOST),
		   *hostaddr = conf_build_target_text(ts, OPT_HOSTADDR);

	if (!host && !hostaddr) {
		conf_build_target_bad(ts, OPT_HOST,
				      "Name the server: host=mydb.abc123.us-east-1.rds.amazonaws.com.",
				      "is missing");
		return;
	}
	if (hostaddr && !is_ip(hostaddr))
		conf_build_target_bad(ts, OPT_HOSTADDR, "Names go into host.", "\"%s\" is not an IP address",
				      hostaddr);
	t->hostaddr = mem_strdup(hostaddr);
	if (host && host[0] == '/')
		t->host = mem_strdup(host);
	else if (host)
		take_name(ts, OPT_HOST, &t->host);
	else
		t->host = mem_strdup(hostaddr);
	take_name(ts, OPT_IAM_HOST, &t->iam_host);
	take_name(ts, OPT_TLS_SERVER_NAME, &t->tls_name);
	t->port = (uint16_t)conf_build_target_num(ts, OPT_PORT);
	t->iam_port =
		(uint16_t)(conf_build_target_text(ts, OPT_IAM_PORT) ? conf_build_target_num(ts, OPT_IAM_PORT)
								    : t->port);
}

static bool is_unix(const struct target *t)
{
	return t->host[0] == '/';
}

/* Does a connection stay on this host? */
static bool is_local(const struct target *t)
{
	struct addr a;

	if (is_unix(t))
		return true;
	if (!t->hostaddr && strcasecmp(t->host, "localhost") == 0)
		return true;
	return addr_parse(&a, t->hostaddr ? t->hostaddr : t->host, t->port) == 0 && addr_is_loopback(&a);
}

/* ---- kind, identity ---- */

static void build_profile(struct targets *ts)
{
	struct target *t = ts->t;
	const char *name = conf_build_target_text(ts, OPT_PROFILE);
	enum profile_kind kind = conf_kind_of_host(t->iam_host ? t->iam_host : t->host);

	if (strcasecmp(name, "auto") != 0)
		kind = (enum profile_kind)profile_from_name(name);
	else if (conf_build_target_auth_profile(ts) != PROFILE_COUNT)
		kind = conf_build_target_auth_profile(ts); /* by another name */
	t->profile = profile_get(kind);
	if (t->profile->port && !ts->db->set[OPT_PORT].text) {
		t->iam_port = conf_build_target_text(ts, OPT_IAM_PORT) ? t->iam_port : t->profile->port;
		t->port = t->profile->port;
	}
}

/* The version an option names; of_none if it is not set. */
static uint32_t protocol(const struct targets *ts, enum option_id id, uint32_t of_none)
{
	const char *version = conf_build_target_text(ts, id);

	if (!version)
		return of_none;
	return strcmp(version, "3.0") == 0 ? STARTUP_3_0 : STARTUP_3_2; /* 3.2 is the latest */
}

static void build_protocol(struct targets *ts)
{
	struct target *t = ts->t;

	t->min_protocol = protocol(ts, OPT_MIN_PROTOCOL_VERSION, STARTUP_3_0);
	t->max_protocol = protocol(ts, OPT_MAX_PROTOCOL_VERSION,
				   t->profile->protocol > t->min_protocol ? t->profile->protocol : t->min_protocol);
	if (t->max_protocol < t->min_protocol)
		conf_build_target_bad(ts, OPT_MAX_PROTOCOL_VERSION, NULL,
				      "is less than min_protocol_version");
}

/* ---- rule 1: nothing secret travels unverified ---- */

static const char *const modes[] = {"disable", "allow", "prefer", "require", "verify-ca", "verify-full"};

static void check_mode(struct targets *ts, uint64_t mode)
{
	static const char verify[] =
		"Use server_tls_sslmode = verify-full; tls_server_name and server_tls_ca_file say what to verify.";
	const struct target *t = ts->t;

	bool iam = t->auth == TARGET_AUTH_IAM;

	if (conf_auth_signs(t->auth) && (mode != SSLMODE_VERIFY_FULL || is_unix(t)))
		conf_build_target_bad(ts, OPT_SERVER_TLS_SSLMODE, verify,
				      "%s is refused with auth=%s: a %s is sent only over verified TLS",
				      is_unix(t) ? "a unix socket" : modes[mode], conf_build_target_auth(ts),
				      iam ? "token" : "secret");
	else if (t->auth == TARGET_AUTH_PASSWORD && mode != SSLMODE_VERIFY_FULL && mode != SSLMODE_DISABLE && !is_unix(t))
		conf_build_target_bad(
			ts, OPT_SERVER_TLS_SSLMODE, verify,
			"%s is refused with auth=password: a password is sent only over verified TLS",
			modes[mode]);
	else if (t->auth == TARGET_AUTH_PASSWORD && mode == SSLMODE_DISABLE && !is_local(t))
		conf_build_target_bad(
			ts, OPT_SERVER_TLS_SSLMODE, verify,
			"disable is refused with auth=password for a server on another host (%s)",
			t->hostaddr ? t->hostaddr : t->host);
}

/* As in libpq: what may end up in plaintext, or means to, cannot begin with TLS. */
static void check_direct(struct targets *ts, uint64_t mode)
{
	const struct target *t = ts->t;

	if (is_unix(t) || mode < SSLMODE_REQUIRE)
		conf_build_target_bad(ts, OPT_SSLNEGOTIATION, NULL,
				      "direct needs TLS: %s%s has none, or not always",
				      is_unix(t) ? "a unix socket" : "server_tls_sslmode = ",
				      is_unix(t) ? "" : modes[mode]);
	else if (!t->profile->direct_tls)
		conf_build_target_bad(ts, OPT_SSLNEGOTIATION, "Leave it out.",
				      "direct is nothing a server of the kind %s takes", t->profile->name);
}

/* Without its bundle nothing that RDS shows can be verified: better said now than at the first login. */
static void check_bundle(struct targets *ts)
{
	if (!ts->t->profile->rds_ca || conf_build_target_text(ts, OPT_SERVER_TLS_CA_FILE))
		return;
	for (const char *const *path = tls_rds_bundle_paths(); *path; path++)
		if (access(*path, R_OK) == 0)
			return;
	conf_build_target_warn(
		ts,
		"server_tls_ca_file is not set and no RDS bundle is installed (%s), so that the certificates of "
		"RDS and Aurora cannot be verified",
		tls_rds_bundle_paths()[0]);
}

static void build_tls(struct targets *ts, struct conf_target *ct)
{
	/* by mode */
	static const enum tls_verify verify[] = {TLS_VERIFY_NONE, TLS_VERIFY_NONE,  TLS_VERIFY_NONE,
						 TLS_VERIFY_NONE, TLS_VERIFY_CHAIN, TLS_VERIFY_FULL};
	uint64_t mode = conf_build_target_num(ts, OPT_SERVER_TLS_SSLMODE);
	bool direct = conf_build_target_num(ts, OPT_SSLNEGOTIATION) == SSLNEGOTIATION_DIRECT;
	struct target *t = ts->t;

	check_mode(ts, mode);
	if (direct)
		check_direct(ts, mode);
	ct->tls_text = is_unix(t) ? "none (unix socket)" : modes[mode];
	if (ts->failed || is_unix(t) || mode == SSLMODE_DISABLE)
		return;
	t->tls_start = direct                   ? TARGET_TLS_DIRECT
		       : mode < SSLMODE_REQUIRE ? TARGET_TLS_OFFER
						: TARGET_TLS_ASK;
	t->tls = conf_build_server_tls(ts->b, ts->db, verify[mode], direct);
	if (!t->tls)
		ts->failed = true;
	else if (mode >= SSLMODE_VERIFY_CA)
		check_bundle(ts);
}

/* ---- sizes, times, what the session begins with ---- */

static void check_sql(struct targets *ts, enum option_id id)
{
	const char *sql = conf_build_target_text(ts, id);

	if (sql && strlen(sql) > SQL_MAX)
		conf_build_target_bad(ts, id, NULL, "is longer than %d bytes", SQL_MAX);
}

/* Where the governor begins. Without a limit that somebody set, only a database that checks tokens has a rate to be afraid
 * of. */
static double start_rate(const struct target *t)
{
	double max = t->login_rate_max, rate = t->profile->login_rate;

	if (t->auth != TARGET_AUTH_IAM && max <= 0)
		return 0;
	return max > 0 && (rate <= 0 || rate > max) ? max : rate;
}

static void build_pool(struct targets *ts)
{
	struct target *t = ts->t;
	const struct conf_setting *rate = conf_values_of(&ts->b->c->priv->values, ts->db, OPT_LOGIN_RATE),
				  *reset = conf_values_of(&ts->b->c->priv->values, ts->db,
							  OPT_SERVER_RESET_QUERY);

	check_sql(ts, OPT_SERVER_RESET_QUERY);
	check_sql(ts, OPT_CONNECT_QUERY);
	t->pool_mode = POOL_SESSION;
	t->pool_size = (uint32_t)conf_build_target_num(
		ts, conf_build_target_text(ts, OPT_POOL_SIZE) ? OPT_POOL_SIZE : OPT_DEFAULT_POOL_SIZE);
	t->min_pool_size = (uint32_t)conf_build_target_num(ts, OPT_MIN_POOL_SIZE);
	t->max_db_connections = (uint32_t)conf_build_target_num(ts, OPT_MAX_DB_CONNECTIONS);
	if (t->min_pool_size > t->pool_size) {
		conf_build_target_warn(ts, "min_pool_size %u is more than the pool may have, %u",
				       t->min_pool_size, t->pool_size);
		t->min_pool_size = t->pool_size;
	}
	t->reset_query = mem_strdup(reset->text ? reset->text : t->profile->reset_query);
	t->connect_query = mem_strdup(conf_build_target_text(ts, OPT_CONNECT_QUERY));
	t->server_lifetime_us = conf_build_target_num(ts, OPT_SERVER_LIFETIME);
	if (t->server_lifetime_us == 0 || !*t->reset_query) {
		/* PgBouncer's "used once"; and what cannot be reset must not go to another client (rule 3).
		 * One kept ready would be too old before it is used. */
		t->server_lifetime_us = 0;
		t->min_pool_size = 0;
	}
	t->server_idle_timeout_us = conf_build_target_num(ts, OPT_SERVER_IDLE_TIMEOUT);
	t->server_connect_timeout_us = conf_build_target_num(ts, OPT_SERVER_CONNECT_TIMEOUT);
	t->query_wait_timeout_us = conf_build_target_num(ts, OPT_QUERY_WAIT_TIMEOUT);
	t->login_retry_us = conf_build_target_num(ts, OPT_SERVER_LOGIN_RETRY);
	t->login_parallel = (uint32_t)conf_build_target_num(ts, OPT_LOGIN_PARALLEL);
	t->login_rate_max = rate->text ? rate->v.rate : t->profile->login_rate_max;
	t->login_rate = start_rate(t);
	t->dial = ts->b->c->priv->opts.keepalive;
	t->dial.timeout_us = t->server_connect_timeout_us;
}

static void build_startup(struct targets *ts)
{
	static const struct {
		enum option_id id;
		const char *name;
	} parameters[] = {
		{OPT_APPLICATION_NAME, "application_name"},
		{OPT_CLIENT_ENCODING,  "client_encoding" },
		{OPT_DATESTYLE,        "DateStyle"       },
		{OPT_TIMEZONE,         "TimeZone"        }
        };

	params_init(&ts->t->startup_defaults);
	for (size_t i = 0; i < sizeof(parameters) / sizeof(parameters[0]); i++)
		if (conf_build_target_text(ts, parameters[i].id))
			params_set(&ts->t->startup_defaults, slice_str(parameters[i].name),
				   slice_str(conf_build_target_text(ts, parameters[i].id)));
}

static void build_one(struct targets *ts, struct conf_target *ct)
{
	struct target *t = ts->t = &ct->whole;

	ts->failed = false;
	t->name = mem_strdup(ts->db->name);
	t->dbname = mem_strdup(conf_build_target_text(ts, OPT_DBNAME));
	t->user = mem_strdup(conf_build_target_text(ts, OPT_USER));
	build_startup(ts);
	build_host(ts);
	if (ts->failed)
		return;
	build_profile(ts);
	build_protocol(ts);
	conf_build_target_login(ts);
	if (!ts->failed)
		conf_build_secret(ts, ct);
	build_tls(ts, ct);
	build_pool(ts);
	if (!t->iam_host)
		t->iam_host = mem_strdup(t->host);
	if (!t->tls_name)
		t->tls_name = mem_strdup(t->host);
}

void conf_build_targets(struct conf_builder *b)
{
	struct conf_private *priv = b->c->priv;
	const struct conf_values *v = &priv->values;
	struct targets ts = {.b = b};
	struct err e;

	if (v->db_count == 0 && v->db_missed)
		return;
	if (v->db_count == 0) {
		err_set(&e, ERR_CONFIG, "there is no database to serve");
		err_hint(&e, "Name a server with --host or PGIAM_HOST, or put entries into [databases].");
		conf_problem_error(b->p, v->file ? v->file : "", NULL, &e);
		return;
	}
	priv->targets = mem_array(v->db_count, sizeof(*priv->targets));
	for (int star = 0; star <= 1; star++) /* "*" last */
		for (size_t i = 0; i < v->db_count; i++)
			if ((strcmp(v->db[i].name, "*") == 0) == star) {
				ts.db = &v->db[i];
				build_one(&ts, &priv->targets[priv->target_count++]);
			}
}
