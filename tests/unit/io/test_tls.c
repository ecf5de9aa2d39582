#include "raw.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/mem.h"

/* A handshake between a server with this certificate and a client that trusts ca_file and wants that name. */
static int meet(const struct kit_cert *server, const char *ca_file, const char *name, struct err *e)
{
	struct loop *l = kit_loop();
	char *dir = kit_dir_new();
	char *cert = kit_write_cert(dir, "c.pem", server), *key = kit_write_key(dir, "k.pem", server, NULL);
	struct tls_ctx *sc =
		tls_server_ctx_new(&(struct tls_opts){.cert_file = cert, .key_file = key}, e);
	struct tls_ctx *cc =
		tls_client_ctx_new(&(struct tls_opts){.ca_file = ca_file, .verify = TLS_VERIFY_FULL}, e);
	struct side s, c;

	assert_non_null(sc);
	assert_non_null(cc);
	raw_meet(&s, &c, l, sc, cc, name);
	*e = c.err;
	assert_int_equal(stream_is_verified(c.s), c.done == 1);
	raw_part(&s, &c);
	loop_free(l);
	tls_ctx_unref(sc);
	tls_ctx_unref(cc);
	free(cert);
	free(key);
	kit_dir_free(dir);
	return c.done;
}

struct fixture {
	char *dir;
	struct kit_cert ca;
	char *ca_file;
};

static int setup(void **state)
{
	struct fixture *f = mem_zalloc(sizeof(*f));

	f->dir = kit_dir_new();
	f->ca = kit_cert_new(&(struct kit_cert_opts){.cn = "Test CA", .ca = true}, NULL);
	f->ca_file = kit_write_cert(f->dir, "ca.pem", &f->ca);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	kit_cert_free(&f->ca);
	free(f->ca_file);
	kit_dir_free(f->dir);
	free(f);
	return 0;
}

/* With a server certificate of that CN and SAN, does the name pass? */
static int names(struct fixture *f, const char *cn, const char *san, const char *name, struct err *e)
{
	struct kit_cert c = kit_cert_new(&(struct kit_cert_opts){.cn = cn, .san = san}, &f->ca);
	int r = meet(&c, f->ca_file, name, e);

	kit_cert_free(&c);
	return r;
}

static void names_that_pass(void **state)
{
	static const struct {
		const char *cn, *san, *name;
	} ok[] = {
		{"x",              "DNS:db.example.com",           "db.example.com" },
		{"x",              "DNS:db.example.com",           "DB.Example.COM" },
		{"x",              "DNS:db.example.com",           "db.example.com."},
		{"x",              "DNS:*.example.com",            "db.example.com" },
		{"x",              "DNS:other,DNS:db.example.com", "db.example.com" },
		{"db.example.com", NULL,                           "db.example.com" },
		{"x",              "IP:127.0.0.1",                 "127.0.0.1"      },
		{"x",              "IP:::1",                       "::1"            },
	};
	struct err e;

	for (size_t i = 0; i < sizeof(ok) / sizeof(ok[0]); i++)
		if (names(*state, ok[i].cn, ok[i].san, ok[i].name, &e) != 1)
			fail_msg("%s: %s", ok[i].name, e.msg);
}

static void names_that_fail(void **state)
{
	static const struct {
		const char *cn, *san, *name;
	} bad[] = {
		{"x",              "DNS:db.example.com", "db2.example.com"},
		{"x",              "DNS:db.example.com", "example.com"    },
		{"x",              "DNS:*.example.com",  "a.b.example.com"},
		{"x",              "DNS:*.example.com",  "example.com"    },
		{"x",              "DNS:d*.example.com", "db.example.com" }, /* partial wildcard */
		{"db.example.com", "DNS:other",          "db.example.com" }, /* SANs decide */
		{"127.0.0.1",      "DNS:127.0.0.1",      "127.0.0.1"      }, /* an address is no DNS name */
		{"x",              "IP:127.0.0.1",       "127.0.0.2"      },
	};
	struct err e;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		if (names(*state, bad[i].cn, bad[i].san, bad[i].name, &e) != -1)
			fail_msg("%s passed", bad[i].name);
		assert_int_equal(e.code, ERR_TLS_VERIFY);
	}
	/* no name at all is not "any name" */
	assert_int_equal(names(*state, "x", "DNS:x", "", &e), -1);
	assert_int_equal(e.code, ERR_TLS_VERIFY);
	assert_int_equal(names(*state, "x", "DNS:x", NULL, &e), -1);
	assert_int_equal(e.code, ERR_TLS_VERIFY);
	assert_int_equal(names(*state, "x", "DNS:x", ".", &e), -1);
	assert_int_equal(e.code, ERR_TLS_VERIFY);
}

