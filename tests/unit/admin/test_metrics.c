/* The whole page against a checker of the format, and the numbers that must be in it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>
#include "unit/admin/prom.h"

#include "admin/metrics.h"
#include "admin/text.h"

static void fill(struct stats *s, uint64_t base)
{
	struct err e;

	s->cl_active = base + 1;
	s->cl_waiting = base + 2;
	s->sv_idle = base + 3;
	s->maxwait_us = 1500000 + base;
	s->pools = 2;
	s->xact_count = 1000 + base;
	s->query_count = 2000;
	s->bytes_sent = 1ULL << 60;
	s->server_logins = 7;
	s->tokens = 9;
	s->cancels_sent = 4;
	err_set(&e, ERR_TLS_VERIFY, "x");
	stats_login_failed(s, &e);
	err_set(&e, ERR_AUTH_IAM, "x");
	e.from_server = true;
	stats_login_failed(s, &e);
	stats_login_failed(s, &e);
	histogram_add(&s->connect, 40);
	histogram_add(&s->connect, 700);
	histogram_add(&s->connect, 200000000);
	histogram_add(&s->query, 1000000);
}

static struct stats_snapshot *snapshot(void)
{
	struct stats_snapshot *s = stats_snapshot_new();

	fill(stats_snapshot_db(s, "orders", 0), 0);
	fill(stats_snapshot_db(s, "we\"ird\\\n\x01\xff\xc3\xa4", 1), 10);
	s->clients = 5;
	s->client_errors[ERR_CLIENT_PROTOCOL] = 3;
	s->iobufs = 1;
	s->log_suppressed = 20;
	return s;
}

static void render(struct buf *out, const struct admin_info *info, const struct stats_snapshot *s)
{
	static const bool answered[] = {true, false, true};
	const struct collect_result r = {.workers = 3, .answered = answered, .missing = 1, .stats = s};

	buf_init(out, 1 << 20);
	metrics_render(info, &r, out);
	assert_false(out->full);
}

static const struct admin_certificate certificates[] = {
	{.file = "/a \"b\".pem", .shown_to = "clients", .expires_sec = 1790000000},
        {.file = "/a.pem", .shown_to = "servers", .expires_sec = -5                  }
};

static const struct admin_credentials identities[] = {
	{.identity = "default",
	 .provider = "env",
	 .valid = true,
	 .expires_wall_us = 1760003600000000,
	 .left_us = -1500000,
	 .refreshes = 2,
	 .failures = {{"unreachable", 3}, {"refused", 0}}},
	{.identity = "profile \"b\"", .failures = {{"unreachable", 1}}},
};

static const struct admin_secret secrets[] = {
	{.identity = "default",
	 .name = "secret \"a\" in us-east-1",
	 .valid = true,
	 .read_wall_us = 1760000000500000,
	 .age_us = 2500000,
	 .expires_wall_us = 1760000900000000,
	 .reads = 3,
	 .failures = {{"throttled", 2}, {"no_credentials", 1}}},
	{.identity = "default", .name = "b", .failures = {{"refused", 4}}},
};

static const struct admin_info info = {
	.secrets = secrets,
	.secret_count = 2,
	.certificates = certificates,
	.certificate_count = 2,
	.unusable = {.tls = 4, .users = 5, .rules = 6},
	.version = "1.2.3",
	.started_wall_us = 1760000000123456,
	.credentials = identities,
	.credentials_count = 2,
	.skew_us = -1500000,
	.max_client_conn = 100,
	.log_suppressed = 3,
	.process = {.cpu_us = 2500000, .resident_bytes = 4096, .open_fds = 12, .max_fds = 1024},
};

static void expect(const struct prom *p, const char *series, double value)
{
	if (prom_value(p, series) != value)
		print_error("%s: %f\n", series, prom_value(p, series));
	assert_true(prom_value(p, series) == value);
}

static void whole_page(void **state)
{
	struct stats_snapshot *s = snapshot();
	struct prom p;
	struct buf out;

	(void)state;
	render(&out, &info, s);
	prom_read(&p, buf_cstr(&out));
	expect(&p, "pgiam_build_info{version=\"1.2.3\"}", 1);
	expect(&p, "process_start_time_seconds", 1760000000.123456);
	expect(&p, "process_cpu_seconds_total", 2.5);
	expect(&p, "pgiam_credentials_valid{identity=\"default\",provider=\"env\"}", 1);
	expect(&p, "pgiam_credentials_valid{identity=\"profile \\\"b\\\"\",provider=\"\"}", 0);
	expect(&p, "pgiam_credentials_expiry_timestamp_seconds{identity=\"default\"}", 1760003600);
	expect(&p, "pgiam_credentials_expiry_timestamp_seconds{identity=\"profile \\\"b\\\"\"}", -1);
	expect(&p, "pgiam_credentials_expiry_seconds{identity=\"default\"}", -1.5);
	expect(&p, "pgiam_credentials_expiry_seconds{identity=\"profile \\\"b\\\"\"}", -1); /* there is none */
