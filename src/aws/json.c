/* cJSON's memory functions are set at every parse: they are its globals, and who else in the process might
 * set others is not known. Only the control loop parses, so nothing races.
 *
 * A string with \u0000 in it would be seen cut by everybody who looks at it as a C string, so no text with
 * one is taken. */
#include "aws/json.h"

#include <assert.h>
#include <math.h>
#include <string.h>
#include <cjson/cJSON.h>
#include "aws/date.h"
#include "base/enc.h"
#include "base/mem_hooks.h"

#define SEC_MAX 253402300799.0 /* 9999-12-31T23:59:59Z */

static bool has_nul(struct slice text)
{
	for (size_t i = 0; i < text.n; i++) {
		if (text.p[i] == '\0')
			return true;
		if (text.p[i] == '\\') {
			if (text.n - i >= 6 && memcmp(text.p + i, "\\u0000", 6) == 0)
				return true;
			i++; /* what is escaped, a backslash perhaps */
		}
	}
	return false;
}

static void use_hooks(void)
{
	cJSON_Hooks hooks = {.malloc_fn = mem_hooks_malloc, .free_fn = mem_hooks_free};

	cJSON_InitHooks(&hooks);
}

struct json *json_parse(struct slice text)
{
	const char *end = NULL;
	cJSON *j;

	if (text.n == 0 || has_nul(text))
		return NULL;
	use_hooks();
	j = cJSON_ParseWithLengthOpts((const char *)text.p, text.n, &end, false);
	if (!j)
		return NULL;
	while (end < (const char *)text.p + text.n && strchr(" \t\r\n", *end))
		end++;
	if (cJSON_IsObject(j) && end == (const char *)text.p + text.n)
		return (struct json *)j;
	cJSON_Delete(j);
	return NULL;
}

void json_free(struct json *j)
{
	cJSON_Delete((cJSON *)j);
}

/* The member of that name, or NULL. */
static cJSON *step(const cJSON *at, const char *name, size_t n)
{
	char copy[64];

	if (!cJSON_IsObject(at) || n >= sizeof(copy))
		return NULL;
	memcpy(copy, name, n);
	copy[n] = '\0';
	return cJSON_GetObjectItemCaseSensitive(at, copy);
}

static const cJSON *find(const struct json *j, const char *path)
{
	const cJSON *at = (const cJSON *)j;

	while (at && *path) {
		size_t n = strcspn(path, "/");

		at = step(at, path, n);
		path += path[n] ? n + 1 : n;
	}
	return at;
}

struct slice json_string(const struct json *j, const char *path)
{
	const cJSON *it = find(j, path);

	return slice_str(cJSON_IsString(it) ? it->valuestring : NULL);
}

bool json_number(const struct json *j, const char *path, double *out)
{
	const cJSON *it = find(j, path);

	if (!cJSON_IsNumber(it))
		return false;
	*out = it->valuedouble;
	return true;
}

int json_time(const struct json *j, const char *path, enum json_unit unit, int64_t *wall_us)
{
	const cJSON *it = find(j, path);
	double sec;

	if (!it || cJSON_IsNull(it))
		return 1;
	if (cJSON_IsString(it))
		return date_parse_rfc3339(slice_str(it->valuestring), wall_us);
	if (!cJSON_IsNumber(it))
		return -1;
	sec = unit == JSON_MS ? it->valuedouble / 1000 : it->valuedouble;
	if (!isfinite(sec) || sec < 0 || sec > SEC_MAX)
		return -1;
	*wall_us = (int64_t)(sec * 1000000);
	return 0;
}

void json_set_string(struct json *j, const char *path, const char *value)
{
	cJSON *at = (cJSON *)j, *string;
	const char *name;

	for (name = strchr(path, '/'); name; name = strchr(path, '/')) {
		at = step(at, path, (size_t)(name - path));
		path = name + 1;
		assert(cJSON_IsObject(at));
	}
	use_hooks();
	string = cJSON_CreateString(value);
	if (cJSON_GetObjectItemCaseSensitive(at, path))
		cJSON_ReplaceItemInObjectCaseSensitive(at, path, string);
	else
		cJSON_AddItemToObject(at, path, string);
}

void json_print(const struct json *j, struct buf *out)
{
	char *text;

	use_hooks();
	text = cJSON_PrintUnformatted((const cJSON *)j);
	buf_add_str(out, text);
	cJSON_free(text);
}

void json_add_member(struct buf *out, const char *name, struct slice value)
{
	bool first = out->n == 0 || out->p[out->n - 1] == '{';

	buf_printf(out, "%s\"%s\":\"", first ? "" : ",", name);
	enc_json(out, value, out->max);
	buf_add_char(out, '"');
}