static void has(const char *text, const char *part)
{
	if (!strstr(text, part))
		fail_msg("\"%s\" not in: %s", part, text);
}

static void wrong_name_is_explained(void **state)
{
	struct fixture *f = *state;
	struct err e;

	assert_int_equal(names(f, "db-1.abc.rds.amazonaws.com", "DNS:db-1.abc.rds.amazonaws.com,IP:10.0.0.1",
			       "db.mycorp.example", &e),
			 -1);
	assert_string_equal(e.msg,
			    "the certificate of db.mycorp.example cannot be verified: hostname mismatch");
	has(e.detail, "subject \"CN = db-1.abc.rds.amazonaws.com\"");
	has(e.detail, "issuer \"CN = Test CA\"");
	has(e.detail, "wanted \"db.mycorp.example\"");
	has(e.detail, f->ca_file);
	has(e.detail, "the names db-1.abc.rds.amazonaws.com, 10.0.0.1");
	has(e.hint, "tls_server_name");
	assert_int_equal(names(f, "x", "DNS:x", "127.0.0.1", &e), -1);
	assert_string_equal(e.msg, "the certificate of 127.0.0.1 cannot be verified: IP address mismatch");
}

static void dates_are_explained(void **state)
{
	struct fixture *f = *state;
	struct kit_cert c =
		kit_cert_new(&(struct kit_cert_opts){.cn = "db", .from_days = -20, .to_days = -10}, &f->ca);
	struct err e;

	assert_int_equal(meet(&c, f->ca_file, "db", &e), -1);
	assert_int_equal(e.code, ERR_TLS_VERIFY);
	has(e.msg, "certificate has expired");
	has(e.detail, "valid 20");
	has(e.hint, "clock");
	kit_cert_free(&c);
	c = kit_cert_new(&(struct kit_cert_opts){.cn = "db", .from_days = 10, .to_days = 20}, &f->ca);
	assert_int_equal(meet(&c, f->ca_file, "db", &e), -1);
	has(e.msg, "certificate is not yet valid");
	has(e.hint, "clock");
	kit_cert_free(&c);
}

static void unknown_issuers_are_explained(void **state)
{
	struct fixture *f = *state;
	struct kit_cert other = kit_cert_new(&(struct kit_cert_opts){.cn = "Other CA", .ca = true}, NULL);
	struct kit_cert c = kit_cert_new(&(struct kit_cert_opts){.cn = "db"}, &other);
	struct err e;

	assert_int_equal(meet(&c, f->ca_file, "db", &e), -1);
	assert_int_equal(e.code, ERR_TLS_VERIFY);
	has(e.msg, "unable to get local issuer certificate");
	has(e.detail, "issuer \"CN = Other CA\"");
	has(e.detail, f->ca_file);
	has(e.hint, "global-bundle.pem");
	kit_cert_free(&c);
	kit_cert_free(&other);

	c = kit_cert_new(&(struct kit_cert_opts){.cn = "db", .san = "DNS:db"}, NULL);
	assert_int_equal(meet(&c, f->ca_file, "db", &e), -1);
	has(e.msg, "self-signed certificate");
	has(e.hint, "server_tls_ca_file");
	kit_cert_free(&c);
}

