/* A home directory of the test's own, with what the AWS CLI would have in it. */
#ifndef TESTS_UNIT_AWS_HOME_H
#define TESTS_UNIT_AWS_HOME_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <sys/stat.h>

struct home {
	char path[64];
	char variable[80]; /* HOME=path */
};

/* With directories for the files and for the cache of IAM Identity Center. */
static inline void home_make(struct home *h)
{
	static const char *const dirs[] = {"/.aws", "/.aws/sso", "/.aws/sso/cache"};
	char dir[96];

	snprintf(h->path, sizeof(h->path), "/tmp/pgiam-home-XXXXXX");
	assert_non_null(mkdtemp(h->path));
	snprintf(h->variable, sizeof(h->variable), "HOME=%s", h->path);
	for (size_t i = 0; i < sizeof(dirs) / sizeof(dirs[0]); i++) {
		snprintf(dir, sizeof(dir), "%s%s", h->path, dirs[i]);
		assert_int_equal(mkdir(dir, 0700), 0);
	}
}

/* name: below .aws */
static inline void home_write(const struct home *h, const char *name, const char *text)
{
	char path[200];
	FILE *file;

	snprintf(path, sizeof(path), "%s/.aws/%s", h->path, name);
	file = fopen(path, "w");
	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
}

/* With all that is in it. */
static inline void home_remove(const struct home *h)
{
	char command[100];

	snprintf(command, sizeof(command), "rm -r %s", h->path);
	assert_int_equal(system(command), 0);
}

#endif
