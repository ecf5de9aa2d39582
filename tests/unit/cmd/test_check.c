/* cmd/check: what is printed where, exit codes, and every option PgBouncer 1.26 has. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>
#include "app/options.h"
#include "cmd/cmd.h"

#define RDS        "mydb.c9akciq32rgw.us-east-1.rds.amazonaws.com"
#define OUTPUT_MAX 65536

struct run {
	char dir[32];
	char out[OUTPUT_MAX], err[OUTPUT_MAX];
};

/* Every option of PgBouncer 1.26, at its default. */
static const char *const pgbouncer[] = {
	"admin_users =",
	"application_name_add_host = 0",
	"auth_dbname =",
	"auth_file =",
	"auth_hba_file =",
	"auth_ident_file =",
	"auth_ldap_options =",
	"auth_type = md5",
	"auth_user =",
	"autodb_idle_timeout = 3600.0",
	"cancel_wait_timeout = 10.0",
	"client_idle_timeout = 0.0",
	"client_login_timeout = 60.0",
	"client_tls13_ciphers =",
	"client_tls_ca_file =",
	"client_tls_cert_file =",
	"client_tls_ciphers = default",
	"client_tls_dheparams = auto",
	"client_tls_ecdhcurve = auto",
	"client_tls_key_file =",
	"client_tls_protocols = secure",
	"client_tls_sslmode = disable",
	"conffile =",
	"default_pool_size = 20",
	"disable_pqexec = 0",
	"dns_max_ttl = 15.0",
	"dns_nxdomain_ttl = 15.0",
	"dns_zone_check_period = 0.0",
	"idle_transaction_timeout = 0",
	"ignore_startup_parameters =",
	"job_name = pgbouncer",
	"listen_addr =",
	"listen_backlog = 128",
	"listen_port = 6432",
	"log_connections = 1",
	"log_disconnections = 1",
	"log_pooler_errors = 1",
	"log_stats = 1",
	"logfile =",
	"login_notify_message =",
	"max_client_conn = 100",
	"max_db_client_connections = 0",
	"max_db_connections = 0",
	"max_packet_size = 2147483647",
	"max_prepared_statements = 200",
	"max_user_client_connections = 0",
	"max_user_connections = 0",
	"min_pool_size = 0",
	"peer_id = 0",
	"pidfile =",
	"pkt_buf = 4096",
	"pool_idle_timeout = 0.0",
	"pool_mode = session",
	"query_timeout = 0",
	"query_wait_notify = 5",
	"query_wait_timeout = 120.0",
	"reserve_pool_size = 0",
	"reserve_pool_timeout = 5.0",
	"resolv_conf =",
	"sbuf_loopcnt = 5",
	"scram_iterations = 4096",
	"server_check_delay = 30.0",
	"server_check_query = <empty>",
	"server_connect_timeout = 15.0",
	"server_fast_close = 0",
	"server_idle_timeout = 600.0",
	"server_lifetime = 3600.0",
	"server_login_retry = 15.0",
	"server_reset_query = DISCARD ALL",
	"server_reset_query_always = 0",
	"server_round_robin = 0",
	"server_tls13_ciphers =",
	"server_tls_ca_file =",
	"server_tls_cert_file =",
	"server_tls_ciphers = default",
	"server_tls_key_file =",
	"server_tls_protocols = secure",
	"server_tls_sslmode = prefer",
	"service_name = pgbouncer",
	"so_reuseport = 0",
	"stats_period = 60",
	"stats_users =",
	"suspend_timeout = 10",
	"syslog = 0",
	"syslog_facility = daemon",
	"syslog_ident = pgbouncer",
	"tcp_defer_accept = 1",
	"tcp_keepalive = 1",
	"tcp_keepcnt = 0",
	"tcp_keepidle = 0",
	"tcp_keepintvl = 0",
	"tcp_socket_buffer = 0",
	"tcp_user_timeout = 0",
	"track_extra_parameters = IntervalStyle",
	"transaction_timeout = 0",
	"unix_socket_dir = /tmp",
	"unix_socket_group =",
	"unix_socket_mode = 0777",
	"user =",
	"verbose = 0",
};

/* Options whose default in PgBouncer asks for what this version does not do, or must not. */
static const char *const refused[] = {"auth_type", "server_tls_sslmode"};

