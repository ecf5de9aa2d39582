/* The table of target kinds, and which kind a host name says it is.
 *
 * Names are matched label by label from the right: an endpoint's labels are anchored at both ends, so that
 * "db.x.us-east-1.rds.amazonaws.com.attacker.example" is nobody's. */
#include <ctype.h>
#include <string.h>
#include <strings.h>
#include "base/slice.h"
#include "pg/startup.h"
#include "proxy/profile.h"

/* RDS Proxy refuses every other one. */
static const char *const rds_proxy_startup[] = {
	"application_name",   "client_encoding", "DateStyle", "TimeZone",
	"extra_float_digits", "search_path",     NULL};
/* DSQL refuses settings it does not know. */
static const char *const dsql_startup[] = {"application_name", "client_encoding", "DateStyle", "TimeZone",
					   NULL};

/* Protocol versions: RDS and Aurora are PostgreSQL itself, of which every release in service negotiates. RDS Proxy,
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
                              .startup = rds_proxy_startup,
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
			      .options = false,
			      .max_age_sec = 3300,
			      .login_rate = 10,
			      .login_rate_max = 50},
	[PROFILE_REDSHIFT] = {     .name = "redshift",
			      .protocol = STARTUP_3_0,
			      .reset_query = "RESET ALL",
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

int profile_from_name(const char *name)
{
	for (int i = 0; i < PROFILE_COUNT; i++)
		if (strcasecmp(profiles[i].name, name) == 0)
			return i;
	return -1;
}

#define LABELS_MAX   12
#define NAME_MAX_DNS 255

struct labels {
	struct slice v[LABELS_MAX];
	size_t n;
};

/* Splits a name; -1 if a label is empty or there are too many. One trailing dot is nothing. */
static int labels_split(const char *host, struct labels *out)
{
	size_t len = strlen(host);

	out->n = 0;
	if (len > 0 && host[len - 1] == '.')
		len--;
	if (len == 0 || len > NAME_MAX_DNS)
		return -1;
	for (size_t i = 0, start = 0; i <= len; i++) {
		if (i < len && host[i] != '.')
			continue;
		if (i == start || out->n == LABELS_MAX)
			return -1;
		out->v[out->n++] = slice_of(host + start, i - start);
		start = i + 1;
	}
	return 0;
}

static bool label_is(struct slice l, const char *s)
{
	return l.n == strlen(s) && strncasecmp((const char *)l.p, s, l.n) == 0;
}

/* Letters and digits, and '-' where asked; not empty. */
static bool label_plain(struct slice l, bool dashes)
{
	for (size_t i = 0; i < l.n; i++)
		if (!isalnum(l.p[i]) && !(dashes && l.p[i] == '-'))
			return false;
	return l.n > 0;
}

/* Is l prefix + letters and digits? */
static bool label_hash(struct slice l, const char *prefix)
{
	size_t n = strlen(prefix);

	return l.n > n && strncasecmp((const char *)l.p, prefix, n) == 0 &&
	       label_plain(slice_of(l.p + n, l.n - n), false);
}

/* Takes a domain off the end if it is there. */
static bool strip_domain(struct labels *l, const char *domain)
{
	struct labels d;

	if (labels_split(domain, &d) != 0 || l->n < d.n)
		return false;
	for (size_t i = 0; i < d.n; i++) {
		char text[64];
		struct slice s = d.v[i];

		memcpy(text, s.p, s.n);
		text[s.n] = '\0';
		if (!label_is(l->v[l->n - d.n + i], text))
			return false;
	}
	l->n -= d.n;
	return true;
}

static bool strip_aws_domain(struct labels *l)
{
	static const char *const domains[] = {"amazonaws.com.cn", "amazonaws.com", "amazonaws.eu",
					      "amazonaws.au",     "amazonaws.uk",  "c2s.ic.gov",
					      "sc2s.sgov.gov"};

	for (size_t i = 0; i < sizeof(domains) / sizeof(domains[0]); i++)
		if (strip_domain(l, domains[i]))
			return true;
	return false;
}

/* name.HASH or name.endpoint.proxy-HASH, what stands before region and service. */
static enum profile_kind rds_kind(const struct slice *l, size_t n)
{
	static const char *const prefixes[] = {"",          "cluster-", "cluster-ro-", "cluster-custom-",
					       "shardgrp-", "global-"};

	if (!label_plain(l[0], true))
		return PROFILE_POSTGRES;
	if (n == 3 && label_is(l[1], "endpoint") && label_hash(l[2], "proxy-"))
		return PROFILE_RDS_PROXY;
	if (n != 2)
		return PROFILE_POSTGRES;
	if (label_hash(l[1], "proxy-"))
		return PROFILE_RDS_PROXY;
	for (size_t i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]); i++)
		if (label_hash(l[1], prefixes[i]))
			return PROFILE_RDS;
	return PROFILE_POSTGRES;
}

static bool is_rds_service(struct slice l)
{
	return label_is(l, "rds") || label_is(l, "rds-fips");
}

enum profile_kind profile_from_host(const char *host)
{
	struct labels l;

	if (labels_split(host, &l) != 0)
		return PROFILE_POSTGRES;
	if (strip_domain(&l, "on.aws"))
		return l.n == 3 && label_plain(l.v[0], true) && label_plain(l.v[2], true) &&
				       (label_is(l.v[1], "dsql") || label_hash(l.v[1], "dsql-"))
			       ? PROFILE_DSQL
			       : PROFILE_POSTGRES;
	if (!strip_aws_domain(&l) || l.n < 4)
		return PROFILE_POSTGRES;
	if (l.n == 4 && (label_is(l.v[3], "redshift") || label_is(l.v[3], "redshift-serverless")))
		return label_plain(l.v[0], true) && label_plain(l.v[2], true) ? PROFILE_REDSHIFT
									      : PROFILE_POSTGRES;
	/* the service stands after the region, or, newer in China and elsewhere, before it */
	if (is_rds_service(l.v[l.n - 1]) && label_plain(l.v[l.n - 2], true))
		return rds_kind(l.v, l.n - 2);
	if (is_rds_service(l.v[l.n - 2]) && label_plain(l.v[l.n - 1], true))
		return rds_kind(l.v, l.n - 2);
	return PROFILE_POSTGRES;
}
