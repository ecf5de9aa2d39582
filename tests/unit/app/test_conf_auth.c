/* auth_type and what belongs to it. */
#include "conf_test.h"

#define DB    "[databases]\n* = host=" RDS "\n[pgiam]\n" /* lines 1 to 3 */
#define MD5   "md55d41402abc4b2a76b9719d911017c592"
#define TRUST "listen_addr = 0.0.0.0\n"

static void needs_a_file(void **state)
{
	struct conf_test *t = *state;

	conf_test_bad(t, DB "auth_type = scram-sha-256\n", NULL, "t.ini:4|auth_type: needs auth_file");
	conf_test_bad(t, DB "auth_type = md5\nauth_file = /no/such\n", NULL,
		      "t.ini:5|auth_file: cannot open /no/such: No such file");
	conf_test_bad(t, DB "auth_type = plain\nauth_file = /\n", NULL, "t.ini:5|auth_file: / is no regular file");
	conf_test_write("extra", "\"joe\" \"x\"\njoe x\n");
	conf_test_bad(t, DB "auth_type = plain\nauth_file = extra\n", NULL,
		      "t.ini:5|auth_file: extra: line 2: it begins with no user in double quotes");
	conf_test_write("extra", "\"joe\" \"x\"\n");
	conf_test_good(t, DB "auth_type = plain\nauth_file = extra\n", NULL, NULL);
	assert_null(strstr(buf_cstr(&t->said), "warning|t.ini:5|auth_file"));
}

static void warnings(void **state)
{
	struct conf_test *t = *state;

	conf_test_write("extra", "\"joe\" \"" MD5 "\"\n");
	conf_test_good(t, DB "auth_type = scram-sha-256\nauth_file = extra\n", NULL, NULL);
	conf_test_said(t, "warning|t.ini:5|auth_file: users whose secret is md5 cannot log in");
	assert_int_equal(chmod("extra", 0604), 0);
	conf_test_good(t, DB "auth_type = md5\nauth_file = extra\n", NULL, NULL);
	conf_test_said(t, "warning|t.ini:5|auth_file: every local user may open it");
	conf_test_good(t, DB "auth_file = extra\n", NULL, NULL);
	conf_test_said(t, "warning|t.ini:4|auth_file: not used with auth_type = trust: see client_users");
	conf_test_good(t, DB "auth_type = peer\nauth_file = extra\nauth_hba_file = extra\n", NULL, NULL);
	conf_test_said(t, "warning|t.ini:5|auth_file: not used with auth_type = peer");
	conf_test_said(t, "warning|t.ini:6|auth_hba_file: not used with auth_type = peer");
	conf_test_write("extra", "m joe joe\n");
	conf_test_good(t, DB "auth_ident_file = extra\n", NULL, NULL);
	conf_test_said(t, "warning|t.ini:4|auth_ident_file: not used with auth_type = trust");
}

/* allow_remote_trust is about trust. */
static void remote(void **state)
{
	struct conf_test *t = *state;

	conf_test_write("extra", "\"joe\" \"x\"\n");
	conf_test_bad(t, DB TRUST, NULL, "t.ini:4|listen_addr: 0.0.0.0:5432 can be reached from other hosts");
	conf_test_good(t, DB TRUST "auth_type = scram-sha-256\nauth_file = extra\n", NULL, NULL);
}

/* What is made up for strangers must be the same on all workers, and not the same tomorrow. */
static void key(void **state)
{
	struct conf_test *t = *state;
	struct conf_worker *a, *b;
	unsigned char before[AUTH_KEY_BYTES];

	conf_test_good(t, DB "workers = 2\n", NULL, NULL);
	a = conf_worker_new(t->c, 0);
	b = conf_worker_new(t->c, 1);
	assert_memory_equal(a->opts.auth.key, b->opts.auth.key, AUTH_KEY_BYTES);
	memcpy(before, a->opts.auth.key, sizeof(before));
	conf_worker_free(a);
	conf_worker_free(b);
	conf_test_good(t, DB "workers = 2\n", NULL, NULL);
	a = conf_worker_new(t->c, 0);
	assert_memory_not_equal(a->opts.auth.key, before, AUTH_KEY_BYTES);
	conf_worker_free(a);
}

static void hba(void **state)
{
	struct conf_test *t = *state;

	conf_test_bad(t, DB "auth_type = hba\n", NULL, "t.ini:4|auth_type: needs auth_hba_file");
	conf_test_write("extra", "local all all peer\nhost all all samenet md5\n");
	conf_test_bad(t, DB "auth_type = hba\nauth_hba_file = extra\n", NULL,
		      "t.ini:5|auth_hba_file: extra: line 2: no IP address");
	conf_test_write("extra", "local all all peer\nhost all all all md5\n");
	conf_test_bad(t, DB "auth_type = hba\nauth_hba_file = extra\n", NULL,
		      "t.ini:5|auth_hba_file: extra: line 2: needs auth_file");
	conf_test_write("extra", "local all all peer\nhost all all all trust\n");
	conf_test_bad(t, DB "auth_type = hba\nauth_hba_file = extra\n", NULL,
		      "t.ini:5|auth_hba_file: extra: line 2: other hosts are let in by trust");
	conf_test_good(t, DB "auth_type = hba\nauth_hba_file = extra\nallow_remote_trust = 1\n", NULL, NULL);
	conf_test_write("extra", "hostssl all all all cert\n");
	conf_test_bad(t, DB "auth_type = hba\nauth_hba_file = extra\n", NULL,
		      "t.ini:5|auth_hba_file: extra: line 1: cert needs TLS with client_tls_ca_file");
	conf_test_write("extra", "local all all peer map=m\n");
	conf_test_bad(t, DB "auth_type = hba\nauth_hba_file = extra\n", NULL,
		      "t.ini:5|auth_hba_file: extra: auth_ident_file has no map \"m\"");
	conf_test_write("extra", "m root app\n");
	conf_test_good(t, DB "auth_ident_file = extra\n", NULL, NULL);
	conf_test_write("extra", "m root\n");
	conf_test_bad(t, DB "auth_ident_file = extra\n", NULL, "t.ini:4|auth_ident_file: extra: line 1: a line is a map");
	conf_test_bad(t, DB "auth_type = cert\n", NULL, "t.ini:4|auth_type: cert needs TLS with client_tls_ca_file");
	conf_test_good(t, DB "auth_type = peer\n", NULL, NULL);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, conf_test_setup, conf_test_teardown)
	const struct CMUnitTest tests[] = {T(needs_a_file), T(warnings), T(remote), T(key), T(hba)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
