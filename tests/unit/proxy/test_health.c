/* What counts as served, by every order of logins that succeed, fail, and are turned down. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include "proxy/health.h"

#define SEC UINT64_C(1000000)

static struct err make_err(enum err_code code, const char *sqlstate)
{
	struct err e;

	err_set(&e, code, "no");
	if (sqlstate) {
		memcpy(e.sqlstate, sqlstate, sizeof e.sqlstate);
		e.from_server = true;
	}
	return e;
}

static void failed(struct health *h, uint64_t at_sec, enum err_code code, const char *sqlstate, bool known)
{
	struct err e = make_err(code, sqlstate);

	health_failed(h, at_sec * SEC, &e, known);
}

static enum err_code why(const struct health *h, uint64_t at_sec)
{
	const struct err *e = health_why(h, at_sec * SEC);

	return e ? e->code : ERR_NONE;
}

static void untried(void **state)
{
	struct health h = {0};

	(void)state;
	assert_int_equal(why(&h, 0), ERR_NONE);
	assert_int_equal(why(&h, 1000), ERR_NONE);
}

static void away(void **state)
{
	struct health h = {.serving = 3}; /* perhaps only half open any more */

	(void)state;
	health_good(&h, 99 * SEC);
	failed(&h, 100, ERR_CONNECT, NULL, true);
	assert_int_equal(why(&h, 100), ERR_CONNECT);
	assert_int_equal(why(&h, 160), ERR_CONNECT);
	assert_int_equal(why(&h, 161), ERR_NONE); /* nobody has met it since */
	failed(&h, 161, ERR_RESOLVE, NULL, true);
	assert_int_equal(why(&h, 99), ERR_RESOLVE); /* a clock that was read too early */
	assert_int_equal(why(&h, 161), ERR_RESOLVE);
	health_good(&h, 161 * SEC);
	assert_int_equal(why(&h, 161), ERR_RESOLVE); /* let in, and closed in the same turn */
	health_good(&h, 162 * SEC);
	assert_int_equal(why(&h, 162), ERR_NONE);
}

static void a_stranger(void **state)
{
	struct health h = {0};

	(void)state;
	failed(&h, 100, ERR_AUTH_IAM, "28000", false);
	assert_int_equal(why(&h, 100), ERR_AUTH_IAM); /* nothing better is known */
	health_good(&h, 50 * SEC);
	assert_int_equal(why(&h, 5000), ERR_NONE);
	failed(&h, 5000, ERR_AUTH_IAM, "28000", false);
	assert_int_equal(why(&h, 5000), ERR_NONE); /* however long ago */
}

static void one_who_was_known(void **state)
{
	struct health h = {.serving = 1};

	(void)state;
	health_good(&h, 100 * SEC);
	failed(&h, 300, ERR_AUTH_IAM, "28000", true);
	assert_int_equal(why(&h, 300), ERR_NONE); /* somebody is served */
	h.serving = 0;
	assert_int_equal(why(&h, 300), ERR_AUTH_IAM);
	health_good(&h, 290 * SEC);
	assert_int_equal(why(&h, 310), ERR_NONE); /* somebody was let in just now */
	failed(&h, 352, ERR_AUTH_IAM, "28000", true);
	assert_int_equal(why(&h, 352), ERR_AUTH_IAM);
}

/* The error's kind decides: the server's state, or this login's user, database or settings. */
static void kinds(void **state)
{
	static const struct {
		enum err_code code;
		const char *sqlstate;
		bool away;
	} rows[] = {
		{ERR_CONNECT,         NULL,    true },
                {ERR_TLS_VERIFY,      NULL,    true },
		{ERR_LOGIN_TIMEOUT,   NULL,    true },
                {ERR_CREDENTIALS,     NULL,    true },
		{ERR_CREDENTIALS_AWAY, NULL,   true },
		{ERR_SERVER_PROTOCOL, NULL,    true },
                {ERR_LOGIN_REFUSED,   "57P03", true },
		{ERR_LOGIN_REFUSED,   "57P01", true },
                {ERR_LOGIN_REFUSED,   "58030", true },
		{ERR_LOGIN_REFUSED,   "XX000", true },
                {ERR_LOGIN_REFUSED,   "08006", true },
		{ERR_LOGIN_REFUSED,   "28000", false},
                {ERR_LOGIN_REFUSED,   "3D000", false},
		{ERR_LOGIN_REFUSED,   "42704", false},
                {ERR_LOGIN_REFUSED,   "53300", false},
		{ERR_AUTH_IAM,        "28000", false},
                {ERR_AUTH_PASSWORD,   "28P01", false},
		{ERR_AUTH_NOT_IAM,    NULL,    false},
                {ERR_AUTH_METHOD,     NULL,    false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct health h = {.serving = 1};

		health_good(&h, 1 * SEC);
		failed(&h, 2, rows[i].code, rows[i].sqlstate, true);
		assert_int_equal(why(&h, 2), rows[i].away ? rows[i].code : ERR_NONE);
	}
}

static void two_workers(void **state)
{
	struct health one = {.serving = 1}, two = {.serving = 2}, both = {0};

	(void)state;
	failed(&one, 10, ERR_CONNECT, NULL, true);
	health_good(&two, 11 * SEC); /* and it has been back since */
	health_merge(&both, &one);
	assert_int_equal(why(&both, 12), ERR_CONNECT);
	health_merge(&both, &two);
	assert_int_equal(why(&both, 12), ERR_NONE);
	assert_int_equal(both.serving, 3);
	failed(&two, 13, ERR_TLS_VERIFY, NULL, true);
	failed(&one, 12, ERR_CONNECT, NULL, true);
	health_merge(&both, &two);
	health_merge(&both, &one);
	assert_int_equal(why(&both, 13), ERR_TLS_VERIFY); /* the later one */
}

/* One worker's only client is a user with no rights; the others let everybody else in. */
static void a_stranger_on_one_worker(void **state)
{
	struct health one = {0}, two = {0}, both = {0};

	(void)state;
	failed(&one, 10, ERR_AUTH_IAM, "28000", false);
	health_good(&two, 5 * SEC);
	health_merge(&both, &one);
	health_merge(&both, &two);
	assert_int_equal(why(&both, 10), ERR_NONE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(untried),
		cmocka_unit_test(away),
		cmocka_unit_test(a_stranger),
		cmocka_unit_test(one_who_was_known),
		cmocka_unit_test(kinds),
		cmocka_unit_test(two_workers),
		cmocka_unit_test(a_stranger_on_one_worker),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