/* What the server says reaches a log and perhaps a terminal. */
static void hostile_names_are_escaped(void **state)
{
	struct fixture *f = *state;
	char cn[65], san[4000] = "";
	size_t n = 0;
	struct err e;

	memset(cn, 'x', sizeof(cn));
	memcpy(cn, "\033[31m\n\"", 7);
	cn[64] = '\0';
	for (int i = 0; i < 40; i++)
		n += (size_t)snprintf(san + n, sizeof(san) - n, "%sDNS:name-%d\001.example.com", i ? "," : "",
				      i);
	assert_int_equal(names(f, cn, san, "db", &e), -1);
	has(e.detail, "and 34 more");
	for (const char *p = e.detail; *p; p++)
		assert_true((unsigned char)*p >= ' ');
	assert_null(strchr(e.msg, '\033'));
	assert_int_equal(e.detail[strlen(e.detail) - 1], '.'); /* nothing was cut off */
}

static void self_signed_serves(void **state)
{
	struct loop *l = kit_loop();
	struct err e;
	struct tls_ctx *sc = tls_server_ctx_new(&(struct tls_opts){.host_name = "localhost"}, &e);
	struct tls_ctx *cc = tls_client_ctx_new(&(struct tls_opts){.verify = TLS_VERIFY_NONE}, &e);
	struct side s, c;

	(void)state;
	assert_non_null(sc);
	assert_non_null(cc);
	assert_false(tls_ctx_verifies(cc));
	raw_meet(&s, &c, l, sc, cc, "localhost");
	assert_int_equal(c.done, 1);
	assert_int_equal(s.done, 1);
	assert_true(stream_is_tls(c.s));
	assert_false(stream_is_verified(c.s));
	raw_part(&s, &c);
	loop_free(l);
	tls_ctx_unref(sc);
	tls_ctx_unref(tls_ctx_ref(cc));
	tls_ctx_unref(cc);
}

/* ---- files ---- */

static void no_client(const char *ca_file, const char *part)
{
	struct err e;

	assert_null(tls_client_ctx_new(&(struct tls_opts){.ca_file = ca_file, .verify = TLS_VERIFY_FULL}, &e));
	assert_int_equal(e.code, ERR_CONFIG);
	has(e.msg, ca_file);
	has(e.msg, part);
}

static void bad_ca_files(void **state)
{
	static const char empty[] = "# nothing\n",
			  bad[] = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
	struct fixture *f = *state;
	char *path = kit_write(f->dir, "empty.pem", empty, sizeof(empty) - 1), *good;
	char all[8192];
	size_t n;
	FILE *in;

	no_client(path, "holds no certificate");
	free(path);
	path = kit_write(f->dir, "bad.pem", bad, sizeof(bad) - 1);
	no_client(path, "damaged at certificate 1");
	free(path);
	in = fopen(f->ca_file, "r");
	n = fread(all, 1, sizeof(all) - sizeof(bad), in);
	fclose(in);
	memcpy(all + n, bad, sizeof(bad) - 1);
	path = kit_write(f->dir, "half.pem", all, n + sizeof(bad) - 1);
	no_client(path, "damaged at certificate 2");
	free(path);
	/* cut in the middle of the second */
	memcpy(all + n, all, n / 2);
	path = kit_write(f->dir, "cut.pem", all, n + n / 2);
	no_client(path, "damaged at certificate 2");
	free(path);
	no_client("/nonexistent/ca.pem", "No such file");
	/* the same certificate twice is fine, and so is text between them */
	memcpy(all + n, "text\n", 5);
	memcpy(all + n + 5, all, n);
	good = kit_write(f->dir, "twice.pem", all, 2 * n + 5);
	tls_ctx_unref(tls_client_ctx_new(&(struct tls_opts){.ca_file = good, .verify = TLS_VERIFY_FULL}, NULL));
	free(good);
}

