/* app/conf: where values come from, and how they are shared out. */
#include "conf_test.h"

static void flags_alone(void **state)
{
	struct conf_test *t = *state;
	struct conf_worker *w;
	const struct target *target;

	conf_test_good(t, NULL, NULL, ARGS("--host", RDS));
	assert_int_equal(t->c->workers, 1);
	assert_int_equal(t->c->listen_count, 2);
	assert_string_equal(t->c->listen[0].text, "127.0.0.1:5432");
	assert_false(t->c->listen[0].optional);
	assert_string_equal(t->c->listen[1].text, "[::1]:5432");
	assert_true(t->c->listen[1].optional);
	assert_int_equal(t->c->http_count, 1);
	assert_string_equal(t->c->http[0].text, "127.0.0.1:9127");
	assert_int_equal(t->c->listen_opts.unix_mode, 0660);
	assert_int_equal(t->c->listen_opts.backlog, 128);
	assert_int_equal(t->c->secret_count, 1);
	assert_int_equal(t->c->secrets[0].kind, TARGET_AUTH_IAM);
	assert_string_equal(t->c->secrets[0].region, "us-east-1");
	assert_int_equal(t->c->shutdown_timeout_us, 25000000);
	assert_null(t->c->file);
	w = conf_worker_new(t->c, 0);
	assert_int_equal(w->opts.target_count, 1);
	target = w->opts.targets[0];
	assert_string_equal(target->name, "*");
	assert_string_equal(target->host, RDS);
	assert_string_equal(target->iam_host, RDS);
	assert_string_equal(target->tls_name, RDS);
	assert_string_equal(target->profile->name, "rds");
	assert_string_equal(target->reset_query, "DISCARD ALL");
	assert_int_equal(target->port, 5432);
	assert_int_equal(target->iam_port, 5432);
	assert_int_equal(target->pool_size, 20);
	assert_null(target->dbname);
	assert_null(target->user);
	assert_null(target->hostaddr);
	assert_non_null(target->tls);
	assert_int_equal(target->server_lifetime_us, 3600000000);
	assert_ptr_equal(target->dial.host, target->host);
	assert_true(target->dial.keepalive);
	assert_non_null(w->opts.client_tls);
	assert_false(w->opts.client_tls_required);
	assert_int_equal(w->opts.max_client_conn, 100);
	assert_null(w->opts.client_users);
	conf_unref(t->c); /* the worker's share lives on */
	t->c = NULL;
	assert_string_equal(w->opts.targets[0]->host, RDS);
	conf_worker_free(w);
	conf_worker_free(NULL);
}

/* flag > environment > file > default, one source less each time. */
static void precedence(void **state)
{
	struct conf_test *t = *state;
	const char *file = "[databases]\n* = host=" RDS "\n[pgiam]\nmax_client_conn = 7\n";
	const char *const env[] = {"PGIAM_MAX_CLIENT_CONN=8", NULL}, *const empty[] = {
									     "PGIAM_MAX_CLIENT_CONN=", NULL};

	conf_test_good(t, file, env, ARGS("--max-client-conn=9"));
	assert_string_equal(conf_test_value(t, "max_client_conn"), "9");
	conf_test_good(t, file, env, NULL);
	assert_string_equal(conf_test_value(t, "max_client_conn"), "8");
	conf_test_good(t, file, empty, NULL);
	assert_string_equal(conf_test_value(t, "max_client_conn"), "7");
	conf_test_good(t, file, NULL, NULL);
	assert_string_equal(conf_test_value(t, "max_client_conn"), "7");
	assert_string_equal(t->c->file, "t.ini");
	conf_test_good(t, "[databases]\n*=host=" RDS "\n", NULL, NULL);
	assert_string_equal(conf_test_value(t, "max_client_conn"), "100");
}

static const struct target *first(struct conf_worker *w)
{
	return w->opts.targets[0];
}

static void the_star(void **state)
{
	struct conf_test *t = *state;
	struct conf_worker *w;
	const char *const env[] = {"PGIAM_HOST=OTHER.c9akciq32rgw.eu-west-1.rds.amazonaws.com.",
				   "PGIAM_UPSTREAM_PORT=5433", "PGIAM_USER=app", NULL};
	const char *const stray[] = {"PGIAM_USER=app", NULL};

	/* from the environment alone, the name in lower case and without its dot */
	conf_test_good(t, NULL, env, NULL);
	w = conf_worker_new(t->c, 0);
	assert_string_equal(first(w)->host, "other.c9akciq32rgw.eu-west-1.rds.amazonaws.com");
	assert_int_equal(first(w)->port, 5433);
	assert_string_equal(first(w)->user, "app");
	assert_string_equal(t->c->secrets[0].region, "eu-west-1");
	conf_worker_free(w);
	/* over the file's "*", option by option; "*" is last */
	conf_test_good(t, "[databases]\n* = host=" RDS " dbname=d user=u\nx = host=" RDS "\n", env,
		       ARGS("--user", "flag"));
	w = conf_worker_new(t->c, 0);
	assert_int_equal(w->opts.target_count, 2);
	assert_string_equal(first(w)->name, "x");
	assert_string_equal(first(w)->host, RDS);
	assert_string_equal(w->opts.targets[1]->host, "other.c9akciq32rgw.eu-west-1.rds.amazonaws.com");
	assert_string_equal(w->opts.targets[1]->dbname, "d");
	assert_string_equal(w->opts.targets[1]->user, "flag");
	conf_worker_free(w);
	/* about nothing */
	conf_test_bad(t, "[databases]\nx = host=" RDS "\n", ARGS("--user", "u"),
		      "--user|is about the database \"*\"");
	conf_test_good(t, "[databases]\nx = host=" RDS "\n", stray, NULL);
	conf_test_said(t, "warning|PGIAM_USER|has no effect");
}

