/* app/conf: what is refused, each by one error that names file and line. */
#include "conf_test.h"
#include "pg/startup.h"

#define DB "[databases]\n* = host=" RDS "\n"

static void db_bad(struct conf_test *t, const char *connstr, const char *what)
{
	char *file = mem_printf("[databases]\nx = %s\n", connstr), *want = mem_printf("t.ini:2|%s", what);

	conf_test_bad(t, file, NULL, want);
	free(file);
	free(want);
}

static struct conf_worker *db_good(struct conf_test *t, const char *connstr)
{
	char *file = mem_printf("[databases]\nx = %s\n", connstr);

	conf_test_good(t, file, NULL, NULL);
	free(file);
	return conf_worker_new(t->c, 0);
}

/* Nothing here tells the region. */
static void asks_instance(struct conf_test *t, const char *connstr)
{
	conf_worker_free(db_good(t, connstr));
	assert_null(t->c->secrets[0].region);
	conf_test_said(t, "database \"x\": region: nothing here tells it; the instance's metadata service will be asked");
}

/* auth=secret: rule 1, and where the secret is. */
static void secrets(void **state)
{
	struct conf_test *t = *state;
	struct conf_worker *w;

	db_bad(t, "host=" RDS " auth=secret", "database \"x\": secret_id: auth=secret needs it");
	db_bad(t, "host=" RDS " secret_id='a b'", "database \"x\": secret_id: a secret's name is made of");
	db_bad(t, "host=" RDS " auth=iam secret_id=a", "database \"x\": auth: secret_id is given, and auth=iam does not use it");
	db_bad(t, "host=" RDS " auth=secret secret_id=a password=p",
	       "database \"x\": auth: a password is given, and auth=secret does not use it");
	db_bad(t, "host=localhost secret_id=a region=eu-west-1 sslmode=disable",
	       "database \"x\": server_tls_sslmode: disable is refused with auth=secret: a secret is sent only over verified TLS");
	db_bad(t, "host=/run/pg secret_id=a region=eu-west-1",
	       "database \"x\": server_tls_sslmode: a unix socket is refused with auth=secret");
	w = db_good(t, "host=" RDS " secret_id=prod/db");
	assert_int_equal(w->opts.targets[0]->auth, TARGET_AUTH_SECRET);
	assert_int_equal(t->c->secrets[0].kind, TARGET_AUTH_SECRET);
	assert_string_equal(t->c->secrets[0].secret_id, "prod/db");
	assert_string_equal(t->c->secrets[0].region, "us-east-1");
	conf_worker_free(w);
	w = db_good(t, "host=db.example secret_id=arn:aws:secretsmanager:eu-west-1:123456789012:secret:a-AbCdEf");
	assert_string_equal(t->c->secrets[0].region, "eu-west-1");
	conf_worker_free(w);
	asks_instance(t, "host=db.example secret_id=a");
}

#define CLUSTER   "examplecluster.abc123xyz789.us-west-2.redshift.amazonaws.com"
#define WORKGROUP "wg-1.123456789012.us-west-2.redshift-serverless.amazonaws.com"

static void redshift_asks(struct conf_test *t, const char *connstr, enum redshift_call call, const char *name)
{
	struct conf_worker *w = db_good(t, connstr);

	assert_int_equal(w->opts.targets[0]->auth, TARGET_AUTH_REDSHIFT);
	assert_string_equal(w->opts.targets[0]->profile->name, "redshift");
	assert_int_equal(w->opts.targets[0]->server_lifetime_us, 0); /* what cannot be reset serves one client */
	assert_int_equal(t->c->secrets[0].kind, TARGET_AUTH_REDSHIFT);
	assert_int_equal(t->c->secrets[0].redshift.call, call);
	assert_string_equal(t->c->secrets[0].redshift.name, name);
	assert_string_equal(t->c->secrets[0].redshift.region, "us-west-2");
	conf_worker_free(w);
}

