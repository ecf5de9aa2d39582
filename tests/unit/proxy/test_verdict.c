/* What becomes of a failed login: each row by example, and every combination against the rules written down a second time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "proxy/verdict.h"

#define SEC UINT64_C(1000000)

static const struct verdict *judge(enum err_code code, bool retried, bool refreshed, bool known)
{
	struct verdict_input in = {
		.code = code, .class = err_info(code)->class, .retried = retried, .refreshed = refreshed, .known = known};

	return verdict_of(&in);
}

static void expect(const struct verdict *v, bool again, enum verdict_told told, enum governor_outcome o, double sec)
{
	assert_int_equal(v->again, again);
	assert_int_equal(v->told, told);
	assert_int_equal(v->outcome, o);
	assert_int_equal(v->backoff_max_us, (uint64_t)(sec * 1e6));
}

static void refused_tokens(void **state)
{
	(void)state;
	for (int refreshed = 0; refreshed < 2; refreshed++) {
		expect(judge(ERR_AUTH_IAM, false, refreshed, true), true, VERDICT_NOBODY, GOVERNOR_STRAIN, 15);
		expect(judge(ERR_AUTH_IAM, false, refreshed, false), true, VERDICT_NOBODY, GOVERNOR_REFUSED, 15);
		expect(judge(ERR_AUTH_IAM, true, refreshed, true), false, VERDICT_ALL, GOVERNOR_STRAIN, 15);
		expect(judge(ERR_AUTH_IAM, true, refreshed, false), false, VERDICT_ALL, GOVERNOR_REFUSED, 15);
	}
}

static void refused_passwords(void **state)
{
	(void)state;
	for (int known = 0; known < 2; known++) {
		expect(judge(ERR_AUTH_PASSWORD, false, true, known), true, VERDICT_NOBODY, GOVERNOR_REFUSED, 15);
		expect(judge(ERR_AUTH_PASSWORD, false, false, known), false, VERDICT_ALL, GOVERNOR_REFUSED, 15);
		expect(judge(ERR_AUTH_PASSWORD, true, true, known), false, VERDICT_ALL, GOVERNOR_REFUSED, 15);
	}
}

/* Nothing but a refused secret is tried again, and what else is known makes no difference. */
static void others(void **state)
{
	static const struct {
		enum err_code code;
		enum verdict_told told;
		enum governor_outcome outcome;
		double sec;
	} rows[] = {
		{ERR_AUTH_NOT_IAM,    VERDICT_ALL,       GOVERNOR_REFUSED, 15},
		{ERR_TLS_VERIFY,      VERDICT_ALL,       GOVERNOR_REFUSED, 15},
		{ERR_CREDENTIALS,     VERDICT_ALL,       GOVERNOR_REFUSED, 0.8},
		{ERR_REGION,          VERDICT_ALL,       GOVERNOR_REFUSED, 0.8},
		{ERR_RESOLVE,         VERDICT_NEWCOMERS, GOVERNOR_REFUSED, 2 },
		{ERR_CONNECT,         VERDICT_NEWCOMERS, GOVERNOR_REFUSED, 2 },
		{ERR_CONNECT_TIMEOUT, VERDICT_NEWCOMERS, GOVERNOR_STRAIN,  2 },
		{ERR_LOGIN_TIMEOUT,   VERDICT_NEWCOMERS, GOVERNOR_STRAIN,  2 },
		{ERR_SERVER_CLOSED,   VERDICT_NEWCOMERS, GOVERNOR_STRAIN,  2 },
		{ERR_LOGIN_QUEUE,     VERDICT_NOBODY,    GOVERNOR_REFUSED, 2 },
		{ERR_CREDENTIALS_AWAY, VERDICT_NOBODY,   GOVERNOR_REFUSED, 0.8},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		for (unsigned bits = 0; bits < 8; bits++)
			expect(judge(rows[i].code, bits & 1, bits & 2, bits & 4), false, rows[i].told, rows[i].outcome,
			       rows[i].sec);
}

/* In the server's own words. */
static void by_sqlstate(void **state)
{
	static const struct {
		const char *sqlstate;
		enum verdict_told told;
		enum governor_outcome outcome;
		unsigned sec;
	} rows[] = {
		{"3D000", VERDICT_ALL,       GOVERNOR_REFUSED, 15},
		{"28000", VERDICT_ALL,       GOVERNOR_REFUSED, 15},
		{"XX000", VERDICT_ALL,       GOVERNOR_REFUSED, 15},
		{"53300", VERDICT_NEWCOMERS, GOVERNOR_STRAIN,  2 },
		{"57014", VERDICT_NEWCOMERS, GOVERNOR_STRAIN,  2 },
		{"57P01", VERDICT_NEWCOMERS, GOVERNOR_REFUSED, 2 },
		{"57P03", VERDICT_NOBODY,    GOVERNOR_STRAIN,  2 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct err e;
		struct verdict_input in;

		err_set(&e, ERR_LOGIN_REFUSED, "no");
		memcpy(e.sqlstate, rows[i].sqlstate, 6);
		e.from_server = true;
		in = (struct verdict_input){.code = e.code, .class = err_class(&e), .known = true};
		expect(verdict_of(&in), false, rows[i].told, rows[i].outcome, rows[i].sec);
	}
}

/* Whatever is put in: whoever is told waits for nothing that would come at once, and nothing is tried twice. */
static void every_combination(void **state)
{
	(void)state;
	for (unsigned class = 0; class < ERR_CLASS_COUNT; class++) {
		for (unsigned code = 0; code < ERR_CODE_COUNT; code++) {
			for (unsigned bits = 0; bits < 8; bits++) {
				struct verdict_input in = {.code = (enum err_code)code,
				                           .class = (enum err_class)class,
				                           .retried = bits & 1,
				                           .refreshed = bits & 2,
				                           .known = bits & 4};
				const struct verdict *v = verdict_of(&in);

				assert_false(v->again && (in.retried || v->told != VERDICT_NOBODY));
				assert_true(v->backoff_max_us >= 800000);
				if (v->backoff_max_us >= SEC) /* else it costs the database nothing */
					assert_int_equal(v->told == VERDICT_ALL || v->again, v->backoff_max_us == 15 * SEC);
				assert_int_not_equal(v->outcome, GOVERNOR_OK);
				if (!in.known && class == ERR_CLASS_REFUSED)
					assert_int_equal(v->outcome, GOVERNOR_REFUSED);
			}
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(refused_tokens), cmocka_unit_test(refused_passwords),
		cmocka_unit_test(others),         cmocka_unit_test(by_sqlstate),
		cmocka_unit_test(every_combination),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
