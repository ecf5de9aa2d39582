/* One [databases] entry, ready to use: where to connect, as whom, how, and the pool's sizes. Immutable once built,
 * refcounted, shared by all workers. Built by app from the configuration. */
#ifndef PGIAM_PROXY_TARGET_H
#define PGIAM_PROXY_TARGET_H

#include <stdbool.h>
#include <stdint.h>
#include "base/secret_source.h"
#include "io/dial.h"
#include "io/tls_live.h"
#include "pg/params.h"
#include "proxy/profile.h"

enum target_auth { TARGET_AUTH_IAM, TARGET_AUTH_PASSWORD, TARGET_AUTH_NONE, TARGET_AUTH_SECRET, TARGET_AUTH_REDSHIFT };

/* How TLS begins. */
enum target_tls_start {
	TARGET_TLS_ASK,    /* SSLRequest; "no" is the end of it */
	TARGET_TLS_OFFER,  /* SSLRequest; after a "no" it goes on in plaintext. Only where no secret is sent */
	TARGET_TLS_DIRECT, /* at once, with ALPN "postgresql" */
};

enum pool_mode { POOL_SESSION };

struct target {
	int refs; /* target.c's, atomic */
	char *name;                /* the name clients ask for; "*" for the fallback */
	char *host;                /* dialled, verified and signed for unless the next three say otherwise */
	char *hostaddr;            /* or NULL */
	char *tls_name;            /* tls_server_name, or host */
	char *iam_host;            /* iam_host, or host */
	uint16_t port, iam_port;
	char *dbname;              /* database to ask for, or NULL: the one the client asked for */
	char *user;                /* forced DB user, or NULL: the one the client asked for */
	enum target_auth auth;
	struct tls_live *tls;      /* NULL: plaintext */
	enum target_tls_start tls_start;
	const struct profile *profile;
	uint32_t min_protocol, max_protocol; /* versions to log in with (pg/startup.h) */
	enum pool_mode pool_mode;
	char *reset_query;         /* "" for none */
	char *connect_query;       /* or NULL */
	struct params startup_defaults; /* sent unless the client says otherwise */
	/* sizes: a worker's share */
	uint32_t pool_size, min_pool_size, max_db_connections; /* 0: no limit (the last) */
	/* which secret source of the worker's set answers (worker.c), an index */
	uint32_t secret_index;
	struct dial_opts dial;     /* host, hostaddr and port borrowed from this struct */
	uint64_t server_lifetime_us; /* 0: a connection serves one client */
	uint64_t server_idle_timeout_us, server_connect_timeout_us;
	uint64_t query_wait_timeout_us, login_retry_us;
	uint32_t login_parallel;   /* logins at a time */
	double login_rate;         /* to start with, a worker's share; 0: not limited */
	double login_rate_max;     /* a worker's share; 0: not limited */
};

/* Takes everything in t (its members are owned by it from then on). */
struct target *target_new(const struct target *t);
/* A copy of everything in `from`, owned: its members may be changed and it may be given to target_new. */
void target_copy(struct target *to, const struct target *from);
void target_fini(struct target *t); /* frees the members, for a target that was not made by target_new */
struct target *target_ref(struct target *t); /* thread-safe */
void target_unref(struct target *t);

/* Is the name kept for a console, so that no target has it? */
bool target_is_console(const char *name);

/* Does application_name go with the startup packet, and its value belong to the pool's key? Where a SET would pin the
 * session; and for replication, where the name counts (synchronous_standby_names) and there may be no SQL to set it. */
static inline bool target_named_at_login(const struct target *t, bool replication)
{
	return replication || t->profile->pinned_by;
}

#endif
