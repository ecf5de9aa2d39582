/* app/options: the table holds together, and texts become values. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "app/options.h"

#define EACH(i, o) (size_t i = 0; i < options_count() && ((o) = options_get(i)); i++)

static void rows_are_whole(void **state)
{
	const struct option *o;

	(void)state;
	assert_true(options_count() > OPT_COUNT);
	for
		EACH(i, o)
		{
			struct option_value v;
			struct err e;
			size_t n = strlen(o->name);
			const char *last;

			assert_int_equal(strspn(o->name, "abcdefghijklmnopqrstuvwxyz0123456789_"), n);
			assert_true(n < OPTION_ENV_MAX - 8);
			assert_int_not_equal(o->scope & (OPTION_GLOBAL | OPTION_DATABASE | OPTION_USER), 0);
			assert_int_equal(options_index(o), i);
			assert_int_equal(o->class == OPTION_HONOURED, i < OPT_COUNT);
			if (o->class != OPTION_HONOURED) {
				assert_non_null(o->note);
				assert_non_null(o->def);
				assert_false(o->reload || o->secret || o->shared);
				continue;
			}
			last = o->help + strlen(o->help) - 1;
			assert_true(isupper((unsigned char)o->help[0]) ||
				    islower((unsigned char)o->help[0]) || o->help[0] == '1');
			assert_int_equal(*last, '.');
			if (o->type == OPTION_INT || o->type == OPTION_RATE)
				assert_true(o->max > o->min);
			if (o->type == OPTION_ENUM)
				assert_non_null(o->values);
			assert_int_equal(!o->refused_values, !o->refused_why);
			if (o->shared)
				assert_int_equal(o->type, OPTION_INT);
			if (o->def && options_parse(o, o->def, &v, &e) != 0)
				fail_msg("default of %s: %s", o->name, e.msg);
		}
}

static void names_are_unique(void **state)
{
	static const enum option_scope scopes[] = {OPTION_GLOBAL, OPTION_DATABASE, OPTION_USER};
	const struct option *o;

	(void)state;
	for
		EACH(i, o)
	for (size_t s = 0; s < 3; s++) {
		if (!(o->scope & (unsigned)scopes[s]))
			continue;
		assert_ptr_equal(options_find(o->name, scopes[s]), o);
		if (o->alias)
			assert_ptr_equal(options_find(o->alias, scopes[s]), o);
	}
	assert_null(options_find("no_such_option", OPTION_GLOBAL));
	assert_null(options_find("host", OPTION_GLOBAL));
	assert_ptr_equal(options_find("HOST", OPTION_DATABASE), options_get(OPT_HOST));
}

/* Kubernetes puts these into the environment for a Service called pgiam. */
static void no_name_is_kubernetes(void **state)
{
	static const char *const prefixes[] = {"PGIAM_SERVICE_", "PGIAM_PORT_"};
	const struct option *o;

	(void)state;
	for
		EACH(i, o)
		{
			char name[OPTION_ENV_MAX];
			if (!options_has_env(o))
				continue;
			options_env_name(o, name);
			assert_string_not_equal(name, "PGIAM_PORT");
			assert_string_not_equal(name, "PGIAM_TARGET");
			for (size_t p = 0; p < 2; p++)
				if (strncmp(name, prefixes[p], strlen(prefixes[p])) == 0)
					fail_msg("%s", name);
			for (size_t k = 0; k < i; k++) { /* one variable, one flag: one option */
				const struct option *other = options_get(k);
				char other_name[OPTION_ENV_MAX];
				if (options_has_env(other))
					assert_string_not_equal(options_env_name(other, other_name), name);
			}
		}
	assert_false(options_has_flag(options_get(OPT_PASSWORD)));
	assert_true(options_has_env(options_get(OPT_PASSWORD)));
}

static void accepts(enum option_id id, const char *text, int64_t want)
{
	struct option_value v;
	struct err e;

	if (options_parse(options_get(id), text, &v, &e) != 0)
		fail_msg("%s: %s", text, e.msg);
	assert_int_equal(v.num, want);
}

static void refuses(enum option_id id, const char *text, const char *words)
{
	struct option_value v;
	struct err e;

	assert_int_equal(options_parse(options_get(id), text, &v, &e), -1);
	assert_int_equal(e.code, ERR_CONFIG);
	if (!strstr(e.msg, words))
		fail_msg("%s: %s", text, e.msg);
}

