/* Tables: one row a metric, so that name, type and help cannot drift apart, and the samples of one name stand
 * together as the format wants. */
#include "admin/metrics.h"

#include <inttypes.h>
#include <string.h>
#include "admin/text.h"

enum kind { GAUGE, COUNTER, HISTOGRAM };

static void head(struct buf *out, const char *name, enum kind kind, const char *help)
{
	static const char *const types[] = {"gauge", "counter", "histogram"};

	buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, types[kind]);
}

/* Seconds with the digits a microsecond has, and no exponent. */
static void seconds(struct buf *out, uint64_t us)
{
	buf_printf(out, "%" PRIu64 ".%06u", (uint64_t)(us / CLOCK_US_PER_SEC),
		   (unsigned)(us % CLOCK_US_PER_SEC));
}

static void sample(struct buf *out, const char *name, uint64_t value)
{
	buf_printf(out, "%s %" PRIu64 "\n", name, value);
}

static void single(struct buf *out, const char *name, enum kind kind, const char *help, uint64_t value)
{
	head(out, name, kind, help);
	sample(out, name, value);
}

static void single_seconds(struct buf *out, const char *name, enum kind kind, const char *help, uint64_t us)
{
	head(out, name, kind, help);
	buf_printf(out, "%s ", name);
	seconds(out, us);
	buf_add_char(out, '\n');
}

/* `name{key="value"` without the closing brace. */
static void labelled(struct buf *out, const char *name, const char *key, const char *value)
{
	buf_printf(out, "%s{%s=\"", name, key);
	text_label(out, slice_str(value));
	buf_add_char(out, '"');
}

/* ---- per database ---- */

#define AT(member) offsetof(struct stats, member)

/* clang-format off */
static const struct db_row {
	const char *name;
	enum kind kind;
	bool us; /* kept in microseconds, told in seconds */
	size_t offset;
	const char *help;
} db_rows[] = {
	{"pgiam_cl_active", GAUGE, false, AT(cl_active), "Clients linked to a server connection."},
	{"pgiam_cl_waiting", GAUGE, false, AT(cl_waiting), "Clients waiting for a server connection."},
	{"pgiam_cl_idle", GAUGE, false, AT(cl_idle), "Clients with nothing to do."},
	{"pgiam_sv_active", GAUGE, false, AT(sv_active), "Server connections linked to a client."},
	{"pgiam_sv_idle", GAUGE, false, AT(sv_idle), "Server connections ready for a client."},
	{"pgiam_sv_used", GAUGE, false, AT(sv_used), "Server connections being reset or drained."},
	{"pgiam_sv_login", GAUGE, false, AT(sv_login), "Server connections connecting or logging in."},
	{"pgiam_maxwait_seconds", GAUGE, true, AT(maxwait_us), "How long the oldest waiting client has waited."},
	{"pgiam_pools", GAUGE, false, AT(pools), "Pools: combinations of user and startup parameters."},
	{"pgiam_xact_total", COUNTER, false, AT(xact_count), "Transactions finished."},
	{"pgiam_query_total", COUNTER, false, AT(query_count), "Queries finished."},
	{"pgiam_received_bytes_total", COUNTER, false, AT(bytes_received), "Bytes received from clients."},
	{"pgiam_sent_bytes_total", COUNTER, false, AT(bytes_sent), "Bytes sent to clients."},
	{"pgiam_client_logins_total", COUNTER, false, AT(client_logins), "Clients that logged in."},
	{"pgiam_tokens_total", COUNTER, false, AT(tokens), "IAM tokens made for logins."},
	{"pgiam_server_assignments_total", COUNTER, false, AT(server_assignments),
         "Times a client was given a server connection."},
	{"pgiam_server_closed_total", COUNTER, false, AT(server_closed), "Server connections closed."},
	{"pgiam_cancels_received_total", COUNTER, false, AT(cancels_received), "Cancel requests from clients."},
	{"pgiam_cancels_sent_total", COUNTER, false, AT(cancels_sent), "Cancel requests sent to servers."},
};