/* Keys of [databases] and [users] entries. */
static const char pgbouncer_entries[] =
	"[databases]\n"
	"a = host=" RDS
	" port=5432 dbname=x user=u pool_size=1 min_pool_size=0 reserve_pool=0 reserve_pool_size=0 "
	"max_db_connections=2 max_db_client_connections=0 server_lifetime=1 query_wait_timeout=2 "
	"pool_mode=session "
	"connect_query='SELECT 1' application_name=y client_encoding=UTF8 datestyle=ISO timezone=UTC "
	"load_balance_hosts=disable auth_user='' auth_query='' auth_dbname=''\n"
	"[users]\n"
	"u = pool_mode=session max_user_connections=0 max_user_client_connections=0 query_timeout=0 "
	"transaction_timeout=0 "
	"idle_transaction_timeout=0 reserve_pool_size=0 pool_size='' client_idle_timeout='' "
	"query_wait_timeout=-1\n"
	"[pgbouncer]\n";

static int setup(void **state)
{
	struct run *r = calloc(1, sizeof(*r));

	if (!r)
		return -1;
	snprintf(r->dir, sizeof(r->dir), "/tmp/pgiam-check-XXXXXX");
	*state = r;
	return mkdtemp(r->dir) && chdir(r->dir) == 0 ? 0 : -1;
}

static int teardown(void **state)
{
	struct run *r = *state;
	int rc;

	unlink("out");
	unlink("err");
	unlink("t.ini");
	rc = chdir("/") == 0 && rmdir(r->dir) == 0 ? 0 : -1;
	free(r);
	return rc;
}

static int redirect(FILE *f, const char *path)
{
	int saved = dup(fileno(f)), fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);

	assert_true(saved >= 0 && fd >= 0);
	fflush(f);
	dup2(fd, fileno(f));
	close(fd);
	return saved;
}

static void restore(FILE *f, int saved)
{
	fflush(f);
	dup2(saved, fileno(f));
	close(saved);
}

static void slurp(const char *path, char out[OUTPUT_MAX])
{
	FILE *f = fopen(path, "r");
	size_t n;

	assert_non_null(f);
	n = fread(out, 1, OUTPUT_MAX - 1, f);
	out[n] = '\0';
	fclose(f);
}

/* `pgiam check` with up to three more words. */
static int check(struct run *r, const char *a, const char *b, const char *c)
{
	char *argv[] = {(char *)(uintptr_t) "pgiam", (char *)(uintptr_t) "check", (char *)(uintptr_t)a,
			(char *)(uintptr_t)b,        (char *)(uintptr_t)c,        NULL};
	int argc = 2 + (a != NULL) + (b != NULL) + (c != NULL), rc;
	int out = redirect(stdout, "out"), err = redirect(stderr, "err");

	rc = cmd_main(argc, argv);
	restore(stdout, out);
	restore(stderr, err);
	slurp("out", r->out);
	slurp("err", r->err);
	return rc;
}

static FILE *file(const char *head)
{
	FILE *f = fopen("t.ini", "w");

	assert_non_null(f);
	fputs(head, f);
	return f;
}

static void exit_codes(void **state)
{
	struct run *r = *state;

	assert_int_equal(check(r, "--host", RDS, NULL), CMD_OK);
	assert_non_null(strstr(r->out, "auth iam for " RDS ":5432 in us-east-1"));
	assert_null(strstr(r->err, "error"));
	assert_int_equal(check(r, NULL, NULL, NULL), CMD_CONFIG);
	assert_string_equal(r->out, "");
	assert_non_null(strstr(r->err, "error: there is no database to serve\n"));
	assert_int_equal(check(r, "--hots", RDS, NULL), CMD_USAGE);
	assert_non_null(
		strstr(r->err, "error: --hots: there is no such option\n       Did you mean --host?\n"));
	assert_int_equal(check(r, "t.ini", NULL, NULL), CMD_CONFIG);
	assert_non_null(strstr(r->err, "error: cannot open t.ini"));
	fclose(file("[databases]\nx = host=" RDS "\n[pgiam]\nworkers = 0\n"));
	assert_int_equal(check(r, "t.ini", NULL, NULL), CMD_CONFIG);
	assert_non_null(strstr(r->err, "error: t.ini:4: workers: 0 is not between 1 and 64\n"));
	assert_int_equal(check(r, "--workers=2", "t.ini", NULL), CMD_CONFIG);
}

