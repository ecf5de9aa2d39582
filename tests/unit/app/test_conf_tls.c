/* app/conf: TLS of both sides. */
#include "../io/kit.h"
#include "conf_test.h"

struct fixture {
	struct conf_test *t;
	struct kit_tls tls;
	char *locked, *other_key;
};

static int setup(void **state)
{
	struct fixture *f = mem_zalloc(sizeof(*f));
	void *t = NULL;

	if (conf_test_setup(&t) != 0)
		return -1;
	f->t = t;
	kit_tls_init(&f->tls, "db.example.com", NULL);
	f->locked = kit_write_key(f->tls.dir, "locked.key", &f->tls.server, "secret");
	f->other_key = kit_write_key(f->tls.dir, "other.key", &f->tls.ca, NULL);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;
	void *t = f->t;

	free(f->locked);
	free(f->other_key);
	kit_tls_fini(&f->tls);
	free(f);
	return conf_test_teardown(&t);
}

/* A file with these lines in [pgiam] and this database. */
static char *file(const char *lines, const char *database)
{
	return mem_printf("[databases]\nx = %s\n[pgiam]\n%s", database, lines);
}

static void good(struct fixture *f, const char *lines, const char *database)
{
	char *text = file(lines, database);

	conf_test_good(f->t, text, NULL, NULL);
	free(text);
}

static void bad(struct fixture *f, const char *lines, const char *database, const char *what)
{
	char *text = file(lines, database);

	conf_test_bad(f->t, text, NULL, what);
	free(text);
}

/* The options of the i-th context; borrowed while the configuration lives. */
static const struct tls_opts *opts(const struct fixture *f, size_t i)
{
	struct tls_ctx *c = tls_live_get(f->t->c->tls[i].live, clock_system(), NULL);
	const struct tls_opts *o = tls_ctx_opts(c);

	tls_ctx_unref(c);
	return o;
}

#define NONE "host=db auth=none"

static void defaults(void **state)
{
	struct fixture *f = *state;
	const struct tls_opts *o;

	good(f, "", NONE);
	assert_int_equal(f->t->c->tls_count, 2);
	assert_true(f->t->c->tls[0].clients);
	assert_false(f->t->c->tls[1].clients);
	for (size_t i = 0; i < 2; i++) {
		o = opts(f, i);
		assert_int_equal(o->versions, TLS_VERSIONS_ALL);
		assert_null(o->ciphers);
		assert_null(o->ciphers13);
		assert_null(o->groups);
		assert_null(o->cert_file);
		assert_null(o->alpn);
		assert_int_equal(o->verify, i ? TLS_VERIFY_FULL : TLS_VERIFY_NONE);
	}
	assert_true(opts(f, 0)->dhe);
	good(f, "client_tls_sslmode = disable\n", "host=db auth=none sslmode=disable");
	assert_int_equal(f->t->c->tls_count, 0);
}

static void for_clients(void **state)
{
	struct fixture *f = *state;
	char *pair = mem_printf("client_tls_cert_file = %s\nclient_tls_key_file = %s\nclient_tls_ca_file = %s\n",
				f->tls.cert_file, f->tls.key_file, f->tls.ca_file);
	static const struct {
		const char *mode;
		enum tls_verify verify;
		bool required;
	} modes[] = {
		{"allow",       TLS_VERIFY_SHOWN, false},
                {"prefer",      TLS_VERIFY_SHOWN, false},
		{"require",     TLS_VERIFY_SHOWN, true },
                {"verify-ca",   TLS_VERIFY_CHAIN, true },
		{"verify-full", TLS_VERIFY_CHAIN, true }
        };
	struct buf out;

	for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
		char *lines = mem_printf("%sclient_tls_sslmode = %s\n", pair, modes[i].mode);
		struct conf_worker *w;

		good(f, lines, NONE);
		assert_int_equal(opts(f, 0)->verify, modes[i].verify);
		assert_string_equal(opts(f, 0)->ca_file, f->tls.ca_file);
		assert_string_equal(opts(f, 0)->cert_file, f->tls.cert_file);
		w = conf_worker_new(f->t->c, 0);
		assert_int_equal(w->opts.client_tls_required, modes[i].required);
		assert_ptr_equal(w->opts.client_tls, f->t->c->tls[0].live);
		conf_worker_free(w);
		free(lines);
	}
	buf_init(&out, 65536);
	assert_int_equal(conf_describe(f->t->c, &out), 0);
	assert_non_null(strstr(buf_cstr(&out), "TLS required with certificate "));
	assert_non_null(strstr(buf_cstr(&out), "client certificates required by "));
	buf_free(&out);
	free(pair);
}