/* auth=redshift: which call, of what; rule 1. */
static void redshift(void **state)
{
	static const char *const aws_names[] = {
		"vpce-1-2.redshift.us-west-2.vpce.amazonaws.com",
		"c1.abc123.us-iso-east-1.redshift.c2s.ic.gov",
		"c1.abc123.redshift.us-iso-east-1.c2s.ic.gov",
		"c1.abc123.redshift.us-isob-east-1.sc2s.sgov.gov",
		"wg.123456789012.redshift-serverless.us-isob-east-1.sc2s.sgov.gov",
		"c1.abc123.redshift.eu-isoe-west-1.cloud.adc-e.uk",
		"c1.abc123.redshift.us-isof-south-1.csp.hci.ic.gov",
		"c1.abc123.eusc-de-east-1.redshift.amazonaws.eu",
	};
	struct conf_test *t = *state;
	const struct redshift_request *rq;
	struct conf_worker *w;

	redshift_asks(t, "host=" CLUSTER, REDSHIFT_IDENTITY, "examplecluster");
	redshift_asks(t, "host=" CLUSTER " user=joe", REDSHIFT_USER, "examplecluster");
	redshift_asks(t, "host=" WORKGROUP, REDSHIFT_SERVERLESS, "wg-1");
	redshift_asks(t, "host=localhost iam_host=" WORKGROUP, REDSHIFT_SERVERLESS, "wg-1");
	redshift_asks(t, "host=db.example auth=redshift cluster_id=c1 region=us-west-2", REDSHIFT_IDENTITY, "c1");
	redshift_asks(t, "host=db.example auth=redshift workgroup=w1 region=us-west-2", REDSHIFT_SERVERLESS, "w1");
	redshift_asks(t, "host=" CLUSTER " cluster_id=c1", REDSHIFT_IDENTITY, "c1");
	redshift_asks(t, "host=dw.example.com auth=redshift region=us-west-2", REDSHIFT_IDENTITY, "dw.example.com");
	redshift_asks(t, "host=localhost iam_host=dw.example.com auth=redshift user=joe region=us-west-2", REDSHIFT_USER,
		      "dw.example.com");
	redshift_asks(t, "host=localhost auth=redshift workgroup=dw.example.com region=us-west-2", REDSHIFT_SERVERLESS,
		      "dw.example.com");
	asks_instance(t, "host=db.example auth=redshift cluster_id=c1");
	assert_null(t->c->secrets[0].redshift.region);
	w = db_good(t, "host=" CLUSTER " user=joe dbname=dev db_groups=g1,g2 auto_create=1 duration_seconds=3600");
	rq = &t->c->secrets[0].redshift;
	assert_string_equal(rq->db_user, "joe");
	assert_string_equal(rq->db_name, "dev");
	assert_string_equal(rq->db_groups, "g1,g2");
	assert_true(rq->auto_create);
	assert_int_equal(rq->duration_sec, 3600);
	assert_int_equal(w->opts.targets[0]->port, 5439);
	conf_worker_free(w);
	w = db_good(t, "host=" CLUSTER " port=5432");
	assert_int_equal(w->opts.targets[0]->port, 5432);
	assert_int_equal(t->c->secrets[0].redshift.duration_sec, 900);
	conf_worker_free(w);
	/* the same is asked for once, another user is not the same */
	conf_test_good(t,
		       "[databases]\na = host=" CLUSTER " user=joe\nb = host=" CLUSTER " user=joe pool_size=1\nc = host=" CLUSTER
		       " user=jim\nd = host=" CLUSTER " user=joe dbname=dev\n",
		       NULL, NULL);
	assert_int_equal(t->c->secret_count, 3);
	/* a password will do as well */
	w = db_good(t, "host=" CLUSTER " password=p");
	assert_int_equal(w->opts.targets[0]->auth, TARGET_AUTH_PASSWORD);
	conf_worker_free(w);

	db_bad(t, "host=localhost auth=redshift region=us-west-2", "database \"x\": cluster_id: is missing: localhost is not");
	db_bad(t, "host=10.0.0.1 auth=redshift region=us-west-2", "database \"x\": cluster_id: is missing: 10.0.0.1 is not");
	/* names of AWS's that are not known for Redshift's are no custom domain names either */
	for (size_t i = 0; i < sizeof(aws_names) / sizeof(aws_names[0]); i++) {
		char *host = mem_printf("host=%s auth=redshift region=us-west-2", aws_names[i]);
		char *says = mem_printf("database \"x\": cluster_id: is missing: %s is not", aws_names[i]);

		db_bad(t, host, says);
		free(host);
		free(says);
	}
	redshift_asks(t, "host=db.amazonaws.example.com auth=redshift region=us-west-2", REDSHIFT_IDENTITY,
		      "db.amazonaws.example.com");
	db_bad(t, "host=" CLUSTER " cluster_id=a workgroup=b", "database \"x\": cluster_id: is given, and workgroup as well");
	db_bad(t, "host=" WORKGROUP " cluster_id=a", "database \"x\": cluster_id: is given, and " WORKGROUP " is Redshift Serverless");
	db_bad(t, "host=" CLUSTER " cluster_id=a..b", "database \"x\": cluster_id: \"a..b\" is not the name of");
	db_bad(t, "host=" WORKGROUP " user=joe", "database \"x\": user: Redshift Serverless itself says who logs in");
	db_bad(t, "host=" CLUSTER " auto_create=1", "database \"x\": auto_create: is about a user of a cluster");
	db_bad(t, "host=" CLUSTER " db_groups=g", "database \"x\": db_groups: is about a user of a cluster");
	db_bad(t, "host=" CLUSTER " duration_seconds=60", "duration_seconds: ");
	db_bad(t, "host=" RDS " cluster_id=a", "database \"x\": auth: cluster_id is given, and auth=iam does not use it");
	db_bad(t, "host=" CLUSTER " sslmode=require",
	       "database \"x\": server_tls_sslmode: require is refused with auth=redshift: a secret is sent only over verified TLS");
}