static void targets(void **state)
{
	struct conf_test *t = *state;
	struct conf_worker *w;
	const char *const env[] = {"PGIAM_TARGET=a = host=" RDS " user=e\n\n  b=host=" RDS "\n", NULL};

	conf_test_good(t, "[databases]\na = host=" RDS " user=f dbname=f\n", env,
		       ARGS("--target", "c=host=" RDS, "--target=d=host=" RDS " port=1"));
	w = conf_worker_new(t->c, 0);
	assert_int_equal(w->opts.target_count, 4);
	for (size_t i = 0; i < 4; i++)
		if (strcmp(w->opts.targets[i]->name, "a") == 0) { /* all of the file's entry gave way */
			assert_string_equal(w->opts.targets[i]->user, "e");
			assert_null(w->opts.targets[i]->dbname);
		}
	conf_worker_free(w);
	/* databases that log in alike share a secret source and a TLS context */
	assert_int_equal(t->c->secret_count, 1);
	conf_test_bad(t, NULL, ARGS("--target", "a"), "--target|is not name=");
	conf_test_bad(t, NULL, ARGS("--target", "=host=x"), "--target|is not name=");
	conf_test_bad(t, NULL, ARGS("--target", "a=host=" RDS, "--target", "a=host=" RDS),
		      "--target|a: the database is already defined at --target");
	assert_int_equal(
		conf_test_load(t, "[databases]\na = hots=x\n", NULL, ARGS("--target", "a=host=" RDS)), -1);
	conf_test_said(t, "error|t.ini:2|hots: there is no such option for a database|Did you mean host?");
}

static void kubernetes(void **state)
{
	struct conf_test *t = *state;
	const char *const env[] = {"PGIAM_PORT=tcp://10.0.0.1:5432",
				   "PGIAM_SERVICE_HOST=10.0.0.1",
				   "PGIAM_SERVICE_PORT=5432",
				   "PGIAM_SERVICE_PORT_POSTGRES=5432",
				   "PGIAM_PORT_5432_TCP=tcp://10.0.0.1:5432",
				   "PGIAM_PORT_5432_TCP_PROTO=tcp",
				   "PGIAM_PORT_5432_TCP_PORT=5432",
				   "PGIAM_PORT_5432_TCP_ADDR=10.0.0.1",
				   "PGIAM_HTTP_SERVICE_HOST=10.0.0.2",
				   "PGIAM_HTTP_PORT=tcp://10.0.0.2:9127",
				   "PGIAM_LISTEN_PORT=tcp://10.0.0.3:5432",
				   "PGIAM_HOST=" RDS,
				   "NO_EQUALS",
				   NULL};
	const char *const odd[] = {"PGIAM_HSOT=x", "PGIAM_=x", "PGIAM_HOST=" RDS, NULL};

	conf_test_good(t, NULL, env, NULL);
	assert_null(strstr(buf_cstr(&t->said), "no option"));
	assert_string_equal(t->c->listen[0].text, "127.0.0.1:5432");
	conf_test_good(t, NULL, odd, NULL);
	conf_test_said(t, "warning|PGIAM_HSOT|no option has this name; the nearest is PGIAM_HOST|");
	conf_test_said(t, "warning|PGIAM_|no option has this name");
}

