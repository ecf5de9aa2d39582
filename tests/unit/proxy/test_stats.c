/* Counting and adding up. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "proxy/stats.h"

/* Every number of a struct stats merges by addition but maxwait_us: nothing forgotten, nothing counted twice.
 */
static void every_number_merges(void **state)
{
	size_t words = (sizeof(struct stats) - offsetof(struct stats, cl_active)) / sizeof(uint64_t),
	       wrong = 0;
	struct stats a, b;

	(void)state;
	stats_init(&a, "x");
	stats_init(&b, "x");

	for (size_t i = 0; i < words; i++) {
		size_t at = offsetof(struct stats, cl_active) + i * sizeof(uint64_t);
		bool rows = at >= offsetof(struct stats, login_sqlstate) &&
			    at < offsetof(struct stats, login_sqlstate) + sizeof a.login_sqlstate;

		memcpy((char *)&a + at, &(uint64_t){rows ? 0 : 3}, 8);
		memcpy((char *)&b + at, &(uint64_t){rows ? 0 : 5}, 8);
	}
	stats_merge(&a, &b);
	for (size_t i = 0; i < words; i++) {
		size_t at = offsetof(struct stats, cl_active) + i * sizeof(uint64_t);
		uint64_t v, want = at == offsetof(struct stats, maxwait_us) ? 5 : 8;

		memcpy(&v, (char *)&a + at, 8);
		if (at >= offsetof(struct stats, login_sqlstate) &&
		    at < offsetof(struct stats, login_sqlstate) + sizeof a.login_sqlstate)
			want = 0;
		wrong += v != want;
	}
	assert_int_equal(wrong, 0);
	stats_fini(&a);
	stats_fini(&b);
}

static uint64_t count_of(const struct stats *s, const char *sqlstate)
{
	for (size_t i = 0; i < 16; i++)
		if (s->login_sqlstate[i].count && strcmp(s->login_sqlstate[i].sqlstate, sqlstate) == 0)
			return s->login_sqlstate[i].count;
	return 0;
}

static void fail_with(struct stats *s, const char *sqlstate)
{
	struct err e;

	err_set(&e, ERR_LOGIN_REFUSED, "no");
	memset(e.sqlstate, 0, sizeof e.sqlstate);
	memcpy(e.sqlstate, sqlstate, strlen(sqlstate));
	e.from_server = true;
	stats_login_failed(s, &e);
}

static void sqlstates(void **state)
{
	struct stats a, b;
	char text[6] = "AA000";
	struct err e;

	(void)state;
	stats_init(&a, "x");
	stats_init(&b, "x");
	fail_with(&a, "28000");
	fail_with(&a, "28000");
	fail_with(&a, "28P01");
	fail_with(&a, "\"};x"); /* a server's text is no label */
	fail_with(&a, "");
	err_set(&e, ERR_CONNECT, "pgiam's own");
	stats_login_failed(&a, &e);
	assert_int_equal(count_of(&a, "28000"), 2);
	assert_int_equal(count_of(&a, "28P01"), 1);
	assert_int_equal(count_of(&a, "other"), 2);
	assert_int_equal(count_of(&a, "08001"), 0);
	assert_int_equal(a.login_errors[ERR_LOGIN_REFUSED], 5);
	assert_int_equal(a.login_errors[ERR_CONNECT], 1);
	for (int i = 0; i < 26; i++) {
		text[1] = (char)('A' + i);
		fail_with(&b, text);
	}
	assert_int_equal(count_of(&b, "AA000"), 1);
	assert_int_equal(count_of(&b, "AO000"), 1);
	assert_int_equal(count_of(&b, "other"), 11);
	stats_merge(&a, &b);
	assert_int_equal(count_of(&a, "28000"), 2);
	assert_int_equal(count_of(&a, "AM000"), 1);
	assert_int_equal(count_of(&a, "other"), 2 + 11 + 2);
	stats_fini(&a);
	stats_fini(&b);
}

static void snapshots(void **state)
{
	struct stats_snapshot *sum = stats_snapshot_new(), *one = stats_snapshot_new();

	(void)state;
	stats_snapshot_db(one, "a", 0)->xact_count = 1;
	stats_snapshot_db(one, "b", 1)->xact_count = 2;
	one->clients = 4;
	one->log_suppressed = 3;
	one->client_errors[ERR_LIMIT] = 1;
	stats_snapshot_db(sum, "b", 0)->xact_count = 10;
	stats_snapshot_merge(sum, one);
	stats_snapshot_merge(sum, one);
	assert_int_equal(sum->db_count, 2);
	assert_int_equal(stats_snapshot_db(sum, "a", 0)->xact_count, 2);
	assert_int_equal(stats_snapshot_db(sum, "b", 9)->xact_count, 14);
	assert_int_equal(sum->clients, 8);
	assert_int_equal(sum->log_suppressed, 6);
	assert_int_equal(sum->client_errors[ERR_LIMIT], 2);
	stats_snapshot_free(one);
	stats_snapshot_free(sum);
	stats_snapshot_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_number_merges),
		cmocka_unit_test(sqlstates),
		cmocka_unit_test(snapshots),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