static const struct db_histogram {
	const char *name;
	const char *phase; /* label, or NULL */
	size_t offset;
	const char *help; /* of the first row of a name */
} db_histograms[] = {
	{"pgiam_login_phase_seconds", "resolve", AT(resolve), "Time of the phases of server logins."},
	{"pgiam_login_phase_seconds", "connect", AT(connect), NULL},
	{"pgiam_login_phase_seconds", "tls", AT(tls), NULL},
	{"pgiam_login_phase_seconds", "auth", AT(auth), NULL},
	{"pgiam_login_seconds", NULL, AT(login), "Time of server logins, from the first step to the last."},
	{"pgiam_wait_seconds", NULL, AT(wait), "Time clients waited for a server connection."},
	{"pgiam_query_seconds", NULL, AT(query), "Time of queries, as seen by pgiam."},
	{"pgiam_xact_seconds", NULL, AT(xact), "Time of transactions, as seen by pgiam."},
};
/* clang-format on */

static void db_values(struct buf *out, const struct stats_snapshot *s)
{
	for (size_t i = 0; i < sizeof db_rows / sizeof db_rows[0]; i++) {
		const struct db_row *row = &db_rows[i];

		head(out, row->name, row->kind, row->help);
		for (size_t d = 0; d < s->db_count; d++) {
			uint64_t v;

			memcpy(&v, (const char *)&s->db[d] + row->offset, sizeof v);
			labelled(out, row->name, "database", s->db[d].database);
			buf_add_str(out, "} ");
			if (row->us)
				seconds(out, v);
			else
				buf_printf(out, "%" PRIu64, v);
			buf_add_char(out, '\n');
		}
	}
}

/* One line of a histogram, up to the value. le: upper bound in microseconds, 0 for +Inf; suffix "_bucket"
 * only. */
static void histogram_line(struct buf *out, const struct db_histogram *row, const char *suffix,
			   const char *database, const uint32_t *le)
{
	buf_printf(out, "%s%s{database=\"", row->name, suffix);
	text_label(out, slice_str(database));
	buf_add_char(out, '"');
	if (row->phase)
		buf_printf(out, ",phase=\"%s\"", row->phase);
	if (le && *le)
		buf_printf(out, ",le=\"%g\"", *le / 1e6);
	else if (le)
		buf_add_str(out, ",le=\"+Inf\"");
	buf_add_str(out, "} ");
}

static void histogram(struct buf *out, const struct db_histogram *row, const struct stats *s)
{
	const struct histogram *h = (const struct histogram *)(const void *)((const char *)s + row->offset);
	const uint32_t *bounds = histogram_bounds_us(), infinite = 0;
	uint64_t sum = 0;

	for (size_t b = 0; b < HISTOGRAM_BUCKETS; b++) {
		sum += h->bucket[b];
		histogram_line(out, row, "_bucket", s->database,
			       b + 1 < HISTOGRAM_BUCKETS ? &bounds[b] : &infinite);
		buf_printf(out, "%" PRIu64 "\n", sum);
	}
	histogram_line(out, row, "_sum", s->database, NULL);
	seconds(out, h->sum_us);
	buf_add_char(out, '\n');
	histogram_line(out, row, "_count", s->database, NULL);
	buf_printf(out, "%" PRIu64 "\n", sum);
}

static void db_times(struct buf *out, const struct stats_snapshot *s)
{
	for (size_t i = 0; i < sizeof db_histograms / sizeof db_histograms[0]; i++) {
		if (db_histograms[i].help)
			head(out, db_histograms[i].name, HISTOGRAM, db_histograms[i].help);
		for (size_t d = 0; d < s->db_count; d++)
			histogram(out, &db_histograms[i], &s->db[d]);
	}
}