/* Rule 1: nothing secret travels unverified. */
static void rule_1(void **state)
{
	struct conf_test *t = *state;
	static const char *const unverified[] = {"allow", "prefer", "require", "verify-ca"},
				 *const local[] = {"host=127.0.0.1", "host=::1", "host=localhost",
						   "host=db.example hostaddr=127.0.0.1"};
	char text[256], want[256];

	for (size_t i = 0; i < 4; i++) {
		snprintf(text, sizeof(text), "host=" RDS " sslmode=%s", unverified[i]);
		assert_int_equal(conf_test_load(t, NULL, NULL,
						ARGS("--host", RDS, "--server-tls-sslmode", unverified[i])),
				 -1);
		conf_test_said(t, "error|--server-tls-sslmode|database \"*\": server_tls_sslmode: ");
		snprintf(want, sizeof(want), "database \"x\": server_tls_sslmode: %s is refused with auth=iam",
			 unverified[i]);
		db_bad(t, text, want);
		snprintf(text, sizeof(text), "host=db password=p sslmode=%s", unverified[i]);
		snprintf(want, sizeof(want), "database \"x\": server_tls_sslmode: %s is refused with auth=password",
			 unverified[i]);
		db_bad(t, text, want);
	}
	db_bad(t, "host=" RDS " sslmode=disable",
	       "database \"x\": server_tls_sslmode: disable is refused with auth=iam");
	db_bad(t, "host=" RDS " hostaddr=127.0.0.1 sslmode=disable",
	       "database \"x\": server_tls_sslmode: disable is refused");
	db_bad(t, "host=/run/pg iam_host=" RDS,
	       "database \"x\": server_tls_sslmode: a unix socket is refused with auth=iam");
	db_bad(t, "host=db password=p sslmode=disable",
	       "database \"x\": server_tls_sslmode: disable is refused with auth=password for a server on "
	       "another host (db)");
	db_bad(t, "host=localhost hostaddr=10.0.0.1 password=p sslmode=disable",
	       "database \"x\": server_tls_sslmode: disable is refused with auth=password for a server on "
	       "another host");
	/* a global setting is refused just the same */
	conf_test_bad(t, DB "[pgiam]\nserver_tls_sslmode = require\n", NULL,
		      "t.ini:4|database \"*\": server_tls_sslmode: require is refused with auth=iam");
	for (size_t i = 0; i < 4; i++) {
		struct conf_worker *w;
		snprintf(text, sizeof(text), "%s password=p sslmode=disable", local[i]);
		w = db_good(t, text);
		assert_null(w->opts.targets[0]->tls);
		conf_worker_free(w);
	}
}

/* Chain and name? */
static bool verifies(struct tls_live *live)
{
	struct tls_ctx *ctx = tls_live_get(live, clock_system(), NULL);
	bool full = tls_ctx_verifies(ctx);

	tls_ctx_unref(ctx);
	return full;
}

static void without_secret(void **state)
{
	struct conf_test *t = *state;
	struct conf_worker *w = db_good(t, "host=db.example auth=none sslmode=disable");

	assert_null(w->opts.targets[0]->tls);
	conf_worker_free(w);
	w = db_good(t, "host=db.example auth=none sslmode=require");
	assert_false(verifies(w->opts.targets[0]->tls));
	conf_worker_free(w);
	w = db_good(t, "host=db.example auth=none");
	assert_true(verifies(w->opts.targets[0]->tls));
	assert_int_equal(t->c->secrets[0].kind, TARGET_AUTH_NONE);
	conf_worker_free(w);
	w = db_good(t, "host=/run/postgresql auth=none");
	assert_null(w->opts.targets[0]->tls);
	conf_worker_free(w);
}