static void values(void **state)
{
	struct option_value v;
	struct err e;

	(void)state;
	accepts(OPT_TCP_KEEPALIVE, "1", 1);
	accepts(OPT_TCP_KEEPALIVE, "yes", 1);
	accepts(OPT_TCP_KEEPALIVE, "TRUE", 1);
	accepts(OPT_TCP_KEEPALIVE, "on", 1);
	accepts(OPT_TCP_KEEPALIVE, "off", 0);
	refuses(OPT_TCP_KEEPALIVE, "2", "neither 1");
	refuses(OPT_TCP_KEEPALIVE, "", "neither 1");
	accepts(OPT_LISTEN_PORT, "65535", 65535);
	refuses(OPT_LISTEN_PORT, "65536", "not between 1 and 65535");
	refuses(OPT_LISTEN_PORT, "0", "not between 1 and 65535");
	refuses(OPT_LISTEN_PORT, "-1", "not between 1 and 65535");
	refuses(OPT_LISTEN_PORT, "99999999999999999999", "not between");
	refuses(OPT_LISTEN_PORT, "54a", "not a whole number");
	refuses(OPT_LISTEN_PORT, "0x10", "not a whole number");
	refuses(OPT_LISTEN_PORT, "-", "not a whole number");
	refuses(OPT_LISTEN_PORT, "5432 ; c", "not a whole number");
	accepts(OPT_SERVER_LIFETIME, "3600", 3600000000);
	accepts(OPT_SERVER_LIFETIME, "0.5", 500000);
	accepts(OPT_SERVER_LIFETIME, ".25", 250000);
	accepts(OPT_SERVER_LIFETIME, "315360000", 315360000000000);
	refuses(OPT_SERVER_LIFETIME, "315360001", "not between");
	refuses(OPT_SERVER_LIFETIME, "1e3", "not a number of seconds");
	refuses(OPT_SERVER_LIFETIME, "inf", "not a number of seconds");
	refuses(OPT_SERVER_LIFETIME, "1.2.3", "not a number of seconds");
	refuses(OPT_SERVER_LIFETIME, ".", "not a number of seconds");
	refuses(OPT_SERVER_LIFETIME, "5min", "not a number of seconds");
	refuses(OPT_SERVER_LIFETIME, "-1", "not a number of seconds");
	refuses(OPT_SERVER_CONNECT_TIMEOUT, "0", "not between 1");
	accepts(OPT_UNIX_SOCKET_MODE, "0660", 0660);
	accepts(OPT_UNIX_SOCKET_MODE, "777", 0777);
	refuses(OPT_UNIX_SOCKET_MODE, "1777", "more than 0777");
	refuses(OPT_UNIX_SOCKET_MODE, "0888", "not a file mode");
	refuses(OPT_UNIX_SOCKET_MODE, "rw", "not a file mode");
	accepts(OPT_LOG_LEVEL, "debug", 3);
	accepts(OPT_LOG_LEVEL, "Error", 0);
	refuses(OPT_LOG_LEVEL, "err", "not one of error|warning|info|debug");
	refuses(OPT_LOG_LEVEL, "error|warning", "not one of");
	refuses(OPT_AUTH_TYPE, "ldap", "is refused: not in this version");
	refuses(OPT_POOL_MODE, "transaction", "not in this version");
	refuses(OPT_CLIENT_TLS_PROTOCOLS, "all", "TLS 1.0 and 1.1 are not spoken");
	refuses(OPT_CLIENT_TLS_PROTOCOLS, "tlsv1.1, tlsv1.2", "TLS 1.0 and 1.1 are not spoken");
	refuses(OPT_CLIENT_TLS_PROTOCOLS, "tlsv1.2,tlsv1.3,tlsv1.0", "TLS 1.0 and 1.1 are not spoken");
	refuses(OPT_CLIENT_TLS_PROTOCOLS, "tlsv1.2 tlsv1.3", "not one of");
	refuses(OPT_CLIENT_TLS_PROTOCOLS, "tlsv1. 2", "not one of");
	refuses(OPT_CLIENT_TLS_PROTOCOLS, "", "not one of");
	accepts(OPT_CLIENT_TLS_PROTOCOLS, "tlsv1.2, tlsv1.3", 3);
	accepts(OPT_CLIENT_TLS_PROTOCOLS, "TLSv1.3 ,  tlsv1.2", 4);
	assert_int_equal(options_parse(options_get(OPT_LOGIN_RATE), "12.5", &v, &e), 0);
	assert_true(v.rate > 12.49 && v.rate < 12.51);
	refuses(OPT_LOGIN_RATE, "many", "not a number");
	refuses(OPT_LOGIN_RATE, "100001", "not between");
}

