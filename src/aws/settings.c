/* Everything that reads these variables sees the profile's settings so, and needs to know nothing of files. endpoint_url is
 * no such setting: a variable goes before that of the profile which asks, and this one behind it. So it gets a name that
 * no environment has (service_setting). */
#include "aws/settings.h"

#include <stdlib.h>
#include "aws/env.h"
#include "aws/profile_load.h"
#include "aws/profile_plan.h"
#include "aws/service.h"
#include "base/mem.h"

static const struct {
	const char *setting, *variable;
} table[] = {
	{"ca_bundle",                          "AWS_CA_BUNDLE"                         },
	{"ec2_metadata_service_endpoint",      "AWS_EC2_METADATA_SERVICE_ENDPOINT"     },
	{"ec2_metadata_service_endpoint_mode", "AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE"},
	{"ignore_configured_endpoint_urls",    "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS"   },
	{"max_attempts",                       "AWS_MAX_ATTEMPTS"                      },
	{"metadata_service_num_attempts",      "AWS_METADATA_SERVICE_NUM_ATTEMPTS"     },
	{"metadata_service_timeout",           "AWS_METADATA_SERVICE_TIMEOUT"          },
	{"sts_regional_endpoints",             "AWS_STS_REGIONAL_ENDPOINTS"            },
	{"use_dualstack_endpoint",             "AWS_USE_DUALSTACK_ENDPOINT"            },
	{"use_fips_endpoint",                  "AWS_USE_FIPS_ENDPOINT"                 },
};
#define SETTINGS (sizeof(table) / sizeof(table[0]))

/* An environment that grows. */
struct growing {
	const char **v; /* ends in NULL */
	size_t n;
};

static void add(struct growing *g, const char *name, const char *value)
{
	if (!value || env_get(g->v, name))
		return;
	g->v = mem_resize(g->v, (g->n + 2) * sizeof(*g->v));
	g->v[g->n++] = mem_printf("%s=%s", name, value);
	g->v[g->n] = NULL;
}

static void add_endpoints(struct growing *g, const struct profile_file *f, const struct profile_section *p)
{
	add(g, SERVICE_SECTION_LOST, profile_plan_services_lost(f, p));
	for (enum service_id id = 0; id < SERVICE_COUNT; id++) {
		struct service_setting s = service_setting(id);

		add(g, s.variable, profile_plan_endpoint(f, p, s.service));
	}
}

const char *const *settings_env(const char *const *env)
{
	const char *name = profile_load_name(env, NULL);
	struct profile_file *f = profile_file_new();
	const struct profile_section *p = NULL;
	union {
		const char *const *in;
		const char **own; /* env_copy allocated it */
	} copy = {env_copy(env)};
	struct growing g = {copy.own, 0};

	while (g.v[g.n])
		g.n++;
	if (profile_load(env, name != NULL, f, NULL) == 0)
		p = profile_file_find(f, PROFILE_PROFILE, name ? name : "default");
	if (p && profile_file_check(p, NULL) == 0) {
		for (size_t i = 0; i < SETTINGS; i++)
			add(&g, table[i].variable, profile_file_get(p, table[i].setting));
		add_endpoints(&g, f, p);
	}
	profile_file_free(f);
	return g.v;
}
