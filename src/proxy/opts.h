/* What a worker's proxy is told: everything that is not a database's own. Immutable; app builds it from the
 * configuration, sizes already divided by the number of workers. */
#ifndef PGIAM_PROXY_OPTS_H
#define PGIAM_PROXY_OPTS_H

#include <sys/types.h>
#include "proxy/auth.h"
#include "proxy/target.h"

struct proxy_opts {
	struct target *const *targets; /* in the file's order; "*" last, if any */
	size_t target_count;

	uint32_t max_client_conn;
	uint32_t max_logins; /* connections that have not said yet who they are, at most */
	uint32_t max_pools;
	uint64_t client_login_timeout_us, client_idle_timeout_us; /* 0: none (the second) */
	uint64_t cancel_wait_timeout_us;

	const char *const *ignore_startup; /* ignore_startup_parameters, NULL-terminated, or NULL */

	struct tls_live *client_tls; /* NULL: clients that ask for TLS are refused it */
	bool client_tls_required;   /* client_tls_sslmode = require */

	struct auth_opts auth;

	/* Restrictions; NULL lists: everybody. */
	const char *const *client_users; /* NULL-terminated */
	const uid_t *client_uids;
	size_t client_uid_count;

	struct dial_opts keepalive; /* of client sockets; only its keepalive members are used */
	bool log_connections, log_disconnections;
	uint32_t worker, workers;   /* this worker's index, how many there are */
};

#endif
