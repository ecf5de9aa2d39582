/* Which database a client's name means. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>
#include "proxy/registry.h"

static struct database *database_named(struct database *d, struct target *t, const char *name)
{
	*t = (struct target){.name = (char *)(uintptr_t)name};
	*d = (struct database){.target = t};
	return d;
}

static void names_of_databases(void **state)
{
	struct database d[3];
	struct target t[3];
	struct database *list[] = {database_named(&d[0], &t[0], "app"), database_named(&d[1], &t[1], "*"),
	                           database_named(&d[2], &t[2], "App2")};
	struct registry r = {.databases = list, .database_count = 3};

	(void)state;
	assert_ptr_equal(registry_database(&r, "app"), &d[0]);
	assert_ptr_equal(registry_database(&r, "App2"), &d[2]);
	/* PostgreSQL's names have case; whatever is not listed is the fallback's */
	assert_ptr_equal(registry_database(&r, "App"), &d[1]);
	assert_ptr_equal(registry_database(&r, ""), &d[1]);
	assert_ptr_equal(registry_database(&r, "*"), &d[1]);
	r.database_count = 1;
	assert_ptr_equal(registry_database(&r, "app"), &d[0]);
	assert_null(registry_database(&r, "ap"));
	assert_null(registry_database(&r, "appx"));
	assert_null(registry_database(&r, "*"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_of_databases),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
