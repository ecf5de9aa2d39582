/* Adding numbers up. Every counter of struct stats is named in one table, so that a new one cannot be
 * forgotten in the merge: the table's size is checked against the struct's. */
#include "proxy/stats.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "base/mem.h"

#define SQLSTATES (sizeof((struct stats *)0)->login_sqlstate / sizeof((struct stats *)0)->login_sqlstate[0])
#define OTHER     "other"

/* The members that merge by addition, in three runs of uint64_t: what stands between the runs merges
 * otherwise. */
#define RUN(first, last)                                                                                     \
	{                                                                                                    \
		offsetof(struct stats, first),                                                               \
			(offsetof(struct stats, last) - offsetof(struct stats, first)) / 8 + 1               \
	}
static const struct run {
	size_t offset, count;
} sums[] = {
	RUN(cl_active, sv_used),
	RUN(pools, server_logins),
	RUN(login_errors, login_errors[ERR_CODE_COUNT - 1]),
	RUN(tokens, cancels_sent),
};

static const size_t histograms[] = {
	offsetof(struct stats, resolve), offsetof(struct stats, connect), offsetof(struct stats, tls),
	offsetof(struct stats, auth),    offsetof(struct stats, login),   offsetof(struct stats, wait),
	offsetof(struct stats, query),   offsetof(struct stats, xact),
};

_Static_assert(offsetof(struct stats, xact) - offsetof(struct stats, resolve) == 7 * sizeof(struct histogram),
	       "a histogram is missing in the table");
_Static_assert(offsetof(struct stats, pools) == offsetof(struct stats, sv_used) + 16,
	       "only maxwait_us between runs");

void stats_init(struct stats *s, const char *database)
{
	*s = (struct stats){.database = mem_strdup(database)};
}

void stats_fini(struct stats *s)
{
	free(s->database);
	s->database = NULL;
}

/* A SQLSTATE is the server's text: only what looks like one becomes a label. */
static bool is_sqlstate(const char *s)
{
	for (size_t i = 0; i < 5; i++)
		if (!((s[i] >= '0' && s[i] <= '9') || (s[i] >= 'A' && s[i] <= 'Z')))
			return false;
	return s[5] == '\0';
}

static void count_sqlstate(struct stats *s, const char *sqlstate, uint64_t n)
{
	struct stats_sqlstate *row = s->login_sqlstate;

	if (n == 0)
		return;
	for (size_t i = 0; i + 1 < SQLSTATES; i++, row++) {
		if (row->count == 0 && strcmp(sqlstate, OTHER) != 0)
			memcpy(row->sqlstate, sqlstate, sizeof row->sqlstate);
		if (strcmp(row->sqlstate, sqlstate) == 0) {
			row->count += n;
			return;
		}
	}
	memcpy(row->sqlstate, OTHER, sizeof row->sqlstate);
	row->count += n;
}

void stats_login_failed(struct stats *s, const struct err *e)
{
	s->login_errors[e->code]++;
	if (e->from_server || strcmp(e->sqlstate, err_info(e->code)->sqlstate) != 0)
		count_sqlstate(s, is_sqlstate(e->sqlstate) ? e->sqlstate : OTHER, 1);
}

void stats_merge(struct stats *into, const struct stats *from)
{
	for (size_t i = 0; i < sizeof sums / sizeof sums[0]; i++) {
		uint64_t *to = (uint64_t *)(void *)((char *)into + sums[i].offset);
		const uint64_t *add = (const uint64_t *)(const void *)((const char *)from + sums[i].offset);

		for (size_t k = 0; k < sums[i].count; k++)
			to[k] += add[k];
	}
	if (from->maxwait_us > into->maxwait_us)
		into->maxwait_us = from->maxwait_us;
	for (size_t i = 0; i < SQLSTATES; i++)
		count_sqlstate(into, from->login_sqlstate[i].sqlstate, from->login_sqlstate[i].count);
	for (size_t i = 0; i < sizeof histograms / sizeof histograms[0]; i++)
		histogram_merge((struct histogram *)(void *)((char *)into + histograms[i]),
				(const struct histogram *)(const void *)((const char *)from + histograms[i]));
}

struct stats_snapshot *stats_snapshot_new(void)
{
	return mem_zalloc(sizeof(struct stats_snapshot));
}

void stats_snapshot_free(struct stats_snapshot *s)
{
	if (s == NULL)
		return;
	for (size_t i = 0; i < s->db_count; i++)
		stats_fini(&s->db[i]);
	free(s->db);
	free(s);
}

struct stats *stats_snapshot_db(struct stats_snapshot *s, const char *database, size_t hint)
{
	if (hint < s->db_count && strcmp(s->db[hint].database, database) == 0)
		return &s->db[hint];
	for (size_t i = 0; i < s->db_count; i++)
		if (strcmp(s->db[i].database, database) == 0)
			return &s->db[i];
	s->db = mem_resize(s->db, (s->db_count + 1) * sizeof s->db[0]);
	stats_init(&s->db[s->db_count], database);
	return &s->db[s->db_count++];
}

void stats_snapshot_merge(struct stats_snapshot *into, const struct stats_snapshot *from)
{
	into->clients += from->clients;
	into->client_accepts += from->client_accepts;
	into->client_hashes += from->client_hashes;
	for (size_t i = 0; i < ERR_CODE_COUNT; i++)
		into->client_errors[i] += from->client_errors[i];
	into->accept_exhausted += from->accept_exhausted;
	into->cancel_unknown += from->cancel_unknown;
	into->iobufs += from->iobufs;
	into->log_suppressed += from->log_suppressed;
	for (size_t i = 0; i < from->db_count; i++)
		stats_merge(stats_snapshot_db(into, from->db[i].database, i), &from->db[i]);
}