static void changed_files_are_noticed(void **state)
{
	struct fixture *f = *state;
	struct err e;
	char *path = kit_write_cert(f->dir, "watched.pem", &f->ca);
	struct tls_ctx *c = tls_client_ctx_new(&(struct tls_opts){.ca_file = path, .verify = TLS_VERIFY_FULL},
					       &e),
		       *d;

	assert_non_null(c);
	assert_string_equal(tls_ctx_ca_text(c), path);
	assert_true(tls_ctx_verifies(c));
	assert_false(tls_ctx_is_stale(c));
	free(kit_write_cert(f->dir, "new.pem", &f->ca));
	{
		char *from = mem_printf("%s/new.pem", f->dir);

		assert_int_equal(rename(from, path), 0); /* same size, another inode */
		free(from);
	}
	assert_true(tls_ctx_is_stale(c));
	d = tls_ctx_reload(c, &e);
	assert_non_null(d);
	assert_false(tls_ctx_is_stale(d));
	unlink(path);
	assert_true(tls_ctx_is_stale(d));
	assert_null(tls_ctx_reload(d, &e));
	tls_ctx_unref(c);
	tls_ctx_unref(d);
	free(path);
}

/* What SSL_CERT_FILE names is read as every other file is: OpenSSL would open a FIFO and wait for ever. */
static void named_roots(void **state)
{
	struct fixture *f = *state;
	char *fifo = mem_printf("%s/fifo", f->dir), *damaged = kit_write(f->dir, "none.pem", "none", 4);
	struct err e;
	struct tls_ctx *c;

	assert_int_equal(mkfifo(fifo, 0600), 0);
	alarm(60);
	setenv("SSL_CERT_FILE", fifo, 1);
	assert_null(tls_client_ctx_new(&(struct tls_opts){.verify = TLS_VERIFY_FULL}, &e));
	has(e.msg, "SSL_CERT_FILE: "); /* nobody wrote the option that the configuration would name */
	has(e.msg, "fifo is no regular file");
	setenv("SSL_CERT_FILE", damaged, 1);
	assert_null(tls_client_ctx_new(&(struct tls_opts){.verify = TLS_VERIFY_FULL}, &e));
	has(e.msg, "holds no certificate");
	/* none at all is no mistake: nothing is trusted then; and one that comes is noticed */
	unlink(damaged);
	c = tls_client_ctx_new(&(struct tls_opts){.verify = TLS_VERIFY_FULL}, &e);
	assert_non_null(c);
	assert_false(tls_ctx_is_stale(c));
	free(kit_write(f->dir, "none.pem", "later", 5));
	assert_true(tls_ctx_is_stale(c));
	tls_ctx_unref(c);
	alarm(0);
	unsetenv("SSL_CERT_FILE");
	free(fifo);
	free(damaged);
}

static void default_roots(void **state)
{
	struct err e;
	struct tls_ctx *c = tls_client_ctx_new(&(struct tls_opts){.verify = TLS_VERIFY_FULL}, &e);

	(void)state;
	assert_non_null(c);
	has(tls_ctx_ca_text(c), "the system's roots");
	assert_false(tls_ctx_is_stale(c));
	tls_ctx_unref(c);
	assert_non_null(tls_rds_bundle_paths()[0]);
}

static void no_server(const char *cert, const char *key, const char *part)
{
	struct err e;

	assert_null(tls_server_ctx_new(&(struct tls_opts){.cert_file = cert, .key_file = key}, &e));
	assert_int_equal(e.code, ERR_CONFIG);
	has(e.msg, part);
}

static void bad_server_files(void **state)
{
	struct fixture *f = *state;
	struct kit_cert c = kit_cert_new(&(struct kit_cert_opts){.cn = "x"}, &f->ca);
	char *cert = kit_write_cert(f->dir, "s.pem", &c);
	char *key = kit_write_key(f->dir, "s.key", &c, NULL);
	char *locked = kit_write_key(f->dir, "locked.key", &c, "secret");
	char *other = kit_write_key(f->dir, "other.key", &f->ca, NULL);
	struct err e;
	struct tls_ctx *t;

	no_server(cert, NULL, "together");
	no_server(NULL, key, "together");
	no_server("/nonexistent/c.pem", key, "/nonexistent/c.pem");
	no_server(cert, "/nonexistent/k.pem", "/nonexistent/k.pem");
	no_server(key, key, "cannot use the certificate file");
	no_server(cert, other, "cannot use the key file");
	no_server(cert, locked, "it is encrypted"); /* and asks nobody for the passphrase */
	t = tls_server_ctx_new(&(struct tls_opts){.cert_file = cert, .key_file = key}, &e);
	assert_non_null(t);
	assert_false(tls_ctx_is_stale(t));
	unlink(key);
	assert_true(tls_ctx_is_stale(t));
	tls_ctx_unref(t);
	tls_ctx_unref(NULL);
	free(cert);
	free(key);
	free(locked);
	free(other);
	kit_cert_free(&c);
}