static void auth(void **state)
{
	struct conf_test *t = *state;
	struct conf_worker *w;
	const char *const env[] = {"DB_PASSWORD=from env", NULL};

	db_bad(t, "host=db.example", "database \"x\": auth: has to be said: db.example is not");
	db_bad(t, "host=localhost auth=iam", "database \"x\": iam_host: is missing: localhost is not");
	db_bad(t, "host=10.0.0.1 auth=iam", "database \"x\": iam_host: is missing");
	db_bad(t, "host=" RDS ".attacker.example auth=iam", "database \"x\": iam_host: is missing");
	db_bad(t, "host=" RDS " auth=iam password=p",
	       "database \"x\": auth: a password is given, and auth=iam does not use it");
	db_bad(t, "host=db auth=password", "database \"x\": password_file: auth=password needs exactly one");
	db_bad(t, "host=db password=a password_file=b",
	       "database \"x\": password_file: auth=password needs exactly one");
	db_bad(t, "host=db password_env=NO_SUCH",
	       "database \"x\": password_env: the variable NO_SUCH is not set");
	db_bad(t, "host=" DSQL " auth=iam",
	       "database \"x\": auth: " DSQL " takes no token of RDS: it is an endpoint of Aurora DSQL|Use auth=dsql.");
	db_bad(t, "host=" RDS " auth=dsql",
	       "database \"x\": auth: " RDS " takes no token of Aurora DSQL: it is an endpoint of RDS|Use auth=iam.");
	db_bad(t, "host=db.example auth=dsql", "database \"x\": iam_host: is missing: db.example is not the name of an "
	                                      "Aurora DSQL endpoint");
	w = db_good(t, "host=" DSQL);
	assert_int_equal(w->opts.targets[0]->auth, TARGET_AUTH_IAM);
	assert_int_equal(t->c->secrets[0].token, AWS_TOKEN_DSQL);
	assert_string_equal(t->c->secrets[0].region, "us-east-1");
	assert_string_equal(w->opts.targets[0]->profile->name, "dsql");
	assert_int_equal(w->opts.targets[0]->server_lifetime_us, 0); /* what cannot be reset serves one client */
	conf_worker_free(w);
	/* what one database is says nothing of the next */
	conf_test_good(t, "[databases]\na = host=" DSQL " auth=dsql\nb = host=" RDS " auth=iam\n", NULL, NULL);
	assert_int_equal(t->c->secrets[1].token, AWS_TOKEN_RDS);
	w = db_good(t, "host=vpce-1.example iam_host=" DSQL " tls_server_name=" DSQL);
	assert_int_equal(t->c->secrets[0].token, AWS_TOKEN_DSQL);
	assert_string_equal(w->opts.targets[0]->profile->name, "dsql");
	conf_worker_free(w);
	db_bad(t, "port=1", "database \"x\": host: is missing");
	db_bad(t, "host=a,b auth=none", "database \"x\": host: \"a,b\" is not a host name|Lists of hosts");
	db_bad(t, "host='a b' auth=none", "database \"x\": host: \"a b\" is not a host name");
	db_bad(t, "host=@abstract auth=none", "database \"x\": host: \"@abstract\" is not a host name");
	db_bad(t, "host=a hostaddr=b auth=none", "database \"x\": hostaddr: \"b\" is not an IP address");
	db_bad(t, "host=glb.global-abc.global.rds.amazonaws.com", "database \"x\": region: ");
	w = db_good(t, "host=tunnel.example hostaddr=127.0.0.1 port=6000 iam_host=" RDS
		       ". iam_port=5432 region=eu-west-1");
	assert_string_equal(w->opts.targets[0]->host, "tunnel.example");
	assert_string_equal(w->opts.targets[0]->tls_name, "tunnel.example");
	assert_string_equal(w->opts.targets[0]->iam_host, RDS);
	assert_int_equal(w->opts.targets[0]->iam_port, 5432);
	assert_string_equal(w->opts.targets[0]->hostaddr, "127.0.0.1");
	assert_string_equal(t->c->secrets[0].region, "eu-west-1");
	conf_worker_free(w);
	w = db_good(t, "host=db.example hostaddr=::1 auth=password password=p tls_server_name=Real.Example");
	assert_string_equal(w->opts.targets[0]->tls_name, "real.example");
	assert_string_equal(t->c->secrets[0].password, "p");
	conf_worker_free(w);
	conf_test_good(t,
		       "[databases]\nx = host=db password_env=DB_PASSWORD\ny = host=db password='from env'\n",
		       env, NULL);
	assert_int_equal(t->c->secret_count, 1);
	assert_string_equal(t->c->secrets[0].password, "from env");
}