static void terms(void **state)
{
	struct fixture *f = *state;
	const struct tls_opts *o;

	good(f,
	     "client_tls_protocols = tlsv1.3\nclient_tls_ciphers = HIGH\nclient_tls13_ciphers = TLS_AES_256_GCM_SHA384\n"
	     "client_tls_ecdhcurve = X25519:P-256\nclient_tls_dheparams = none\nserver_tls_protocols = tlsv1.2\n"
	     "server_tls_ciphers = all\nserver_tls13_ciphers = TLS_AES_128_GCM_SHA256\n",
	     NONE);
	o = opts(f, 0);
	assert_int_equal(o->versions, TLS_VERSIONS_1_3);
	assert_string_equal(o->ciphers, "HIGH");
	assert_string_equal(o->ciphers13, "TLS_AES_256_GCM_SHA384");
	assert_string_equal(o->groups, "X25519:P-256");
	assert_false(o->dhe);
	o = opts(f, 1);
	assert_int_equal(o->versions, TLS_VERSIONS_1_2);
	assert_string_equal(o->ciphers, "ALL");
	assert_string_equal(o->ciphers13, "TLS_AES_128_GCM_SHA256");
	good(f, "client_tls_ciphers = fast\nserver_tls_ciphers =\nclient_tls_protocols = tlsv1.2,tlsv1.3\n", NONE);
	assert_null(opts(f, 0)->ciphers);
	assert_null(opts(f, 1)->ciphers);
	assert_int_equal(opts(f, 0)->versions, TLS_VERSIONS_ALL);
	/* a database's own settings win */
	good(f, "server_tls_ciphers = HIGH\nserver_tls_protocols = tlsv1.3\n",
	     NONE " server_tls_ciphers=AES256 server_tls_protocols=secure");
	assert_string_equal(opts(f, 1)->ciphers, "AES256");
	assert_int_equal(opts(f, 1)->versions, TLS_VERSIONS_ALL);
	bad(f, "client_tls_protocols = all\n", NONE, "t.ini:4|client_tls_protocols: \"all\" is refused: TLS 1.0");
	bad(f, "client_tls_protocols = tlsv1.1\n", NONE, "t.ini:4|client_tls_protocols: \"tlsv1.1\" is refused");
	bad(f, "client_tls_ciphers = NONSENSE\n", NONE,
	    "t.ini:4|client_tls_ciphers: OpenSSL knows none of the ciphers \"NONSENSE\"");
	bad(f, "client_tls_ciphers = eNULL\n", NONE, "t.ini:4|client_tls_ciphers: OpenSSL knows none");
	bad(f, "client_tls13_ciphers = NONSENSE\n", NONE, "t.ini:4|client_tls13_ciphers: OpenSSL knows none");
	bad(f, "client_tls_ecdhcurve = none\n", NONE, "t.ini:4|client_tls_ecdhcurve: OpenSSL knows none of the curves");
	bad(f, "client_tls_dheparams = legacy\n", NONE, "t.ini:4|client_tls_dheparams: \"legacy\" is refused");
	bad(f, "server_tls_ciphers = NONSENSE\n", NONE,
	    "t.ini:4|database \"x\": server_tls_ciphers: OpenSSL knows none");
}

