/* aws/profile_file and aws/profile_plan: any text as either file. What is found has a name and is told from what is wrong;
 * each line of a value is a part of the text. A plan has roles that can be asked for, and what is no plan says why. */
#include "config.h" /* for memmem */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "aws/profile_plan.h"

static void must(bool ok)
{
	if (!ok)
		abort();
}

/* Is each of its lines, and there is one, a part of the text? */
static bool is_of(const char *v, struct slice text)
{
	for (;;) {
		size_t n = strcspn(v, "\n");

		if (n == 0 || !memmem(text.p, text.n, v, n))
			return false;
		if (!v[n])
			return true;
		v += n + 1;
	}
}

static void look(const struct profile_file *f, const char *name, struct slice text)
{
	static const char *const keys[] = {"k", "s3.max", "role_arn", "sts.endpoint_url"};

	for (enum profile_file_kind kind = PROFILE_PROFILE; kind < PROFILE_KIND_COUNT; kind++) {
		const struct profile_section *p = profile_file_find(f, kind, name);
		struct err e = {.msg = ""};

		if (!p)
			continue;
		must(strcmp(profile_file_name(p), name) == 0);
		must((profile_file_check(p, &e) == 0) == (e.msg[0] == '\0'));
		for (size_t i = 0; i < sizeof(keys) / sizeof(*keys); i++) {
			const char *v = profile_file_get(p, keys[i]);

			must(!v || is_of(v, text));
		}
	}
}

static void plan(const struct profile_file *f, const char *name)
{
	struct profile_plan p;
	struct err e = {.msg = ""};

	if (profile_plan_make(f, name, true, &p, &e) != PROFILE_PLAN_MADE) {
		must(e.msg[0]);
		return;
	}
	must(p.base < PROFILE_PLAN_BASE_COUNT);
	must(p.role_count <= PROFILE_PLAN_ROLES_MAX);
	for (size_t i = 0; i < p.role_count; i++)
		must(p.roles[i].role_arn[0] && (p.roles[i].duration_sec == 0 || p.roles[i].duration_sec >= 900));
	(void)profile_plan_endpoint(f, p.profile, "sts");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct profile_file *f = profile_file_new();
	struct slice text = slice_of(data, size);
	struct err e;

	if (profile_file_add(f, PROFILE_CONFIG, "config", text, &e) == 0)
		(void)profile_file_add(f, PROFILE_CREDENTIALS, "credentials", text, &e);
	look(f, "default", text);
	look(f, "x", text);
	plan(f, "default");
	plan(f, "x");
	profile_file_free(f);
	return 0;
}