static void password_in_file(void **state)
{
	struct conf_test *t = *state;
	static const char file[] = "[databases]\nx = host=localhost sslmode=disable password=p\n";

	conf_test_good(t, file, NULL, NULL); /* mode 0600 */
	assert_null(strstr(buf_cstr(&t->said), "others may read"));
	conf_test_write("extra", file);
	assert_int_equal(chmod("extra", 0640), 0);
	conf_test_good(t, NULL, NULL, ARGS("extra"));
	conf_test_said(t, "warning|extra:2|database \"x\": a password stands in a file that others may read");
}

#define TEN     "1234567890"
#define HUNDRED TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN

/* Rule 7: no open doors. */
static void rule_7(void **state)
{
	struct conf_test *t = *state;

	conf_test_bad(t, DB "[pgiam]\nlisten_addr = 127.0.0.1, 10.1.2.3\n", NULL,
		      "t.ini:4|listen_addr: 10.1.2.3:5432 can be reached");
	conf_test_good(t, DB "[pgiam]\nlisten_addr = 10.1.2.3\nallow_remote_trust = 1\n", NULL, NULL);
	assert_int_equal(conf_test_load(t, DB "[pgiam]\nlisten_addr = *\n", NULL, NULL), -1);
	conf_test_bad(t, DB, ARGS("--listen", "192.168.0.1:5432"),
		      "--listen|listen: 192.168.0.1:5432 can be reached");
	conf_test_good(t, DB "[pgiam]\nlisten_addr =\n", NULL, NULL); /* for a service manager's sockets */
	conf_test_said(t, "warning|t.ini:4|listen_addr: there is no address to listen on");
	conf_test_good(t, DB "[pgiam]\nlisten_addr =\nunix_socket_dir = /run/pgiam\n", NULL, NULL);
	assert_int_equal(t->c->listen_count, 1);
	assert_string_equal(t->c->listen[0].text, "/run/pgiam/.s.PGSQL.5432");
	conf_test_good(t, DB "[pgiam]\nunix_socket_dir = @pgiam\n", NULL, NULL);
	conf_test_said(t, "warning|t.ini:4|unix_socket_dir: an abstract socket has no permissions");
	conf_test_bad(t, DB "[pgiam]\nunix_socket_dir = run\n", NULL,
		      "t.ini:4|unix_socket_dir: \"run\" is not an absolute path");
	conf_test_bad(t, DB "[pgiam]\nunix_socket_dir = /run/" HUNDRED "\n", NULL,
		      "t.ini:4|unix_socket_dir: unix socket path \"/run/" HUNDRED "/.s.PGSQL.5432\" is too long (maximum 107");
	conf_test_good(t, DB "[pgiam]\nunix_socket_dir = /run\nunix_socket_group = 4711\nunix_socket_mode = 0600\n", NULL, NULL);
	assert_true(t->c->listen_opts.unix_gid_set);
	assert_int_equal(t->c->listen_opts.unix_gid, 4711);
	assert_int_equal(t->c->listen_opts.unix_mode, 0600);
	conf_test_good(t, DB "[pgiam]\nunix_socket_group = root\n", NULL, NULL);
	assert_int_equal(t->c->listen_opts.unix_gid, 0);
	conf_test_bad(t, DB "[pgiam]\nunix_socket_group = no-such-group\n", NULL,
		      "t.ini:4|unix_socket_group: there is no group \"no-such-group\"");
	conf_test_bad(t, DB "[pgiam]\nclient_users =\n", NULL, "t.ini:4|client_users: is empty");
	conf_test_bad(t, DB "[pgiam]\nclient_uids = ,\n", NULL, "t.ini:4|client_uids: is empty");
	conf_test_bad(t, DB "[pgiam]\nclient_uids = no-such-user-here\n", NULL,
		      "t.ini:4|client_uids: there is no user");
	conf_test_good(t, DB "[pgiam]\nclient_uids = root, 4711\n", NULL, NULL);
}