/* ---- versions and protocols ---- */

/* A raw server limited to max_version, or a raw client with that ALPN. */
static void old_versions_are_refused(void **state)
{
	struct loop *l = kit_loop();
	struct kit_tls t;
	struct raw w;
	struct side x;

	(void)state;
	kit_tls_init(&t, "db.example.com", "DNS:db.example.com");
	raw_server(&w, &x, &t, l);
	SSL_set_security_level(w.ssl, 0);
	SSL_set_min_proto_version(w.ssl, TLS1_VERSION);
	SSL_set_max_proto_version(w.ssl, TLS1_1_VERSION);
	x.done = stream_tls_step(x.s, &x.err);
	kit_until(l, (raw_pull(&w), SSL_do_handshake(w.ssl), raw_push(&w, SIZE_MAX), x.done));
	assert_int_equal(x.done, -1);
	assert_int_equal(x.err.code, ERR_TLS);
	has(err_hint_text(&x.err), "TLS 1.2");
	stream_close(x.s);
	raw_free(&w);

	/* 1.2 will do, without renegotiation */
	raw_server(&w, &x, &t, l);
	SSL_set_max_proto_version(w.ssl, TLS1_2_VERSION);
	raw_shake(&w, &x, l);
	assert_string_equal(stream_tls_version(x.s), "TLSv1.2");
	assert_true(stream_is_verified(x.s));
	stream_close(x.s);
	raw_free(&w);
	loop_free(l);
	kit_tls_fini(&t);
}

static void server_wants_its_alpn(void **state)
{
	static const unsigned char http[] = "\010http/1.1", pg[] = "\010http/1.1\012postgresql";
	struct loop *l = kit_loop();
	struct kit_tls t;
	struct raw w;
	struct side x;

	(void)state;
	kit_tls_init(&t, "db.example.com", NULL);
	raw_client(&w, &x, &t, l);
	assert_int_equal(SSL_set_alpn_protos(w.ssl, http, sizeof(http) - 1), 0);
	x.done = stream_tls_step(x.s, &x.err);
	kit_until(l, (raw_pull(&w), SSL_do_handshake(w.ssl), raw_push(&w, SIZE_MAX), x.done));
	assert_int_equal(x.done, -1);
	has(x.err.msg, "TLS handshake with the client failed");
	stream_close(x.s);
	raw_free(&w);

	raw_client(&w, &x, &t, l);
	assert_int_equal(SSL_set_alpn_protos(w.ssl, pg, sizeof(pg) - 1), 0);
	raw_shake(&w, &x, l);
	assert_true(slice_eq_str(stream_tls_alpn(x.s), "postgresql"));
	assert_int_equal(BIO_pending(w.out), 0);
	stream_close(x.s);
	raw_free(&w);

	/* who offers none may come */
	raw_client(&w, &x, &t, l);
	raw_shake(&w, &x, l);
	assert_int_equal(stream_tls_alpn(x.s).n, 0);
	stream_close(x.s);
	raw_free(&w);
	loop_free(l);
	kit_tls_fini(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_that_pass),
		cmocka_unit_test(names_that_fail),
		cmocka_unit_test(wrong_name_is_explained),
		cmocka_unit_test(dates_are_explained),
		cmocka_unit_test(unknown_issuers_are_explained),
		cmocka_unit_test(hostile_names_are_escaped),
		cmocka_unit_test(self_signed_serves),
		cmocka_unit_test(bad_ca_files),
		cmocka_unit_test(changed_files_are_noticed),
		cmocka_unit_test(named_roots),
		cmocka_unit_test(default_roots),
		cmocka_unit_test(bad_server_files),
		cmocka_unit_test(old_versions_are_refused),
		cmocka_unit_test(server_wants_its_alpn),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