static void logins(struct buf *out, const struct stats_snapshot *s)
{
	static const char name[] = "pgiam_server_logins_total",
			  by_state[] = "pgiam_server_login_sqlstate_total";

	head(out, name, COUNTER, "Server logins by result: ok, or the cause of the failure.");
	for (size_t d = 0; d < s->db_count; d++) {
		const struct stats *db = &s->db[d];

		labelled(out, name, "database", db->database);
		buf_printf(out, ",result=\"ok\"} %" PRIu64 "\n", db->server_logins);
		for (size_t c = 0; c < ERR_CODE_COUNT; c++) {
			if (db->login_errors[c] == 0)
				continue;
			labelled(out, name, "database", db->database);
			buf_printf(out, ",result=\"%s\"} %" PRIu64 "\n", err_info((enum err_code)c)->label,
				   db->login_errors[c]);
		}
	}
	head(out, by_state, COUNTER, "Server logins the server refused, by its SQLSTATE.");
	for (size_t d = 0; d < s->db_count; d++) {
		const struct stats *db = &s->db[d];

		for (size_t i = 0; i < sizeof db->login_sqlstate / sizeof db->login_sqlstate[0]; i++) {
			if (db->login_sqlstate[i].count == 0)
				continue;
			labelled(out, by_state, "database", db->database);
			buf_add_str(out, ",sqlstate=\"");
			text_label(out, slice_str(db->login_sqlstate[i].sqlstate));
			buf_printf(out, "\"} %" PRIu64 "\n", db->login_sqlstate[i].count);
		}
	}
}

/* ---- the process ---- */

static void whole(struct buf *out, const struct stats_snapshot *s)
{
	static const char errors[] = "pgiam_client_errors_total";

	single(out, "pgiam_clients", GAUGE, "Client connections, logging in included.", s->clients);
	single(out, "pgiam_client_accepts_total", COUNTER, "Client connections accepted.", s->client_accepts);
	single(out, "pgiam_client_password_hashes_total", COUNTER,
	       "Password hashes (PBKDF2) computed to authenticate clients.", s->client_hashes);
	head(out, errors, COUNTER, "Client connections refused or ended, by cause; server_closed: by the server.");
	for (size_t c = 0; c < ERR_CODE_COUNT; c++) {
		if (s->client_errors[c] == 0)
			continue;
		labelled(out, errors, "cause", err_info((enum err_code)c)->label);
		buf_printf(out, "} %" PRIu64 "\n", s->client_errors[c]);
	}
	single(out, "pgiam_accept_exhausted_total", COUNTER,
	       "Times accepting stopped for want of descriptors.", s->accept_exhausted);
	single(out, "pgiam_cancel_unknown_total", COUNTER, "Cancel requests with a key nobody has.",
	       s->cancel_unknown);
	single(out, "pgiam_transfer_buffers", GAUGE, "Transfer buffers in use.", s->iobufs);
}

static void workers(struct buf *out, const struct collect_result *r)
{
	static const char name[] = "pgiam_worker_unresponsive";

	single(out, "pgiam_workers", GAUGE, "Worker threads.", r->workers);
	head(out, name, GAUGE, "1 if this worker did not answer in time; its numbers are then missing here.");
	for (unsigned i = 0; i < r->workers; i++)
		buf_printf(out, "%s{worker=\"%u\"} %d\n", name, i, !r->answered[i]);
}

/* Ends in the middle of the labels. */
static void of_identity(struct buf *out, const char *name, const struct admin_credentials *c)
{
	labelled(out, name, "identity", c->identity);
}