static void listening(void **state)
{
	struct conf_test *t = *state;

	conf_test_good(t, DB "[pgiam]\nlisten = 6000, [::1]:6001, localhost:6000\n", NULL, NULL);
	assert_int_equal(t->c->listen_count, 3); /* each once */
	assert_string_equal(t->c->listen[0].text, "127.0.0.1:6000");
	assert_string_equal(t->c->listen[1].text, "[::1]:6000");
	assert_true(t->c->listen[1].optional);
	assert_string_equal(t->c->listen[2].text, "[::1]:6001");
	assert_false(t->c->listen[2].optional);
	conf_test_good(t, DB "[pgiam]\nlisten_addr = 127.0.0.2\nlisten_port = 1\n", NULL,
		       ARGS("--listen", "7"));
	assert_string_equal(t->c->listen[0].text, "127.0.0.1:7");
	conf_test_good(t, DB "[pgiam]\nlisten = 7\n", NULL, ARGS("--listen-port", "8"));
	assert_string_equal(t->c->listen[0].text, "127.0.0.1:8");
	conf_test_bad(t, DB "[pgiam]\nlisten = 7\nlisten_port = 8\n", NULL,
		      "t.ini:4|listen: stands in place of");
	conf_test_bad(t, DB "[pgiam]\nlisten_addr = db.example\n", NULL,
		      "t.ini:4|listen_addr: \"db.example\" is not an IP address");
	conf_test_bad(t, DB "[pgiam]\nlisten = 127.0.0.1\n", NULL,
		      "t.ini:4|listen: \"127.0.0.1\" is neither");
	conf_test_bad(t, DB "[pgiam]\nlisten = ::1:5432\n", NULL,
		      "t.ini:4|listen: \"::1:5432\": an IPv6 address needs brackets");
	conf_test_bad(t, DB "[pgiam]\nlisten = 127.0.0.1:0\n", NULL,
		      "t.ini:4|listen: \"127.0.0.1:0\": what is behind");
	conf_test_bad(t, DB "[pgiam]\nhttp_listen = x:99999\n", NULL, "t.ini:4|http_listen: ");
	conf_test_good(t, DB "[pgiam]\nhttp_listen = *:9127\n", NULL, NULL);
	assert_int_equal(t->c->http_count, 2);
}

static void sections(void **state)
{
	struct conf_test *t = *state;

	conf_test_good(t,
		       "[databases]\n* = host=" RDS
		       "\n[pgbouncer]\nworkers = 2\n[users]\nu = pool_mode=session\n",
		       NULL, NULL);
	assert_int_equal(t->c->workers, 2);
	conf_test_bad(t, DB "[pgiam]\nworkers = 2\n[pgbouncer]\nworkers = 3\n", NULL,
		      "t.ini:6|workers: is already set at t.ini:4");
	conf_test_bad(t, DB "* = host=x\n", NULL, "t.ini:3|*: the database is already defined at t.ini:2");
	conf_test_bad(t, DB "y = host=" RDS " host=z\n", NULL, "t.ini:3|host: is given twice");
	conf_test_bad(t, DB "[database]\nx = host=y\n", NULL,
		      "t.ini:3|[database]: there is no such section|Did you mean [databases]?");
	conf_test_bad(t, DB "[peers]\n1 = host=y\n", NULL, "t.ini:3|[peers]: refused");
	conf_test_bad(t, "workers = 2\n" DB, NULL, "t.ini:1|workers: stands before any section");
	conf_test_bad(t, DB "[pgiam]\nlisten_adr = x\n", NULL,
		      "t.ini:4|listen_adr: there is no such option for [pgiam]|Did you mean listen_addr?");
	conf_test_bad(t, DB "[pgiam]\nhost = x\n", NULL,
		      "t.ini:4|host: there is no such option for [pgiam]|It is an option for a database.");
	conf_test_bad(t, DB "[users]\nu = pool_size=3\n", NULL,
		      "t.ini:4|pool_size: refused: not in this version");
	conf_test_bad(t, DB "pgbouncer = host=" RDS "\n", NULL,
		      "t.ini:3|pgbouncer: the name is kept for a console");
	conf_test_bad(t, DB " x = 1\n", NULL, "t.ini:3|the line is indented");
	conf_test_bad(t, "[pgiam]\n", NULL, "t.ini|there is no database to serve");
	conf_test_bad(t, DB "[pgiam]\nclient_tls_key_file = /x\n", NULL,
		      "t.ini:4|client_tls_key_file: client_tls_cert_file and");
	conf_test_bad(t, DB "[pgiam]\nserver_tls_ca_file = /no/such\n", NULL,
		      "t.ini:4|database \"*\": server_tls_ca_file: ");
	conf_test_good(t, DB "[pgiam]\npkt_buf = 8192\nreserve_pool_size = 0\n", NULL, NULL);
	conf_test_said(t, "note|t.ini:4|pkt_buf has no effect: ");
}