/* Who set a limit for the whole learns what each worker keeps to. */
static void shares_of_several_workers(void **state)
{
	struct run *r = *state;

	assert_int_equal(check(r, "--host", RDS, "--default-pool-size=9"), CMD_OK);
	assert_non_null(strstr(r->out, "workers    1\n"));
	assert_null(strstr(r->out, "share"));
	assert_int_equal(check(r, "--host", RDS, "--workers=2"), CMD_OK);
	assert_non_null(strstr(r->out, "pool_size 20, logins a second 10 to start with, 100 at most\n"));
	assert_non_null(strstr(r->out, "workers    2; each keeps to its share of the limits above:\n"));
	assert_non_null(strstr(r->out, "worker 1   max_client_conn 50, max_pools 500\n"));
	assert_non_null(strstr(r->out, "pool_size 10, login_parallel 5, logins a second 5 to start with, 50 at most\n"));
}

/* Whoever reads a FIFO waits for whoever writes to it: alarm() ends the test. */
static void a_fifo_holds_nobody_up(void **state)
{
#define DB "[databases]\nx = host=" RDS
	static const struct {
		const char *text, *option;
	} cases[] = {
		{DB " tls_ca=fifo\n", "tls_ca"},
		{DB "\n[pgiam]\nserver_tls_ca_file = fifo\n", "server_tls_ca_file"},
		{DB "\n[pgiam]\nclient_tls_ca_file = fifo\n", "client_tls_ca_file"},
		{DB "\n[pgiam]\nclient_tls_cert_file = fifo\nclient_tls_key_file = t.ini\n", "client_tls_cert_file"},
		{DB "\n[pgiam]\nserver_tls_cert_file = fifo\nserver_tls_key_file = t.ini\n", "server_tls_cert_file"},
		{DB "\n[pgiam]\nauth_type = md5\nauth_file = fifo\n", "auth_file"},
		{DB "\n[pgiam]\nauth_type = hba\nauth_hba_file = fifo\n", "auth_hba_file"},
		{DB "\n[pgiam]\nauth_ident_file = fifo\n", "auth_ident_file"},
	};
	struct run *r = *state;

	assert_int_equal(mkfifo("fifo", 0600), 0);
	alarm(20);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		fclose(file(cases[i].text));
		assert_int_equal(check(r, "t.ini", NULL, NULL), CMD_CONFIG);
		if (!strstr(r->err, cases[i].option) || !strstr(r->err, "fifo is no regular file"))
			fail_msg("%s: %s", cases[i].option, r->err);
	}
	assert_int_equal(check(r, "fifo", NULL, NULL), CMD_CONFIG);
	assert_non_null(strstr(r->err, "error: fifo is no regular file"));
	assert_int_equal(check(r, "/dev/zero", NULL, NULL), CMD_CONFIG);
	assert_non_null(strstr(r->err, "error: /dev/zero is no regular file"));
	alarm(0);
	unlink("fifo");
}

/* Who may log in, in numbers: no name of a user and no secret. */
static void who_may_log_in(void **state)
{
	struct run *r = *state;
	FILE *f = fopen("users", "w");

	assert_non_null(f);
	fputs("\"ann\" \"sesame\"\n\"joe\" \"md5d41d8cd98f00b204e9800998ecf8427e\"\n\"eve\" \"open\"\n\"off\" \"\"\n", f);
	fclose(f);
	f = fopen("hba", "w");
	assert_non_null(f);
	fputs("local all all peer map=m\nhost app ann 127.0.0.1/32 md5 # comment\n\nhost all all 10.0.0.0/8 reject\n", f);
	fclose(f);
	f = fopen("ident", "w");
	assert_non_null(f);
	fputs("m root ann\n", f);
	fclose(f);
	chmod("users", 0600);
	assert_int_equal(check(r, "--host", RDS, NULL), CMD_OK);
	assert_non_null(strstr(r->out, "           auth_type trust\n"));
	assert_null(strstr(r->out, "auth_file"));
	fclose(file(DB "\n[pgiam]\nauth_type = plain\nauth_file = users\n"));
	assert_int_equal(check(r, "t.ini", NULL, NULL), CMD_OK);
	assert_non_null(strstr(r->out, "           auth_type plain\n"
				       "           auth_file users: users with a secret of SCRAM 0, of md5 1, in clear 2\n"));
	fclose(file(DB "\n[pgiam]\nauth_type = hba\nauth_file = users\nauth_hba_file = hba\nauth_ident_file = ident\n"));
	assert_int_equal(check(r, "t.ini", NULL, NULL), CMD_OK);
	assert_non_null(strstr(r->out, "           auth_type hba\n"));
	assert_non_null(strstr(r->out, "           auth_hba_file hba: lines 3\n           auth_ident_file ident: lines 1\n"));
	assert_null(strstr(r->out, "sesame"));
	assert_null(strstr(r->out, "ann"));
	assert_null(strstr(r->out, "d41d8"));
	unlink("users");
	unlink("hba");
	unlink("ident");
}

