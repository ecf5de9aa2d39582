#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>
#include "../guard.h"
#include "proxy/hba.h"

static struct hba *parse(const char *text)
{
	struct err e;
	struct hba *h = hba_parse(slice_str(text), &e);

	if (!h)
		fail_msg("%s: %s", text, e.msg);
	return h;
}

/* What the file says of a client: "nobody" if no line fits. ip NULL: a unix socket. */
static int ask(const struct hba *h, const char *ip, bool tls, const char *database, const char *user)
{
	struct hba_answer a = {.method = AUTH_TYPE_HBA};
	struct hba_client c = {.local = !ip, .tls = tls, .database = database, .user = user};
	struct addr peer;

	if (ip)
		assert_int_equal(addr_parse(&peer, ip, 5000), 0);
	c.peer = &peer;
	if (strcmp(database, "(replication)") == 0)
		c.replication = true;
	return hba_find(h, &c, &a) ? (int)a.method : -1;
}

static void lines(void **state)
{
	struct hba *h = parse("# comment\n"
			      "\n"
			      "local all all peer map=m\n"
			      "hostssl app, other \\\n"
			      "  joe,ann 10.0.0.0/8 cert # goes on\n"
			      "hostnossl all mallory all reject\n"
			      "host sameuser all 192.0.2.0 255.255.255.0 md5\n"
			      "host \"all\" \"all\" ::1/128 trust\r\n"
			      "host replication repl 10.0.0.5/32 scram-sha-256\n"
			      "host all all 2001:db8::/33 password\n");

	(void)state;
	assert_int_equal(ask(h, NULL, false, "x", "y"), AUTH_TYPE_PEER);
	assert_int_equal(ask(h, "10.1.2.3", true, "other", "ann"), AUTH_TYPE_CERT);
	assert_int_equal(ask(h, "10.1.2.3", false, "other", "ann"), -1);
	assert_int_equal(ask(h, "11.1.2.3", true, "other", "ann"), -1);
	assert_int_equal(ask(h, "10.1.2.3", true, "third", "ann"), -1);
	assert_int_equal(ask(h, "::ffff:10.1.2.3", true, "app", "joe"), AUTH_TYPE_CERT);
	assert_int_equal(ask(h, "10.1.2.3", false, "app", "mallory"), AUTH_TYPE_REJECT);
	assert_int_equal(ask(h, "10.1.2.3", true, "app", "mallory"), -1);
	assert_int_equal(ask(h, "192.0.2.77", true, "joe", "joe"), AUTH_TYPE_MD5);
	assert_int_equal(ask(h, "192.0.2.77", true, "joe", "ann"), -1);
	assert_int_equal(ask(h, "192.0.3.1", true, "joe", "joe"), -1);
	assert_int_equal(ask(h, "::1", false, "all", "all"), AUTH_TYPE_TRUST); /* quoted: names */
	assert_int_equal(ask(h, "::1", false, "x", "all"), -1);
	assert_int_equal(ask(h, "10.0.0.5", false, "(replication)", "repl"), AUTH_TYPE_SCRAM);
	assert_int_equal(ask(h, "10.0.0.6", false, "(replication)", "repl"), -1);
	assert_int_equal(ask(h, "2001:db8::1", false, "(replication)", "x"), -1); /* all is none of it */
	assert_int_equal(ask(h, "2001:db8:7fff::1", false, "x", "y"), AUTH_TYPE_PLAIN);
	assert_int_equal(ask(h, "2001:db8:8000::1", false, "x", "y"), -1);
	assert_int_equal(hba_uses(h, AUTH_TYPE_CERT), 4);
	assert_int_equal(hba_uses(h, AUTH_TYPE_TRUST), 8);
	assert_int_equal(hba_trusts_remote(h), 0);
	assert_string_equal(hba_missing_map(h, NULL), "m");
	hba_free(h);
}