static void to_servers(void **state)
{
	struct fixture *f = *state;
	char *db = mem_printf(NONE " sslcert=%s sslkey=%s tls_ca=%s sslmode=verify-ca", f->tls.cert_file,
			      f->tls.key_file, f->tls.ca_file),
	     *global = mem_printf("server_tls_cert_file = %s\nserver_tls_key_file = %s\n", f->tls.cert_file,
				  f->tls.key_file);
	struct conf_worker *w;
	struct buf out;

	good(f, "", db);
	assert_int_equal(opts(f, 1)->verify, TLS_VERIFY_CHAIN);
	assert_string_equal(opts(f, 1)->cert_file, f->tls.cert_file);
	buf_init(&out, 65536);
	assert_int_equal(conf_describe(f->t->c, &out), 0);
	assert_non_null(strstr(buf_cstr(&out), "TLS verify-ca by "));
	assert_non_null(strstr(buf_cstr(&out), " with certificate "));
	buf_free(&out);
	good(f, global, NONE);
	assert_string_equal(opts(f, 1)->key_file, f->tls.key_file);
	/* how it begins: direct is TLS or nothing (pitfall 5) */
	good(f, "", "host=db auth=none sslmode=prefer");
	w = conf_worker_new(f->t->c, 0);
	assert_int_equal(w->opts.targets[0]->tls_start, TARGET_TLS_OFFER);
	assert_int_equal(opts(f, 1)->verify, TLS_VERIFY_NONE);
	conf_worker_free(w);
	good(f, "", "host=" RDS " sslnegotiation=direct");
	w = conf_worker_new(f->t->c, 0);
	assert_int_equal(w->opts.targets[0]->tls_start, TARGET_TLS_DIRECT);
	assert_string_equal(opts(f, 1)->alpn, "postgresql");
	conf_worker_free(w);
	good(f, "", NONE);
	w = conf_worker_new(f->t->c, 0);
	assert_int_equal(w->opts.targets[0]->tls_start, TARGET_TLS_ASK);
	conf_worker_free(w);
	/* two databases with the same settings share a context */
	good(f, "", NONE "\ny = host=other auth=none\nz = host=db auth=none sslmode=require");
	assert_int_equal(f->t->c->tls_count, 3);
	bad(f, "", NONE " sslmode=prefer sslnegotiation=direct",
	    "t.ini:2|database \"x\": sslnegotiation: direct needs TLS: server_tls_sslmode = prefer");
	bad(f, "", "host=/run/pg auth=none sslnegotiation=direct",
	    "t.ini:2|database \"x\": sslnegotiation: direct needs TLS: a unix socket");
	bad(f, "", "host=x.proxy-abc123.us-east-1.rds.amazonaws.com sslnegotiation=direct",
	    "t.ini:2|database \"x\": sslnegotiation: direct is nothing a server of the kind rds_proxy takes");
	free(db);
	free(global);
}

static void blame(struct fixture *f, const char *fmt, const char *path, const char *what)
{
	char *lines = mem_printf("client_tls_cert_file = %s\nclient_tls_key_file = %s\n", f->tls.cert_file, path),
	     *db = mem_printf(NONE " sslcert=%s sslkey=%s", f->tls.cert_file, path),
	     *client = mem_printf("t.ini:5|client_tls_key_file: %s %s%s", fmt, path, what),
	     *server = mem_printf("t.ini:2|database \"x\": server_tls_key_file: %s %s%s", fmt, path, what);

	bad(f, lines, NONE, client);
	bad(f, "", db, server);
	free(lines);
	free(db);
	free(client);
	free(server);
}

/* The option that names the bad file is the one that is told. */
static void bad_files(void **state)
{
	struct fixture *f = *state;
	char *lines;

	blame(f, "cannot use the key file", f->locked, ": it is encrypted, and pgiam has no passphrase for it");
	blame(f, "cannot use the key file", f->other_key, ": ");
	blame(f, "key file: cannot open", "/nonexistent/key", ": No such file");
	lines = mem_printf("client_tls_cert_file = /nonexistent/cert\nclient_tls_key_file = %s\n", f->tls.key_file);
	bad(f, lines, NONE, "t.ini:4|client_tls_cert_file: certificate file: cannot open /nonexistent/cert");
	free(lines);
	lines = mem_printf("client_tls_ca_file = %s\n", f->tls.key_file);
	bad(f, lines, NONE, "t.ini:4|client_tls_ca_file: the CA file");
	free(lines);
	bad(f, "", NONE " sslcert=/c", "t.ini:2|database \"x\": server_tls_cert_file: server_tls_cert_file and "
				       "server_tls_key_file need each other");
	bad(f, "client_tls_sslmode = verify-full\n", NONE,
	    "t.ini:4|client_tls_sslmode: verify-full needs client_tls_ca_file");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(defaults),   cmocka_unit_test(for_clients), cmocka_unit_test(terms),
		cmocka_unit_test(to_servers), cmocka_unit_test(bad_files),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
