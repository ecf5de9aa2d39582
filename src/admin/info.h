/* What pages and metrics tell besides the workers' numbers. Filled by app, which knows; admin sees neither
 * aws nor the configuration. Strings are borrowed during the call. */
#ifndef PGIAM_ADMIN_INFO_H
#define PGIAM_ADMIN_INFO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/err.h"

#define ADMIN_CAUSES_MAX 15

struct admin_cause {
	const char *cause; /* NULL ends a list */
	uint64_t n;
};

/* The AWS credentials of an identity, which one or more databases log in with. */
struct admin_credentials {
	const char *identity; /* no other has the same */
	const char *provider; /* NULL: none found yet */
	bool valid;
	int64_t expires_wall_us; /* 0: they do not expire, or there are none */
	int64_t left_us;         /* until then, by AWS's clock; negative: they have expired */
	uint64_t refreshes;
	struct admin_cause failures[ADMIN_CAUSES_MAX + 1];
	struct err why; /* unless valid: why not */
};

/* A secret that databases log in with. */
struct admin_secret {
	const char *identity, *name; /* no other has the same both */
	bool valid;                  /* there is one */
	int64_t read_wall_us;        /* 0: never */
	uint64_t age_us;             /* since it was read */
	int64_t expires_wall_us;     /* 0: it does not, or there is none */
	uint64_t reads;
	bool lacking;                /* there is none, and a login would fail or wait for want of it */
	struct err why;              /* ... why */
	struct admin_cause failures[ADMIN_CAUSES_MAX + 1];
};

/* Where databases get what they log in with: at most one of the two. */
struct admin_source {
	const struct admin_credentials *credentials; /* which sign their tokens */
	const struct admin_secret *secret;
};

/* A certificate of pgiam's own. */
struct admin_certificate {
	const char *file, *shown_to; /* "clients", "servers" */
	int64_t expires_sec;         /* since 1970 */
};

struct admin_info {
	const char *version;
	int64_t started_wall_us; /* when the process began to serve */
	bool draining;           /* told to stop */

	const struct admin_credentials *credentials; /* all that are needed */
	size_t credentials_count;
	const struct admin_secret *secrets;
	size_t secret_count;
	const struct admin_source *sources; /* collect_health.source is an index */
	int64_t skew_us; /* what AWS's clock is ahead of ours; 0: as far as is known, nothing */

	const struct admin_certificate *certificates; /* each file and side once */
	size_t certificate_count;

	struct {
		uint64_t tls, users, rules; /* certificates, keys, CA files; auth_file; auth_hba_file and auth_ident_file */
	} unusable; /* how often what stands in them could not be used, since the start */

	uint64_t max_client_conn; /* all workers together */
	uint64_t log_dropped;     /* log lines nobody took */
	uint64_t log_suppressed;  /* log lines the control thread left out as repetitions; workers tell theirs */
	uint64_t log_failures;    /* failed writes of log lines */

	struct {
		uint64_t cpu_us, resident_bytes, open_fds, max_fds;
	} process; /* only for metrics: costs a few system calls */
};

#endif
