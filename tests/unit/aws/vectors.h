/* tests/vectors/sigv4.json, for the tests that compare with it. */
#ifndef TESTS_UNIT_AWS_VECTORS_H
#define TESTS_UNIT_AWS_VECTORS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <cjson/cJSON.h>
#include "aws/credentials.h"
#include "aws/date.h"
#include "base/mem.h"

static inline cJSON *vectors_load(void)
{
	const char *srcdir = getenv("srcdir") ? getenv("srcdir") : ".";
	char *path = mem_printf("%s/tests/vectors/sigv4.json", srcdir);
	FILE *f = fopen(path, "rb");
	char *text = mem_zalloc(1 << 20);
	cJSON *root;

	if (!f)
		fail_msg("%s is not there", path);
	assert_true(fread(text, 1, (1 << 20) - 1, f) > 0);
	fclose(f);
	root = cJSON_Parse(text);
	assert_non_null(root);
	free(text);
	free(path);
	return root;
}

/* NULL for JSON null and for a name that is not there. */
static inline const char *vectors_str(const cJSON *item, const char *name)
{
	return cJSON_GetStringValue(cJSON_GetObjectItem(item, name));
}

static inline uint32_t vectors_uint(const cJSON *item, const char *name)
{
	const cJSON *n = cJSON_GetObjectItem(item, name);

	assert_true(cJSON_IsNumber(n));
	return (uint32_t)n->valuedouble;
}

static inline struct credentials *vectors_keys(const char *key, const char *secret, const char *token)
{
	struct credentials_parts parts = {
		.provider = "test",
		.access_key = slice_str(key),
		.secret_key = slice_str(secret),
		.session_token = slice_str(token),
	};
	struct credentials *c = credentials_new(&parts, NULL);

	assert_non_null(c);
	return c;
}

static inline struct credentials *vectors_credentials(const cJSON *item)
{
	const cJSON *c = cJSON_GetObjectItem(item, "credentials");

	return vectors_keys(vectors_str(c, "access_key_id"), vectors_str(c, "secret_access_key"),
			    vectors_str(c, "session_token"));
}

static inline int64_t vectors_time(const cJSON *item)
{
	int64_t us;

	assert_int_equal(date_parse_rfc3339(slice_str(vectors_str(item, "timestamp")), &us), 0);
	return us;
}

/* check for each item of the list, or of the list inner in that object (NULL: none). They are count: a name that is not there
 * would be a test of nothing. */
static inline void vectors_each(const char *name, const char *inner, int count, void (*check)(const cJSON *item))
{
	cJSON *root = vectors_load();
	cJSON *item, *list = cJSON_GetObjectItem(root, name);
	int n = 0;

	if (inner)
		list = cJSON_GetObjectItem(list, inner);
	cJSON_ArrayForEach(item, list)
	{
		check(item);
		n++;
	}
	assert_int_equal(n, count);
	cJSON_Delete(root);
}

#endif
