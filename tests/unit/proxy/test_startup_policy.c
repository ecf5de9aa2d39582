/* Which startup parameters reach the server, by kind of server. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "proxy/startup_policy.h"

/* "name=value,name=value" */
static void fill(struct params *p, const char *text)
{
	params_init(p);
	while (text && *text) {
		size_t n = strcspn(text, ","), eq = strcspn(text, "=");

		params_set(p, slice_of(text, eq), slice_of(text + eq + 1, n - eq - 1));
		text += n + (text[n] == ',');
	}
}

static char *text_of(const struct params *p)
{
	static char out[1024];
	size_t at = 0;

	out[0] = '\0';
	for (size_t i = 0; i < p->n; i++)
		at += (size_t)snprintf(out + at, sizeof(out) - at, "%s%s=%s", i ? "," : "", p->v[i].name, p->v[i].value);
	return out;
}

/* The list the server gets, or "refused: " and what. */
static const char *sent(enum profile_kind kind, const char *client, const char *defaults, const char *const *ignore)
{
	static char result[2048];
	struct params c, d, out;
	struct err e;

	fill(&c, client);
	fill(&d, defaults);
	params_init(&out);
	if (startup_policy(profile_get(kind), &c, &d, ignore, &out, &e) == 0) {
		snprintf(result, sizeof(result), "%s", text_of(&out));
	} else {
		assert_int_equal(e.code, ERR_STARTUP_PARAM);
		assert_non_null(strstr(e.hint, "ignore_startup_parameters = ")); /* the way out */
		snprintf(result, sizeof(result), "refused: %s", e.msg);
		assert_int_equal(out.n, 0);
	}
	params_free(&c);
	params_free(&d);
	params_free(&out);
	return result;
}

static void plain_servers_get_what_was_asked(void **state)
{
	(void)state;
	assert_string_equal(sent(PROFILE_RDS, "", "", NULL), "");
	assert_string_equal(sent(PROFILE_RDS, "client_encoding=UTF8,search_path=a", "", NULL),
	                    "client_encoding=UTF8,search_path=a");
	/* application_name is set when a client is linked: never part of what makes a pool */
	assert_string_equal(sent(PROFILE_POSTGRES, "Application_Name=x,DateStyle=ISO", "", NULL), "DateStyle=ISO");
	/* options go as they are, whatever is in them */
	assert_string_equal(sent(PROFILE_RDS, "options=-c geqo=off -x", "", NULL), "options=-c geqo=off -x");
}

static void the_client_wins_over_defaults(void **state)
{
	(void)state;
	assert_string_equal(sent(PROFILE_RDS, "TimeZone=UTC", "timezone=CET,geqo=off", NULL), "timezone=UTC,geqo=off");
}

static void ignored_ones_are_left_out(void **state)
{
	static const char *const ignore[] = {"extra_float_digits", "OPTIONS", "Extra_Float_Digits", NULL};

	(void)state;
	assert_string_equal(sent(PROFILE_RDS, "EXTRA_float_digits=3,options=-c a.b=1,geqo=on", "", ignore), "geqo=on");
	assert_string_equal(sent(PROFILE_RDS_PROXY, "options=nonsense,extra_float_digits=2", "", ignore), "");
	/* a setting within options that have to be taken apart is one, too */
	assert_string_equal(sent(PROFILE_REDSHIFT, "options=-c extra_float_digits=2 -c geqo=off", "", ignore + 2), "geqo=off");
	/* what was ignored of the client does not hide a default */
	assert_string_equal(sent(PROFILE_RDS, "extra_float_digits=3", "extra_float_digits=1", ignore),
	                    "extra_float_digits=1");
}

static void options_become_parameters_where_they_are_not_taken(void **state)
{
	(void)state;
	assert_string_equal(sent(PROFILE_REDSHIFT, "options=-c geqo=off --work_mem=4MB", "", NULL),
	                    "geqo=off,work_mem=4MB");
	/* a parameter of its own goes over the same one in options, wherever it stands */
	assert_string_equal(sent(PROFILE_REDSHIFT, "geqo=on,options=-c geqo=off -c a.b=1", "", NULL), "geqo=on,a.b=1");
	assert_string_equal(sent(PROFILE_RDS_PROXY, "options=-c TimeZone=UTC", "", NULL), "TimeZone=UTC");
	assert_true(strncmp(sent(PROFILE_REDSHIFT, "options=-x", "", NULL), "refused: ", 9) == 0);
	assert_non_null(strstr(sent(PROFILE_REDSHIFT, "options=-x", "", NULL), "redshift"));
}

static void others_are_refused_where_few_are_taken(void **state)
{
	static const char *const ignore[] = {"geqo", NULL};

	(void)state;
	assert_string_equal(sent(PROFILE_RDS_PROXY, "client_encoding=UTF8,search_path=a", "", NULL),
	                    "client_encoding=UTF8,search_path=a");
	assert_string_equal(sent(PROFILE_RDS_PROXY, "geqo=off", "", NULL),
	                    "refused: rds_proxy does not take the startup parameter \"geqo\"");
	assert_string_equal(sent(PROFILE_DSQL, "search_path=x", "", NULL),
	                    "refused: dsql does not take the startup parameter \"search_path\"");
	assert_string_equal(sent(PROFILE_DSQL, "options=-c geqo=off", "", NULL),
	                    "refused: dsql does not take the startup parameter \"geqo\"");
	assert_string_equal(sent(PROFILE_DSQL, "geqo=off,timezone=UTC", "", ignore), "timezone=UTC");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(plain_servers_get_what_was_asked),
		cmocka_unit_test(the_client_wins_over_defaults),
		cmocka_unit_test(ignored_ones_are_left_out),
		cmocka_unit_test(options_become_parameters_where_they_are_not_taken),
		cmocka_unit_test(others_are_refused_where_few_are_taken),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