static void remote_trust(void **state)
{
	static const struct {
		const char *text;
		bool remote;
	} cases[] = {
		{"host all all all trust",                         true },
                {"host all all 0.0.0.0/0 trust",                   true },
		{"host all all 127.0.0.1/7 trust",                 true },
                {"host all all ::1/127 trust",                     true },
		{"host all all ::1 ::ff trust",                    true }, /* 2001:db8::1, too */
		{"hostssl all all 10.0.0.1/32 trust",              true },
                {"host all all 127.0.0.0/8 trust",                 false},
		{"host all all ::1/128 trust",                     false},
                {"local all all trust",                            false},
		{"host all all 127.0.0.1 255.255.255.255 trust", false},
                {"host all all all md5",                           false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct hba *h = parse(cases[i].text);

		if ((hba_trusts_remote(h) == 1) != cases[i].remote)
			fail_msg("%s", cases[i].text);
		hba_free(h);
	}
}

static void bad(void **state)
{
	static const struct {
		const char *text, *why;
	} cases[] = {
		{"\nhots all all all md5\n", "line 2: a line begins with local, host, hostssl or hostnossl: \"hots\""},
		{"hostgssenc all all all md5\n", "line 1: a line begins with"},
		{"\"host\" all all all md5\n", "line 1: a line begins with"},
		{"host all all\n", "line 1: database, user or method is missing"},
		{"host all all all\n", "line 1: a method is missing"},
		{"local all all\n", "line 1: database, user or method is missing"},
		{"host all all db.example.com md5\n", "line 1: no IP address"},
		{"host all all samehost md5\n", "line 1: no IP address"},
		{"host all all 10.0.0.1/33 md5\n", "line 1: no prefix length"},
		{"host all all 10.0.0.1/ md5\n", "line 1: no prefix length"},
		{"host all all 10.0.0.1/-1 md5\n", "line 1: no prefix length"},
		{"host all all 10.0.0.1/99999999999999999999 md5\n", "line 1: no prefix length"},
		{"host all all 10.0.0.1 md5\n", "line 1: behind it there is neither"},
		{"host all all 10.0.0.1 ffff:: md5\n", "line 1: behind it there is neither"},
		{"host all all all ldap\n", "line 1: not a method that is known here: \"ldap\""},
		{"host all all all md5,trust\n", "line 1: a method is missing"},
		{"host all all all peer\n", "line 1: peer is for local lines only"},
		{"host all all all cert\n", "line 1: cert is for hostssl lines only"},
		{"host all all all md5 clientcert=1\n", "line 1: not known here: \"clientcert=1\""},
		{"host all all all md5 map=x\n", "line 1: map= is for peer and cert only"},
		{"local all all peer map=\n", "line 1: not known here"},
		{"local all all peer map=a map=b\n", "line 1: not known here"},
		{"host @file all all md5\n", "line 1: files, groups and regular expressions"},
		{"host all +group all md5\n", "line 1: files, groups and regular expressions"},
		{"host samerole all all md5\n", "line 1: not known here: \"samerole\""},
		{"include other.conf\n", "line 1: a line begins with"},
		{"host all all, all md5\n", "line 1: no IP address"}, /* the list goes on */
		{"host \"all all all md5\n", "line 1: a quote is not closed"},
		{"host ,all all all md5\n", "line 1: a word is missing"},
		{"host app , other all all md5\n", "line 1: a word is missing"},
		{"host all all all md5 1 2 3 4 5 6 7 8 9 10 11 12\n", "line 1: there are too many words"},
	};
	struct err e;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		assert_null(hba_parse(slice_str(cases[i].text), &e));
		if (e.code != ERR_CONFIG || !strstr(e.msg, cases[i].why))
			fail_msg("%s\"%s\" is not \"%s\"", cases[i].text, e.msg, cases[i].why);
	}
	assert_null(hba_parse(slice_of("local all\0 all trust", 20), &e));
	assert_string_equal(e.msg, "line 1: there is a NUL in it");
}

static void ident(void **state)
{
	static const char *const wrong[] = {"m joe\n", "m joe app more\n", "m /^(.*)$ app\n", "m joe +group\n", "m a,b c\n"};
	struct err e;
	struct hba_ident *m =
		hba_ident_parse(slice_str("# maps\nm  root  app\nm \"two words\" app\nm joe all\nn joe \"all\"\n"), &e);

	(void)state;
	assert_non_null(m);
	assert_true(hba_ident_allows(m, "m", "root", "app"));
	assert_true(hba_ident_allows(m, "m", "two words", "app"));
	assert_true(hba_ident_allows(m, "m", "joe", "anybody"));
	assert_false(hba_ident_allows(m, "m", "root", "other"));
	assert_false(hba_ident_allows(m, "m", "app", "app")); /* only what is written */
	assert_false(hba_ident_allows(m, "n", "joe", "anybody"));
	assert_true(hba_ident_allows(m, "n", "joe", "all"));
	assert_false(hba_ident_allows(NULL, "m", "root", "app"));
	assert_true(hba_ident_allows(NULL, NULL, "joe", "joe"));
	assert_false(hba_ident_allows(m, NULL, "root", "app"));
	assert_true(hba_ident_has(m, "n"));
	assert_false(hba_ident_has(m, "o"));
	hba_ident_free(m);
	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
		assert_null(hba_ident_parse(slice_str(wrong[i]), &e));
		assert_non_null(strstr(e.msg, "line 1: "));
	}
}

static void cuts(void **state)
{
	static const char text[] = "local all \"a\"\"b\" peer map=m # x\n"
				   "host a,b c 10.0.0.0/8 scram-sha-256\n"
				   "host a,b c ::1 ffff::1 trust \\\n\n";

	(void)state;
	for (size_t n = 0; n < sizeof(text); n++) {
		void *copy = guard_copy(text, n);
		struct err e;

		hba_free(hba_parse(slice_of(copy, n), &e));
		hba_ident_free(hba_ident_parse(slice_of(copy, n), &e));
		guard_free(copy, n);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines), cmocka_unit_test(remote_trust), cmocka_unit_test(bad),
		cmocka_unit_test(ident), cmocka_unit_test(cuts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