/* Options that are not honoured: nothing asked for is nothing to refuse. */
static void not_honoured(void **state)
{
	struct option_value v;
	struct err e;
	const struct option *o = options_find("reserve_pool_size", OPTION_GLOBAL);

	(void)state;
	assert_int_equal(options_parse(o, "0", &v, &e), 0);
	assert_int_equal(options_parse(o, "5", &v, &e), -1);
	assert_non_null(strstr(e.msg, "refused: not in this version"));
	o = options_find("auth_query", OPTION_GLOBAL);
	assert_int_equal(options_parse(o, "", &v, &e), 0);
	assert_int_equal(options_parse(o, "SELECT 1", &v, &e), -1);
	o = options_find("pkt_buf", OPTION_GLOBAL);
	assert_int_equal(options_parse(o, "8192", &v, &e), 0);
}

static void nearest(void **state)
{
	static const char *const words[] = {"databases", "users"};

	(void)state;
	assert_string_equal(options_nearest("listen_adr", OPTION_GLOBAL), "listen_addr");
	assert_string_equal(options_nearest("max_client_con", OPTION_GLOBAL), "max_client_conn");
	assert_string_equal(options_nearest("hots", OPTION_DATABASE), "host");
	assert_string_equal(options_nearest("sslmod", OPTION_DATABASE), "sslmode");
	assert_null(options_nearest("completely_different", OPTION_GLOBAL));
	assert_null(options_nearest(
		"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx", OPTION_USER));
	assert_string_equal(options_nearest_word("database", words, 2), "databases");
	assert_null(options_nearest_word("peers", words, 1));
}

static void lists(void **state)
{
	const char *rest = " a, b c ,,d,";
	struct slice item;
	static const char *const want[] = {"a", "b c", "d"};

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		assert_true(options_item(&rest, &item));
		assert_true(slice_eq_str(item, want[i]));
	}
	assert_false(options_item(&rest, &item));
	assert_false(options_item(&rest, &item));
	rest = " ";
	assert_false(options_item(&rest, &item));
}

static void names(void **state)
{
	char name[OPTION_ENV_MAX];

	(void)state;
	assert_string_equal(options_env_name(options_get(OPT_LISTEN_ADDR), name), "PGIAM_LISTEN_ADDR");
	assert_string_equal(options_flag_name(options_get(OPT_LISTEN_ADDR), name), "--listen-addr");
	assert_string_equal(options_env_name(options_get(OPT_PORT), name), "PGIAM_UPSTREAM_PORT");
	assert_string_equal(options_flag_name(options_get(OPT_PORT), name), "--port");
}

static void help_has_all(void **state)
{
	struct buf help, dump;
	size_t lines = 0;

	(void)state;
	buf_init(&help, 1 << 20);
	buf_init(&dump, 1 << 20);
	options_help(&help);
	options_dump(&dump);
	for (size_t i = 0; i < OPT_COUNT; i++) {
		char name[OPTION_ENV_MAX];
		assert_non_null(strstr(buf_cstr(&help), options_env_name(options_get(i), name)));
		if (options_get(i)->alias) {
			snprintf(name, sizeof(name), "Also called %s.", options_get(i)->alias);
			assert_non_null(strstr(buf_cstr(&help), name));
		}
	}
	for (const char *p = buf_cstr(&dump); *p; p++)
		lines += *p == '\n';
	assert_int_equal(lines, options_count());
	buf_free(&help);
	buf_free(&dump);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rows_are_whole),
		cmocka_unit_test(names_are_unique),
		cmocka_unit_test(no_name_is_kubernetes),
		cmocka_unit_test(values),
		cmocka_unit_test(not_honoured),
		cmocka_unit_test(nearest),
		cmocka_unit_test(lists),
		cmocka_unit_test(names),
		cmocka_unit_test(help_has_all),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