/* All errors are told at once; the first is what conf_load returns. */
static void several(void **state)
{
	struct conf_test *t = *state;

	assert_int_equal(conf_test_load(t, DB "[pgiam]\nauth_type = ldap\nauth_user = x\nlisten_prot = 1\n",
					NULL, NULL),
			 -1);
	conf_test_said(t, "error|t.ini:4|auth_type: \"ldap\" is refused");
	conf_test_said(t, "error|t.ini:5|auth_user: refused");
	conf_test_said(t, "error|t.ini:6|listen_prot: there is no such option");
	assert_int_equal(strncmp(t->e.msg, "t.ini:4: auth_type: ", 20), 0);
	assert_non_null(strstr(t->e.detail, "3 errors"));
	assert_int_equal(t->e.code, ERR_CONFIG);
}

static void pools(void **state)
{
	struct conf_test *t = *state;
	struct conf_worker *w = db_good(
		t, "host=" RDS
		   " server_lifetime=0 min_pool_size=3 connect_query='SET x = 1' timezone=UTC datestyle=ISO "
		   "login_rate=0.5 server_login_retry=2.5 pool_size=9");
	const struct target *x = w->opts.targets[0];

	assert_int_equal(x->server_lifetime_us, 0); /* one client only */
	assert_int_equal(x->min_pool_size, 0);
	assert_string_equal(x->connect_query, "SET x = 1");
	assert_string_equal(params_get(&x->startup_defaults, "TimeZone"), "UTC");
	assert_string_equal(params_get(&x->startup_defaults, "DateStyle"), "ISO");
	assert_true(x->login_rate_max == 0.5);
	assert_true(x->login_rate == 0.5);
	assert_int_equal(x->login_retry_us, 2500000);
	assert_int_equal(x->pool_size, 9);
	conf_worker_free(w);
	w = db_good(t, "host=" RDS " server_reset_query=''");
	assert_int_equal(w->opts.targets[0]->server_lifetime_us, 0);
	conf_worker_free(w);
	w = db_good(t, "host=" RDS " server_reset_query='DISCARD TEMP' pool_size=2 min_pool_size=5");
	assert_string_equal(w->opts.targets[0]->reset_query, "DISCARD TEMP");
	assert_int_equal(w->opts.targets[0]->min_pool_size, 2);
	conf_test_said(t,
		       "warning|t.ini:2|database \"x\": min_pool_size 5 is more than the pool may have, 2");
	conf_worker_free(w);
	static const struct {
		const char *keys;
		double start, max;
	} rates[] = {
		{"host=" RDS,                            10, 100},
		{"host=" RDS " login_rate=0",            10, 0  },
		{"host=" RDS " login_rate=200",          10, 200},
		{"host=db.example auth=none",            0,  0  },
		{"host=" RDS " auth=none login_rate=0",  0,  0  },
		{"host=db.example auth=none login_rate=3", 3, 3 }, /* the profile has none: what was set holds */
	};
	for (size_t i = 0; i < sizeof rates / sizeof rates[0]; i++) {
		w = db_good(t, rates[i].keys);
		assert_true(w->opts.targets[0]->login_rate == rates[i].start);
		assert_true(w->opts.targets[0]->login_rate_max == rates[i].max);
		conf_worker_free(w);
	}
	w = db_good(t, "host=x.proxy-abc123.us-east-1.rds.amazonaws.com");
	assert_string_equal(w->opts.targets[0]->profile->name, "rds_proxy");
	conf_worker_free(w);
	w = db_good(t, "host=db.example profile=rds auth=none");
	assert_string_equal(w->opts.targets[0]->profile->name, "rds");
	conf_worker_free(w);
}

/* As in libpq, whose names and values these are. */
static void protocol_versions(void **state)
{
	static const struct {
		const char *text;
		uint32_t min, max; /* of the target */
	} good[] = {
		{"host=" RDS, STARTUP_3_0, STARTUP_3_2},
		{"host=db.example profile=rds auth=none", STARTUP_3_0, STARTUP_3_2},
		{"host=x.proxy-abc123.us-east-1.rds.amazonaws.com", STARTUP_3_0, STARTUP_3_0},
		{"host=db.example auth=none", STARTUP_3_0, STARTUP_3_0},
		{"host=db.example auth=none max_protocol_version=3.2", STARTUP_3_0, STARTUP_3_2},
		{"host=db.example auth=none max_protocol_version=latest", STARTUP_3_0, STARTUP_3_2},
		{"host=db.example auth=none min_protocol_version=latest", STARTUP_3_2, STARTUP_3_2},
		{"host=" RDS " min_protocol_version=3.2", STARTUP_3_2, STARTUP_3_2},
		{"host=" RDS " max_protocol_version=3.0", STARTUP_3_0, STARTUP_3_0},
	};
	struct conf_test *t = *state;

	for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++) {
		struct conf_worker *w = db_good(t, good[i].text);

		assert_int_equal(w->opts.targets[0]->min_protocol, good[i].min);
		assert_int_equal(w->opts.targets[0]->max_protocol, good[i].max);
		conf_worker_free(w);
	}
	db_bad(t, "host=" RDS " min_protocol_version=3.2 max_protocol_version=3.0",
	       "database \"x\": max_protocol_version: is less than min_protocol_version");
	db_bad(t, "host=" RDS " max_protocol_version=3.1", "max_protocol_version: ");
}

