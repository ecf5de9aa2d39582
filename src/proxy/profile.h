/* What kinds of server there are and how they differ, as one table: RDS, Aurora, RDS Proxy, DSQL, Redshift, plain
 * PostgreSQL. The rest of proxy/ asks the row, never the kind; which row a host name means is app's to say. */
#ifndef PGIAM_PROXY_PROFILE_H
#define PGIAM_PROXY_PROFILE_H

#include <stdbool.h>
#include <stdint.h>

enum profile_kind { PROFILE_POSTGRES, PROFILE_RDS, PROFILE_RDS_PROXY, PROFILE_DSQL, PROFILE_REDSHIFT, PROFILE_COUNT };

/* What such a server says when it lets nobody in, as far as it can be told by its words, and what to do. */
struct profile_refusal {
	const char *text; /* part of its message; NULL ends the list */
	const char *hint;
};

struct profile {
	const char *name;               /* "rds_proxy" */
	uint16_t port;                  /* where it listens unless somebody says otherwise; 0: 5432 */
	const char *reset_query;        /* default server_reset_query; "": nothing resets a session of it wholly */
	bool cancel;                    /* does it take CancelRequest? */
	bool direct_tls;                /* may it take sslnegotiation=direct (PostgreSQL from 17 on)? */
	bool rds_ca;                    /* is its certificate from the RDS CAs (else from public roots)? */
	const char *pinned_by;          /* it shares its own connections out again, but no longer for a session that did one of
	                                 * these, for people to read; NULL: it does not */
	const char *const *startup;     /* startup parameters it takes, NULL-terminated; NULL: all */
	uint32_t protocol;              /* the version to ask it for (pg/startup.h) */
	bool options;                   /* does it take `options`? If not, its settings become parameters. */
	uint32_t max_age_sec;           /* it cuts connections soon after this age; 0: it does not */
	const struct profile_refusal *refusals; /* NULL: nothing that its SQLSTATE does not tell */
	double login_rate, login_rate_max; /* logins a second to start with and at most; 0: not limited */
};

const struct profile *profile_get(enum profile_kind kind);

/* The hint for what it said; NULL: nothing known. */
const char *profile_refusal_hint(const struct profile *p, const char *message);

/* By name, or -1. */
int profile_from_name(const char *name);

#endif
