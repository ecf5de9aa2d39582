/* What a worker counts. Plain numbers on the worker's thread; a snapshot is a copy, and snapshots of several
 * workers merge by addition. admin renders them. */
#ifndef PGIAM_PROXY_STATS_H
#define PGIAM_PROXY_STATS_H

#include "base/err.h"
#include "base/histogram.h"
#include <stddef.h>

/* One database's counters; Prometheus label database="name". */
struct stats {
	char *database; /* owned */

	/* gauges, in PgBouncer's words */
	uint64_t cl_active, cl_waiting, cl_idle;
	uint64_t sv_active, sv_idle, sv_login, sv_used; /* used: being reset or drained */
	uint64_t maxwait_us; /* age of the oldest waiting client; merges by maximum */
	uint64_t pools;

	/* counters */
	uint64_t xact_count, query_count;
	uint64_t bytes_received, bytes_sent; /* from clients, to clients */
	uint64_t client_logins;
	uint64_t server_logins;                /* succeeded */
	uint64_t login_errors[ERR_CODE_COUNT]; /* failed server logins by cause */
	struct stats_sqlstate {                /* failed server logins by the server's SQLSTATE */
		char sqlstate[6];
		uint64_t count;
	} login_sqlstate[16]; /* the last one collects the rest as "other" */
	uint64_t tokens;      /* IAM tokens asked for and got; not passwords */
	uint64_t server_assignments;
	uint64_t server_closed;
	uint64_t cancels_received, cancels_sent;

	struct histogram resolve, connect, tls, auth; /* phases of a login */
	struct histogram login;                       /* all of it */
	struct histogram wait;                        /* clients waiting for a server */
	struct histogram query, xact;
};

/* A worker's whole: the totals that belong to no database, and one struct stats per database. */
struct stats_snapshot {
	uint64_t clients; /* connected now, logging in included */
	uint64_t client_accepts;
	uint64_t client_errors[ERR_CODE_COUNT]; /* connections pgiam refused or ended, by cause */
	uint64_t accept_exhausted;              /* out of descriptors */
	uint64_t client_hashes;                 /* PBKDF2s done to authenticate clients */
	uint64_t cancel_unknown;                /* CancelRequests with a wrong key */
	uint64_t iobufs;                        /* transfer buffers in use */
	uint64_t log_suppressed;                /* log lines left out as repetitions */
	struct stats *db;                       /* owned */
	size_t db_count;
};

void stats_init(struct stats *s, const char *database);
void stats_fini(struct stats *s);
void stats_merge(struct stats *into, const struct stats *from); /* not the name */
void stats_login_failed(struct stats *s, const struct err *e);

struct stats_snapshot *stats_snapshot_new(void);
void stats_snapshot_free(struct stats_snapshot *s);
/* The database's row, made if it is not there; valid until the next call. hint: where it probably is. */
struct stats *stats_snapshot_db(struct stats_snapshot *s, const char *database, size_t hint);
/* Adds one worker's snapshot to another's; databases are matched by name. */
void stats_snapshot_merge(struct stats_snapshot *into, const struct stats_snapshot *from);

#endif