static void help(void **state)
{
	struct run *r = *state;

	assert_int_equal(check(r, "--help", NULL, NULL), CMD_OK);
	assert_non_null(strstr(r->out, "usage: pgiam check"));
	assert_non_null(strstr(r->out, "--listen-addr, PGIAM_LISTEN_ADDR"));
	assert_int_equal(check(r, "--options", NULL, NULL), CMD_OK);
	assert_non_null(strstr(r->out, "honoured\t"));
	assert_non_null(strstr(r->out, "refused\t"));
}

static void all_of_pgbouncer(void **state)
{
	struct run *r = *state;
	size_t errors = 0;
	FILE *f = file(pgbouncer_entries);

	for (size_t i = 0; i < sizeof(pgbouncer) / sizeof(pgbouncer[0]); i++)
		fprintf(f, "%s\n", pgbouncer[i]);
	fclose(f);
	assert_int_equal(check(r, "t.ini", NULL, NULL), CMD_CONFIG);
	assert_null(strstr(r->err, "no such option"));
	for (const char *p = r->err; (p = strstr(p, "error: ")); p++)
		errors++;
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
		char want[64];
		snprintf(want, sizeof(want), ": %s: ", refused[i]);
		if (!strstr(r->err, want))
			fail_msg("%s is not refused:\n%s", refused[i], r->err);
	}
	if (errors != sizeof(refused) / sizeof(refused[0]))
		fail_msg("more errors than wanted:\n%s", r->err);
	/* and without those two it is good */
	f = file(pgbouncer_entries);
	for (size_t i = 0; i < sizeof(pgbouncer) / sizeof(pgbouncer[0]); i++)
		if (strncmp(pgbouncer[i], "auth_type", 9) != 0 &&
		    strncmp(pgbouncer[i], "server_tls_sslmode", 18) != 0)
			fprintf(f, "%s\n", pgbouncer[i]);
	fclose(f);
	if (check(r, "t.ini", NULL, NULL) != CMD_OK)
		fail_msg("%s", r->err);
	assert_non_null(strstr(r->err, "note: t.ini:"));
	assert_non_null(strstr(r->out, "/tmp/.s.PGSQL.6432"));
}

/* The line about an option: "error: t.ini:7: name: refused: why". */
static void is_said(struct run *r, const struct option *o, const char *fmt)
{
	char want[512];

	snprintf(want, sizeof(want), fmt, o->name, o->note);
	if (!strstr(r->err, want))
		fail_msg("\"%s\" is not said:\n%s", want, r->err);
	assert_true(strlen(o->note) > 10); /* a reason, not a word */
}

/* Whatever has no effect or is refused is told with the reason, when it asks for something. */
static void every_reason_is_told(void **state)
{
	struct run *r = *state;
	FILE *f = file("[databases]\na = host=" RDS "\n[pgbouncer]\n");

	for (size_t i = OPT_COUNT; i < options_count(); i++)
		if (options_get(i)->scope & OPTION_GLOBAL)
			fprintf(f, "%s = 17\n", options_get(i)->name);
	fclose(f);
	assert_int_equal(check(r, "t.ini", NULL, NULL), CMD_CONFIG);
	for (size_t i = OPT_COUNT; i < options_count(); i++) {
		const struct option *o = options_get(i);

		if (o->scope & OPTION_GLOBAL)
			is_said(r, o, o->class == OPTION_REFUSED ? ": %s: refused: %s\n" : ": %s has no effect: %s\n");
	}
	fclose(file("%include other.ini\n[peers]\n1 = host=x\n[databases]\na = host=" RDS "\n"));
	assert_int_equal(check(r, "t.ini", NULL, NULL), CMD_CONFIG);
	assert_non_null(strstr(r->err, "error: t.ini:1: %include is refused: "));
	assert_non_null(strstr(r->err, "error: t.ini:2: [peers]: refused: "));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(exit_codes),
		cmocka_unit_test(shares_of_several_workers),
		cmocka_unit_test(a_fifo_holds_nobody_up),
		cmocka_unit_test(who_may_log_in),
		cmocka_unit_test(help),
		cmocka_unit_test(all_of_pgbouncer),
		cmocka_unit_test(every_reason_is_told),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