#define A "{identity=\"default\",secret=\"secret \\\"a\\\" in us-east-1\""
#define B "{identity=\"default\",secret=\"b\""
	expect(&p, "pgiam_secret_valid" A "}", 1);
	expect(&p, "pgiam_secret_valid" B "}", 0);
	expect(&p, "pgiam_secret_reads_total" A "}", 3);
	expect(&p, "pgiam_secret_reads_total" B "}", 0);
	expect(&p, "pgiam_secret_read_timestamp_seconds" A "}", 1760000000.5);
	expect(&p, "pgiam_secret_age_seconds" A "}", 2.5);
	expect(&p, "pgiam_secret_age_seconds" B "}", -1);
	expect(&p, "pgiam_secret_expiry_timestamp_seconds" A "}", 1760000900);
	expect(&p, "pgiam_secret_read_failures_total" A ",cause=\"throttled\"}", 2);
	expect(&p, "pgiam_secret_read_failures_total" A ",cause=\"no_credentials\"}", 1);
	expect(&p, "pgiam_secret_read_failures_total" B ",cause=\"refused\"}", 4);
#undef A
#undef B
	expect(&p, "pgiam_credentials_refreshes_total{identity=\"default\"}", 2);
	expect(&p, "pgiam_credentials_refreshes_total{identity=\"profile \\\"b\\\"\"}", 0);
	expect(&p, "pgiam_credentials_refresh_failures_total{identity=\"default\",cause=\"unreachable\"}", 3);
	expect(&p, "pgiam_credentials_refresh_failures_total{identity=\"default\",cause=\"refused\"}", 0);
	expect(&p, "pgiam_credentials_refresh_failures_total{identity=\"profile \\\"b\\\"\",cause=\"unreachable\"}", 1);
	expect(&p, "pgiam_clock_skew_seconds", -1.5);
	expect(&p, "pgiam_certificate_expiry_timestamp_seconds{file=\"/a \\\"b\\\".pem\",shown_to=\"clients\"}", 1790000000);
	expect(&p, "pgiam_certificate_expiry_timestamp_seconds{file=\"/a.pem\",shown_to=\"servers\"}", -5);
	expect(&p, "pgiam_file_failures_total{files=\"tls\"}", 4);
	expect(&p, "pgiam_file_failures_total{files=\"auth_file\"}", 5);
	expect(&p, "pgiam_file_failures_total{files=\"auth_hba_file\"}", 6);
	expect(&p, "pgiam_worker_unresponsive{worker=\"0\"}", 0);
	expect(&p, "pgiam_worker_unresponsive{worker=\"1\"}", 1);
	expect(&p, "pgiam_clients", 5);
	expect(&p, "pgiam_log_suppressed_lines_total", 23); /* of the workers and of the control thread */
	expect(&p, "pgiam_client_errors_total{cause=\"client_protocol\"}", 3);
	expect(&p, "pgiam_cl_active{database=\"orders\"}", 1);
	expect(&p, "pgiam_cl_waiting{database=\"we\\\"ird\\\\\\n\x01\xef\xbf\xbd\xc3\xa4\"}", 12);
	expect(&p, "pgiam_maxwait_seconds{database=\"orders\"}", 1.5);
	expect(&p, "pgiam_sent_bytes_total{database=\"orders\"}", 1152921504606846976.0);
	expect(&p, "pgiam_tokens_total{database=\"orders\"}", 9);
	expect(&p, "pgiam_server_logins_total{database=\"orders\",result=\"ok\"}", 7);
	expect(&p, "pgiam_server_logins_total{database=\"orders\",result=\"tls_verify\"}", 1);
	expect(&p, "pgiam_server_logins_total{database=\"orders\",result=\"auth_iam\"}", 2);
	expect(&p, "pgiam_server_login_sqlstate_total{database=\"orders\",sqlstate=\"28000\"}", 2);
	expect(&p, "pgiam_login_phase_seconds_bucket{database=\"orders\",phase=\"connect\",le=\"5e-05\"}", 1);
	expect(&p, "pgiam_login_phase_seconds_bucket{database=\"orders\",phase=\"connect\",le=\"0.001\"}", 2);
	expect(&p, "pgiam_login_phase_seconds_bucket{database=\"orders\",phase=\"connect\",le=\"120\"}", 2);
	expect(&p, "pgiam_login_phase_seconds_bucket{database=\"orders\",phase=\"connect\",le=\"+Inf\"}", 3);
	expect(&p, "pgiam_login_phase_seconds_count{database=\"orders\",phase=\"connect\"}", 3);
	expect(&p, "pgiam_login_phase_seconds_sum{database=\"orders\",phase=\"connect\"}", 200.00074);
	expect(&p, "pgiam_query_seconds_sum{database=\"orders\"}", 1);
	prom_free(&p);
	buf_free(&out);
	stats_snapshot_free(s);
}

