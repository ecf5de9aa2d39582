/* The table of target kinds. */
#include <stddef.h>
#include <string.h>
#include <strings.h>
#include "pg/startup.h"
#include "proxy/profile.h"

/* RDS Proxy refuses every other one. */
static const char *const rds_proxy_startup[] = {
	"application_name",   "client_encoding", "DateStyle", "TimeZone",
	"extra_float_digits", "search_path",     NULL};
/* DSQL refuses settings it does not know. */
static const char *const dsql_startup[] = {"application_name", "client_encoding", "DateStyle", "TimeZone",
					   NULL};

/* RDS user guide, "Troubleshooting RDS Proxy". */
static const struct profile_refusal rds_proxy_refusals[] = {
	{"has no credentials for the role",
	 "Give the proxy a Secrets Manager secret of this database user, or make IAM its default authentication scheme."},
	{"supports only IAM, MD5, or SCRAM", "Log in with auth=iam, or with the password in the proxy's secret."},
	{"IAM authentication failed for",
	 "For RDS Proxy the policy names the proxy's id, dbuser:prx-..., and not the database's."},
	{"too many competing requests",
	 "The proxy throttles IAM logins: a lower login_rate, a longer server_lifetime or a larger pool asks for fewer."},
	{"Rate of connection to proxy exceeded",
	 "The proxy throttles logins: a lower login_rate or a longer server_lifetime asks for fewer."},
	{"maximum number of client connections",
	 "All client connections of the proxy are in use: max_db_connections bounds those of this pgiam."},
	{"Timed-out waiting to acquire",
	 "The proxy has no free connection to the database: see its MaxConnectionsPercent and what pins its sessions."},
	{NULL, NULL},
};

/* Aurora DSQL user guide, "Troubleshooting". */
static const struct profile_refusal dsql_refusals[] = {
	{"Wrong user to action mapping",
	 "Only the user admin logs in with dsql:DbConnectAdmin, and with nothing else: see user=."},
	{"IAM authentication failed for",
	 "A user other than admin needs AWS IAM GRANT its-role TO 'arn:...' in the database."},
	{"sni was not received", "The cluster is told by its name in TLS: connect by host name, or set tls_server_name."},
	{"too many open connections",
	 "The cluster's limit of connections is reached: max_db_connections bounds those of this pgiam."},
	{"rate exceeded", "The cluster bounds new connections a second: a lower login_rate or a larger pool asks for fewer."},
	{NULL, NULL},
};

/* Reset queries: DSQL and Redshift know no DISCARD. Redshift, which was PostgreSQL 8.0 once, has RESET ALL, but nothing
 * that takes temporary tables away: so a connection serves one client (rule 3), unless server_reset_query says otherwise.
 *
 * Protocol versions: RDS and Aurora are PostgreSQL itself, of which every release in service negotiates. RDS Proxy,
 * DSQL and Redshift are servers of their own that are documented for 3.0. What a plain host name stands for cannot be
 * known: an old pooler there closes the connection or says yes to what it cannot do, which is why libpq 18 asks for 3.0,
 * too, unless told otherwise.
 *
 * Login rates: AWS names 200 IAM logins a second a database (100 for DSQL) as what it bears, for all clients
 * together; each pod has a pgiam of its own, so one starts far below and never takes it all. */
static const struct profile profiles[PROFILE_COUNT] = {
	[PROFILE_POSTGRES] = {.name = "postgres",
			      .protocol = STARTUP_3_0,
			      .reset_query = "DISCARD ALL",
			      .cancel = true,
			      .direct_tls = true,
			      .rds_ca = false,
			      .options = true      },
	[PROFILE_RDS] = { .name = "rds",
			      .protocol = STARTUP_3_2,
			      .reset_query = "DISCARD ALL",
			      .cancel = true,
			      .direct_tls = true,
			      .rds_ca = true,
			      .options = true,
			      .login_rate = 10,
			      .login_rate_max = 100},
	[PROFILE_RDS_PROXY] = { .name = "rds_proxy",
                              .protocol = STARTUP_3_0,
                              .reset_query = "DISCARD ALL",
                              .cancel = false,
                              .direct_tls = false,
                              .rds_ca = false,
                              .pinned_by = "SET, PREPARE, DISCARD, LISTEN, LOAD, temporary tables, cursors, "
                                           "nextval, advisory locks, statements over 16 KB",
                              .startup = rds_proxy_startup,
                              .refusals = rds_proxy_refusals,
                              .options = false,
                              .login_rate = 10,
                              .login_rate_max = 100},
	[PROFILE_DSQL] = {   .name = "dsql",
			      .protocol = STARTUP_3_0,
			      .reset_query = "",
			      .cancel = true,
			      .direct_tls = true,
			      .rds_ca = false,
			      .startup = dsql_startup,
			      .refusals = dsql_refusals,
			      .options = false,
			      .max_age_sec = 3300,
			      .login_rate = 10,
			      .login_rate_max = 50},
	[PROFILE_REDSHIFT] = {     .name = "redshift",
			      .port = 5439,
			      .protocol = STARTUP_3_0,
			      .reset_query = "",
			      .cancel = true,
			      .direct_tls = false,
			      .rds_ca = false,
			      .options = false,
			      .login_rate = 2,
			      .login_rate_max = 10},
};

const struct profile *profile_get(enum profile_kind kind)
{
	return &profiles[kind];
}

const char *profile_refusal_hint(const struct profile *p, const char *message)
{
	for (const struct profile_refusal *r = p->refusals; r && r->text; r++)
		if (strstr(message, r->text))
			return r->hint;
	return NULL;
}

int profile_from_name(const char *name)
{
	for (int i = 0; i < PROFILE_COUNT; i++)
		if (strcasecmp(profiles[i].name, name) == 0)
			return i;
	return -1;
}