static void command_line(void **state)
{
	struct conf_test *t = *state;

	conf_test_write("extra", "[databases]\n* = host=" RDS "\n");
	conf_test_good(t, NULL, NULL, ARGS("extra", "--workers", "2"));
	assert_string_equal(t->c->file, "extra");
	conf_test_good(
		t, NULL, NULL,
		ARGS("--allow-remote-trust", "extra", "--listen=0.0.0.0:6000", "--listen", "[::]:6001"));
	assert_int_equal(t->c->listen_count, 2);
	assert_string_equal(t->c->listen[1].text, "[::]:6001");
	assert_false(t->c->listen[1].optional);
	conf_test_good(t, NULL, NULL, ARGS("extra", "--http-listen=", "--max-pools=5", "--max-pools=6"));
	assert_int_equal(t->c->http_count, 0);
	assert_string_equal(conf_test_value(t, "max_pools"), "6");
	conf_test_bad(t, NULL, ARGS("extra", "other"), "other|there is one configuration file already");
	assert_int_equal(t->e.code, ERR_USAGE);
	conf_test_bad(t, NULL, ARGS("extra", "-v"), "-v|there is no such option");
	conf_test_bad(t, NULL, ARGS("extra", "--wrokers", "2"),
		      "--wrokers|there is no such option|Did you mean --workers?");
	conf_test_bad(t, NULL, ARGS("extra", "--workers"), "--workers|needs a value");
	conf_test_bad(t, NULL, ARGS("extra", "--pkt-buf=1"), "--pkt-buf|there is no such option");
	conf_test_bad(t, NULL, ARGS("extra", "--password=x"), "--password|a secret on the command line");
	conf_test_bad(t, NULL, ARGS("extra", "--max-pools=0"), "--max-pools|max_pools: 0 is not between");
	conf_test_bad(t, NULL, ARGS("none.ini"), "|cannot open none.ini: No such file");
}

static void shares(void **state)
{
	struct conf_test *t = *state;
	uint32_t pool = 0, conn = 0, db = 0, min = 0, pools = 0;

	conf_test_good(t,
		       "[databases]\n* = host=" RDS " pool_size=10 max_db_connections=11 min_pool_size=2\n"
		       "[pgiam]\nworkers=4\nmax_client_conn=102\n",
		       NULL, NULL);
	for (unsigned i = 0; i < 4; i++) {
		struct conf_worker *w = conf_worker_new(t->c, i);
		assert_int_equal(w->opts.worker, i);
		assert_int_equal(w->opts.workers, 4);
		assert_int_equal(w->opts.max_client_conn, i < 2 ? 26 : 25);
		assert_int_equal(first(w)->pool_size, i < 2 ? 3 : 2);
		assert_int_equal(first(w)->max_db_connections, i < 3 ? 3 : 2);
		assert_int_equal(first(w)->min_pool_size, i < 2 ? 1 : 0);
		assert_true(first(w)->login_rate_max == 25);
		assert_true(first(w)->login_rate == 2.5);
		conn += w->opts.max_client_conn;
		pools += w->opts.max_pools;
		pool += first(w)->pool_size;
		db += first(w)->max_db_connections;
		min += first(w)->min_pool_size;
		conf_worker_free(w);
	}
	assert_int_equal(conn, 102);
	assert_int_equal(pools, 1000);
	assert_int_equal(pool, 10);
	assert_int_equal(db, 11);
	assert_int_equal(min, 2);
	conf_test_bad(t, "[databases]\n* = host=" RDS " pool_size=3\n[pgiam]\nworkers=4\n", NULL,
		      "t.ini:2|database \"*\": pool_size: 3 is too little for 4 workers");
	conf_test_bad(t, "[databases]\n* = host=" RDS "\n[pgiam]\nworkers=4\nmax_client_conn=3\n", NULL,
		      "t.ini:5|max_client_conn: 3 is too little for 4 workers");
	conf_test_bad(t, "[databases]\n* = host=" RDS "\n[pgiam]\nworkers=15\n", NULL,
		      "|login_parallel: 10 (the default) is too little for 15 workers");
}

static void describes(void **state)
{
	struct conf_test *t = *state;
	struct buf out;
	const char *text;

	conf_test_write("extra", "s3cr3t\n");
	conf_test_good(t,
		       "[databases]\na = host=" RDS
		       " hostaddr=127.0.0.1\nb = host=/run/pg auth=password password=s3cr3t\n"
		       "[pgiam]\nworkers=2\nclient_users=x,y\nclient_uids=0,1\nclient_tls_sslmode=disable\n",
		       NULL, NULL);
	buf_init(&out, 1 << 20);
	assert_int_equal(conf_describe(t->c, &out), 0);
	text = buf_cstr(&out);
	assert_non_null(strstr(text, "127.0.0.1:5432, [::1]:5432"));
	assert_non_null(strstr(text, "auth iam for " RDS ":5432 in us-east-1"));
	assert_non_null(strstr(text, "TLS none (unix socket)"));
	assert_non_null(strstr(text, "TLS refused"));
	assert_non_null(strstr(text, "database users: x y"));
	assert_non_null(strstr(text, "worker 1"));
	assert_null(strstr(text, "s3cr3t"));
	assert_null(strstr(buf_cstr(&t->said), "s3cr3t"));
	buf_free(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(flags_alone), cmocka_unit_test(precedence), cmocka_unit_test(the_star),
		cmocka_unit_test(targets),     cmocka_unit_test(kubernetes), cmocka_unit_test(command_line),
		cmocka_unit_test(shares),      cmocka_unit_test(describes),
	};

	return cmocka_run_group_tests(tests, conf_test_setup, conf_test_teardown);
}