/* No database, no credentials, nothing counted: still a page, and no sample that would be a lie. */
static void empty_page(void **state)
{
	const struct admin_info none = {.version = ""};
	struct stats_snapshot *s = stats_snapshot_new();
	struct prom p;
	struct buf out;

	(void)state;
	render(&out, &none, s);
	prom_read(&p, buf_cstr(&out));
	expect(&p, "pgiam_clients", 0);
	expect(&p, "pgiam_credentials_expiry_timestamp_seconds", -1);
	expect(&p, "pgiam_credentials_valid{provider=\"\"}", -1);
	prom_free(&p);
	buf_free(&out);
	stats_snapshot_free(s);
}

/* Bytes 0 to 255 in every position of a short value: what comes out is a label, and UTF-8. */
static void labels_hold(void **state)
{
	char in[3], line[512];
	struct prom p;
	struct buf out;

	(void)state;
	buf_init(&out, 256);
	for (unsigned i = 0; i < 65536; i++) {
		in[0] = (char)(i >> 8);
		in[1] = 'x';
		in[2] = (char)i;
		buf_clear(&out);
		text_label(&out, slice_of(in, 3));
		if (strlen(buf_cstr(&out)) != out.n)
			fail_msg("a NUL came through");
		snprintf(line, sizeof line, "# HELP a b\n# TYPE a gauge\na{b=\"%s\"} 1\n", buf_cstr(&out));
		prom_read(&p, line);
		prom_free(&p);
	}
	buf_free(&out);
}

static void long_text_is_cut(void **state)
{
	char in[TEXT_MAX + 10];
	struct buf out;

	(void)state;
	buf_init(&out, 4 * TEXT_MAX);
	memset(in, 'a', sizeof in);
	text_label(&out, slice_of(in, TEXT_MAX));
	assert_int_equal(out.n, TEXT_MAX);
	buf_clear(&out);
	/* the cut would go through a character */
	memcpy(in + TEXT_MAX - 1, "\xc3\xa4", 2);
	text_label(&out, slice_of(in, sizeof in));
	assert_int_equal(out.n, TEXT_MAX - 1 + 3);
	assert_memory_equal(out.p + TEXT_MAX - 1, "...", 3);
	buf_free(&out);
}

static void json_strings(void **state)
{
	struct buf out;

	(void)state;
	buf_init(&out, 256);
	text_json(&out, slice_of("a\"b\\c\n\x01\x7f\0\xff\xc3\xa4", 12));
	assert_string_equal(buf_cstr(&out),
			    "\"a\\\"b\\\\c\\u000a\\u0001\\u007f\xef\xbf\xbd\xef\xbf\xbd\xc3\xa4\"");
	buf_free(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(whole_page),   cmocka_unit_test(empty_page),
		cmocka_unit_test(labels_hold),  cmocka_unit_test(long_text_is_cut),
		cmocka_unit_test(json_strings),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