static void credentials(struct buf *out, const struct admin_info *info)
{
	static const char valid[] = "pgiam_credentials_valid";
	static const char expiry[] = "pgiam_credentials_expiry_timestamp_seconds";
	static const char refreshes[] = "pgiam_credentials_refreshes_total";
	static const char failures[] = "pgiam_credentials_refresh_failures_total";
	static const char left[] = "pgiam_credentials_expiry_seconds";
	const struct admin_credentials *end = info->credentials;

	if (info->credentials_count > 0) /* to NULL not even 0 may be added */
		end += info->credentials_count;
	head(out, valid, GAUGE, "1 if there are AWS credentials that have not expired.");
	for (const struct admin_credentials *c = info->credentials; c < end; c++) {
		of_identity(out, valid, c);
		buf_printf(out, ",provider=\"%s\"} %d\n", c->provider ? c->provider : "", c->valid);
	}
	head(out, expiry, GAUGE, "When the AWS credentials expire; absent if they do not.");
	for (const struct admin_credentials *c = info->credentials; c < end; c++) {
		if (c->expires_wall_us <= 0)
			continue;
		of_identity(out, expiry, c);
		buf_printf(out, "} %" PRIu64 "\n", (uint64_t)(c->expires_wall_us / (int64_t)CLOCK_US_PER_SEC));
	}
	head(out, left, GAUGE, "Seconds until the AWS credentials expire, by AWS's clock; absent if they do not.");
	for (const struct admin_credentials *c = info->credentials; c < end; c++) {
		if (c->expires_wall_us <= 0)
			continue;
		of_identity(out, left, c);
		buf_printf(out, "} %.1f\n", (double)c->left_us / (double)CLOCK_US_PER_SEC);
	}
	head(out, refreshes, COUNTER, "Times AWS credentials were fetched.");
	for (const struct admin_credentials *c = info->credentials; c < end; c++) {
		of_identity(out, refreshes, c);
		buf_printf(out, "} %" PRIu64 "\n", c->refreshes);
	}
	head(out, failures, COUNTER, "Times fetching AWS credentials failed, by cause.");
	for (const struct admin_credentials *c = info->credentials; c < end; c++)
		for (size_t i = 0; c->failures[i].cause; i++) {
			of_identity(out, failures, c);
			buf_printf(out, ",cause=\"%s\"} %" PRIu64 "\n", c->failures[i].cause, c->failures[i].n);
		}
	head(out, "pgiam_clock_skew_seconds", GAUGE,
	     "What AWS's clock is ahead of this machine's; 0 as long as nothing is known.");
	buf_printf(out, "pgiam_clock_skew_seconds %.1f\n", (double)info->skew_us / 1e6);
}

/* A value of a secret, told if there is one. */
static bool secret_valid(const struct admin_secret *s, double *value)
{
	*value = s->valid;
	return true;
}

static bool secret_reads(const struct admin_secret *s, double *value)
{
	*value = (double)s->reads;
	return true;
}

static bool secret_read_at(const struct admin_secret *s, double *value)
{
	*value = (double)s->read_wall_us / (double)CLOCK_US_PER_SEC;
	return s->read_wall_us > 0;
}

static bool secret_age(const struct admin_secret *s, double *value)
{
	*value = (double)s->age_us / (double)CLOCK_US_PER_SEC;
	return s->read_wall_us > 0;
}

static bool secret_expiry(const struct admin_secret *s, double *value)
{
	*value = (double)s->expires_wall_us / (double)CLOCK_US_PER_SEC;
	return s->expires_wall_us > 0;
}

static const struct secret_row {
	const char *name;
	enum kind kind;
	bool (*value)(const struct admin_secret *s, double *value);
	const char *help;
} secret_rows[] = {
	{"pgiam_secret_valid", GAUGE, secret_valid, "1 if there is a secret to log in with."},
	{"pgiam_secret_reads_total", COUNTER, secret_reads, "Times a secret was read."},
	{"pgiam_secret_read_timestamp_seconds", GAUGE, secret_read_at, "When the secret was read last."},
	{"pgiam_secret_age_seconds", GAUGE, secret_age, "How long ago the secret was read last."},
	{"pgiam_secret_expiry_timestamp_seconds", GAUGE, secret_expiry,
	 "When a temporary password expires; absent if it does not."},
};

/* Ends in the middle of the labels. */
static void of_secret(struct buf *out, const char *name, const struct admin_secret *s)
{
	labelled(out, name, "identity", s->identity);
	buf_add_str(out, ",secret=\"");
	text_label(out, slice_str(s->name));
	buf_add_char(out, '"');
}