/* A query that fits into no buffer ended the process when it was first sent. */
static void long_queries(void **state)
{
	struct conf_test *t = *state;
	char *sql = mem_zalloc(8194);
	const char *const flags[] = {"--server-reset-query", "--connect-query"};

	memset(sql, 'x', 8193);
	for (size_t i = 0; i < 2; i++) {
		assert_int_equal(conf_test_load(t, NULL, NULL, ARGS("--host", RDS, flags[i], sql)), -1);
		conf_test_said(t, "is longer than 8192 bytes");
		conf_test_good(t, NULL, NULL, ARGS("--host", RDS, flags[i], sql + 1));
	}
	free(sql);
}

#define ROLE "arn:aws:iam::123456789012:role/db"

/* Whose AWS credentials: the same settings are one identity, wherever they stand. */
static void identities(void **state)
{
	struct conf_test *t = *state;
	const struct aws_identity *who;

	conf_test_good(t,
		       "[databases]\na = host=" RDS "\nb = host=" RDS " port=1\nc = host=" RDS " aws_profile=p\n"
		       "d = host=" RDS " region=eu-west-1 aws_profile=p\ne = host=" RDS " aws_profile=p role_arn=" ROLE
		       " external_id=x1 role_session_name=me\nf = host=db auth=none\n",
		       NULL, NULL);
	assert_int_equal(t->c->identity_count, 3);
	assert_int_equal(t->c->secret_count, 5); /* a and b, c, d in another region, e, f */
	who = t->c->identities;
	assert_null(who[0].profile);
	assert_null(who[0].role_arn);
	assert_string_equal(who[0].region, "us-east-1");
	assert_string_equal(who[1].profile, "p");
	assert_string_equal(who[2].role_arn, ROLE);
	assert_string_equal(who[2].external_id, "x1");
	assert_string_equal(who[2].role_session_name, "me");
	for (size_t i = 0; i < t->c->secret_count; i++)
		if (conf_auth_signs(t->c->secrets[i].kind))
			assert_int_equal(t->c->secrets[i].identity, i == 0 ? 0 : i < 3 ? 1 : 2);
	assert_null(t->c->credential_provider);
	/* for all, and not for one */
	conf_test_good(t,
		       "[databases]\na = host=" RDS "\nb = host=" RDS " role_arn=''\nc = host=db auth=none\n[pgiam]\n"
		       "role_arn = " ROLE "\nexternal_id = x1\ncredential_provider = imds\n",
		       NULL, NULL);
	assert_int_equal(t->c->identity_count, 2);
	assert_string_equal(t->c->identities[0].role_arn, ROLE);
	assert_null(t->c->identities[1].role_arn);
	assert_null(t->c->identities[1].external_id);
	assert_string_equal(t->c->credential_provider, "imds");

	db_bad(t, "host=" RDS " role_arn=db", "database \"x\": role_arn: \"db\" is not the ARN of a role");
	db_bad(t, "host=" RDS " role_arn=" ROLE " external_id=x", "database \"x\": external_id: is not 2 to");
	db_bad(t, "host=" RDS " role_arn=" ROLE " role_session_name=a/b",
	       "database \"x\": role_session_name: \"a/b\" is not");
	db_bad(t, "host=" RDS " external_id=x1", "database \"x\": external_id: is about a role");
	db_bad(t, "host=" RDS " password=p aws_profile=p",
	       "database \"x\": aws_profile: is about AWS credentials");
	db_bad(t, "host=db auth=none role_arn=" ROLE, "database \"x\": role_arn: is about AWS credentials");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rule_1),
		cmocka_unit_test(secrets),
		cmocka_unit_test(redshift),
		cmocka_unit_test(without_secret),
		cmocka_unit_test(auth),
		cmocka_unit_test(rule_7),
		cmocka_unit_test(listening),
		cmocka_unit_test(sections),
		cmocka_unit_test(several),
		cmocka_unit_test(pools),
		cmocka_unit_test(protocol_versions),
		cmocka_unit_test(long_queries),
		cmocka_unit_test(password_in_file),
		cmocka_unit_test(identities),
	};

	return cmocka_run_group_tests(tests, conf_test_setup, conf_test_teardown);
}
