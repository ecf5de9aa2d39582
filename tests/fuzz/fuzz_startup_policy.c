/* proxy/startup_policy: the parameters of any startup packet, for every kind of server: what goes there is what it takes,
 * what is to be ignored does not, nor does application_name unless options set it, and a database's own defaults give way to
 * what the client says. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include "pg/startup.h"
#include "proxy/startup_policy.h"

#define MAX_BYTES (1u << 16)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool ok)
{
	if (!ok)
		abort();
}

static bool listed(const char *const *list, const char *name)
{
	for (; *list; list++)
		if (strcasecmp(*list, name) == 0)
			return true;
	return false;
}

static void judge(const struct profile *p, const struct params *client, const char *const *ignore)
{
	struct params defaults, out;
	struct err e;

	params_init(&defaults);
	params_init(&out);
	params_set(&defaults, slice_str("TimeZone"), slice_str("UTC"));
	if (startup_policy(p, client, &defaults, ignore, &out, &e) != 0) {
		must(out.n == 0 && e.code != ERR_NONE && e.msg[0]);
	} else {
		must(params_get(&out, "TimeZone") != NULL);
		for (size_t i = 0; i < out.n; i++) {
			const char *name = out.v[i].name;

			must(!listed(ignore, name));
			must(strcasecmp(name, "application_name") != 0 || (!p->options && params_get(client, "options")));
			must(p->options || strcasecmp(name, "options") != 0);
			must(!p->startup || listed(p->startup, name) || strcasecmp(name, "TimeZone") == 0);
		}
	}
	params_free(&defaults);
	params_free(&out);
}

/* The input is what follows a packet's length and version. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const ignore[] = {"extra_float_digits", NULL};
	unsigned char head[8] = {0, 0, (unsigned char)((size + 8) >> 8), (unsigned char)(size + 8), 0, 3, 0, 0};
	struct startup s;
	struct buf b;
	struct err e;

	if (size > MAX_BYTES - sizeof(head))
		return 0;
	buf_init(&b, MAX_BYTES);
	buf_add(&b, head, sizeof(head));
	buf_add(&b, data, size);
	if (startup_parse(buf_slice(&b), &s, &e) == 0)
		for (int k = 0; k < PROFILE_COUNT; k++)
			judge(profile_get((enum profile_kind)k), &s.params, ignore);
	startup_free(&s);
	buf_free(&b);
	return 0;
}