static void secrets(struct buf *out, const struct admin_info *info)
{
	static const char failures[] = "pgiam_secret_read_failures_total";

	if (info->secret_count == 0)
		return;
	for (size_t r = 0; r < sizeof secret_rows / sizeof secret_rows[0]; r++) {
		const struct secret_row *row = &secret_rows[r];

		head(out, row->name, row->kind, row->help);
		for (size_t i = 0; i < info->secret_count; i++) {
			double value;

			if (!row->value(&info->secrets[i], &value))
				continue;
			of_secret(out, row->name, &info->secrets[i]);
			buf_printf(out, "} %.15g\n", value);
		}
	}
	head(out, failures, COUNTER, "Times reading a secret failed, by cause.");
	for (size_t i = 0; i < info->secret_count; i++)
		for (const struct admin_cause *c = info->secrets[i].failures; c->cause; c++) {
			of_secret(out, failures, &info->secrets[i]);
			buf_printf(out, ",cause=\"%s\"} %" PRIu64 "\n", c->cause, c->n);
		}
}

static void certificates(struct buf *out, const struct admin_info *info)
{
	static const char name[] = "pgiam_certificate_expiry_timestamp_seconds";

	head(out, name, GAUGE, "When a certificate that pgiam shows expires, or the first of its chain.");
	for (size_t i = 0; i < info->certificate_count; i++) {
		const struct admin_certificate *c = &info->certificates[i];

		labelled(out, name, "file", c->file);
		buf_printf(out, ",shown_to=\"%s\"} %" PRId64 "\n", c->shown_to, c->expires_sec);
	}
}

static void unusable(struct buf *out, const struct admin_info *info)
{
	static const char name[] = "pgiam_file_failures_total";
	const struct {
		const char *files;
		uint64_t n;
	} rows[] = {
		{"tls", info->unusable.tls},
		{"auth_file", info->unusable.users},
		{"auth_hba_file", info->unusable.rules},
	};

	head(out, name, COUNTER,
	     "Times files were read again and could not be used: what they said before holds. auth_hba_file: or auth_ident_file.");
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		labelled(out, name, "files", rows[i].files);
		buf_printf(out, "} %" PRIu64 "\n", rows[i].n);
	}
}

static void process(struct buf *out, const struct admin_info *info, const struct collect_result *r)
{
	head(out, "pgiam_build_info", GAUGE, "The version running.");
	labelled(out, "pgiam_build_info", "version", info->version);
	buf_add_str(out, "} 1\n");
	single(out, "pgiam_draining", GAUGE, "1 while shutting down.", info->draining);
	single(out, "pgiam_max_client_conn", GAUGE, "Most client connections there may be.",
	       info->max_client_conn);
	single(out, "pgiam_log_dropped_lines_total", COUNTER, "Log lines dropped because nobody took them.",
	       info->log_dropped);
	single(out, "pgiam_log_suppressed_lines_total", COUNTER,
	       "Log lines left out because the same event was logged too often; a later line counts them.",
	       info->log_suppressed + r->stats->log_suppressed);
	single(out, "pgiam_log_write_failures_total", COUNTER,
	       "Failed writes to the log: a full disk, a reader that went. Lines wait, then are dropped.",
	       info->log_failures);
	single_seconds(out, "process_start_time_seconds", GAUGE, "When the process started.",
		       info->started_wall_us > 0 ? (uint64_t)info->started_wall_us : 0);
	single_seconds(out, "process_cpu_seconds_total", COUNTER, "User and system CPU time.",
		       info->process.cpu_us);
	single(out, "process_resident_memory_bytes", GAUGE, "Resident memory.", info->process.resident_bytes);
	single(out, "process_open_fds", GAUGE, "Open descriptors.", info->process.open_fds);
	single(out, "process_max_fds", GAUGE, "Most descriptors there may be.", info->process.max_fds);
}

void metrics_render(const struct admin_info *info, const struct collect_result *r, struct buf *out)
{
	process(out, info, r);
	credentials(out, info);
	secrets(out, info);
	certificates(out, info);
	unusable(out, info);
	workers(out, r);
	whole(out, r->stats);
	db_values(out, r->stats);
	logins(out, r->stats);
	db_times(out, r->stats);
}
