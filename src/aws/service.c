/* One row a service, one row a partition: what the rule sets come to for the few services used here. */
#include "aws/service.h"

#include <stdio.h>
#include <string.h>
#include "aws/endpoint.h"
#include "aws/env.h"
#include "aws/url.h"

#define SETTING(name) {name, "endpoint_url of " name}

static const struct {
	const char *host; /* before the region; of those that are signed for also the name to sign */
	const char *host_fips;
	const char *env;     /* AWS_ENDPOINT_URL_... */
	struct service_setting setting;
	bool dual_stack;     /* there are such names */
	bool gov_plain_fips; /* in GovCloud the plain name is the FIPS one */
} services[] = {
	[SERVICE_STS] = {"sts",                 "sts-fips",                 "AWS_ENDPOINT_URL_STS", SETTING("sts"),      true,  true },
	[SERVICE_SECRETS_MANAGER] = {"secretsmanager",      "secretsmanager-fips",
                         "AWS_ENDPOINT_URL_SECRETS_MANAGER", SETTING("secrets_manager"),                                             false, false},
	[SERVICE_REDSHIFT] = {"redshift",            "redshift-fips",            "AWS_ENDPOINT_URL_REDSHIFT", SETTING("redshift"), true,  true },
	[SERVICE_REDSHIFT_SERVERLESS] = {"redshift-serverless", "redshift-serverless-fips",
                         "AWS_ENDPOINT_URL_REDSHIFT_SERVERLESS", SETTING("redshift_serverless"),                                         true,  false},
	[SERVICE_SSO] = {"portal.sso",          "portal.sso-fips",          "AWS_ENDPOINT_URL_SSO", SETTING("sso"),      true,  false},
	[SERVICE_SSO_OIDC] = {"oidc",                "oidc-fips",                "AWS_ENDPOINT_URL_SSO_OIDC", SETTING("sso_oidc"), true,  false},
	[SERVICE_SIGNIN] = {"signin",              "signin-fips",              "AWS_ENDPOINT_URL_SIGNIN", SETTING("signin"),   true,  false},
};

static const struct {
	const char *partition, *suffix, *dual_suffix;
} suffixes[] = {
	{"aws",        "amazonaws.com",    "api.aws"                     },
	{"aws-cn",     "amazonaws.com.cn", "api.amazonwebservices.com.cn"},
	{"aws-us-gov", "amazonaws.com",    "api.aws"                     },
	{"aws-iso",    "c2s.ic.gov",       NULL                          },
	{"aws-iso-b",  "sc2s.sgov.gov",    NULL                          },
	{"aws-iso-e",  "cloud.adc-e.uk",   NULL                          },
	{"aws-iso-f",  "csp.hci.ic.gov",   NULL                          },
	{"aws-eusc",   "amazonaws.eu",     "api.amazonwebservices.eu"    },
};

/* The sign-in service has names of its own in these partitions, behind the region's; not its FIPS and dual-stack ones. */
static const struct {
	const char *partition, *suffix;
} signin[] = {
	{"aws",        "signin.aws.amazon.com"       },
	{"aws-cn",     "signin.amazonaws.cn"         },
	{"aws-us-gov", "signin.amazonaws-us-gov.com"},
};

/* Regions older than STS's regional endpoints: for them "legacy" means the global one. */
static const char *const legacy_regions[] = {
	"ap-northeast-1", "ap-south-1", "ap-southeast-1", "ap-southeast-2", "aws-global", "ca-central-1",
	"eu-central-1",   "eu-north-1", "eu-west-1",      "eu-west-2",      "eu-west-3",  "sa-east-1",
	"us-east-1",      "us-east-2",  "us-west-1",      "us-west-2",
};

/* The URL that stands in place of the usual one, and who says so; NULL: the usual one. */
static int override_of(const char *const *env, enum service_id id, const char *configured, const char **url,
		       const char **what, struct err *e)
{
	const char *lost = env_get(env, SERVICE_SECTION_LOST);

	*url = NULL;
	if (env_is_true(env, "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS"))
		return 0;
	*url = env_get(env, *what = services[id].env);
	if (!*url)
		*url = env_get(env, *what = "AWS_ENDPOINT_URL");
	if (*url)
		return 0;
	*what = "endpoint_url of the profile";
	*url = configured;
	if (!*url && lost)
		return err_set(e, ERR_CREDENTIALS,
			       "services of the AWS profile names \"%.100s\", and there is no such [services] section", lost);
	if (!*url)
		*url = env_get(env, services[id].setting.variable);
	return 0;
}

/* The replies hold credentials: only on this machine may they come in the clear. */
static int place_override(const char *url, const char *what, struct service_place *out, struct err *e)
{
	struct url u;
	size_t n = strlen(url);

	if (url_parse(url, what, &u, e) != 0)
		return -1;
	if (!u.https && !url_is_loopback(&u))
		return err_set(e, ERR_CREDENTIALS, "%s is http:// and not on this machine; use https://",
			       what);
	while (n > 0 && url[n - 1] == '/')
		n--;
	if (n + 1 >= sizeof(out->url) || strchr(u.path, '?'))
		return err_set(e, ERR_CREDENTIALS, "%s is too long, or has a query", what);
	snprintf(out->url, sizeof(out->url), "%.*s/", (int)n, url);
	out->cleartext = !u.https;
	return 0;
}

static bool wants_global_sts(const char *const *env, const char *region)
{
	const char *mode = env_get(env, "AWS_STS_REGIONAL_ENDPOINTS");

	if (!mode || strcmp(mode, "legacy") != 0)
		return false;
	for (size_t i = 0; i < sizeof(legacy_regions) / sizeof(legacy_regions[0]); i++) {
		if (strcmp(region, legacy_regions[i]) == 0)
			return true;
	}
	return false;
}

static bool place_signin(const char *partition, const char *region, struct service_place *out)
{
	for (size_t i = 0; i < sizeof(signin) / sizeof(signin[0]); i++) {
		if (strcmp(signin[i].partition, partition) == 0) {
			snprintf(out->url, sizeof(out->url), "https://%s.%s/", region, signin[i].suffix);
			return true;
		}
	}
	return false;
}

static int place_usual(const char *const *env, enum service_id id, const char *region,
		       struct service_place *out, struct err *e)
{
	bool fips = env_is_true(env, "AWS_USE_FIPS_ENDPOINT");
	bool dual = services[id].dual_stack && env_is_true(env, "AWS_USE_DUALSTACK_ENDPOINT");
	const char *partition = endpoint_partition(region), *host = services[id].host;

	if (id == SERVICE_STS && !fips && !dual && wants_global_sts(env, region)) {
		snprintf(out->url, sizeof(out->url), "https://sts.amazonaws.com/");
		snprintf(out->region, sizeof(out->region), "us-east-1");
		return 0;
	}
	if (id == SERVICE_SIGNIN && !fips && !dual && place_signin(partition, region, out))
		return 0;
	if (fips && !(services[id].gov_plain_fips && strcmp(partition, "aws-us-gov") == 0))
		host = services[id].host_fips;
	for (size_t i = 0; i < sizeof(suffixes) / sizeof(suffixes[0]); i++) {
		const char *suffix = dual ? suffixes[i].dual_suffix : suffixes[i].suffix;

		if (strcmp(suffixes[i].partition, partition) != 0)
			continue;
		if (!suffix)
			break;
		snprintf(out->url, sizeof(out->url), "https://%s.%s.%s/", host, region, suffix);
		return 0;
	}
	return err_set(e, ERR_CREDENTIALS,
		       "AWS_USE_DUALSTACK_ENDPOINT: region %s has no dual-stack endpoints", region);
}

int service_find(const char *const *env, enum service_id id, const char *region, const char *configured,
		 struct service_place *out, struct err *e)
{
	const char *what = NULL, *url;

	memset(out, 0, sizeof(*out));
	if (!endpoint_region_ok(region))
		return err_set(e, ERR_REGION, "\"%s\" has not the form of a region name", region);
	snprintf(out->region, sizeof(out->region), "%s", region);
	out->service = services[id].host;
	if (override_of(env, id, configured, &url, &what, e) != 0)
		return -1;
	if (url)
		return place_override(url, what, out, e);
	return place_usual(env, id, region, out, e);
}

int service_region(const char *const *env, const char **region, struct err *e)
{
	const char *name = "AWS_REGION";

	*region = env_get(env, name);
	if (!*region)
		*region = env_get(env, name = "AWS_DEFAULT_REGION");
	if (*region && !endpoint_region_ok(*region))
		return err_set(e, ERR_REGION, "%s has not the form of a region name", name);
	return 0;
}

const char *service_region_else(const char *const *env, const char *own)
{
	const char *region = NULL;

	return service_region(env, &region, NULL) == 0 && !region ? own : NULL;
}

struct service_setting service_setting(enum service_id id)
{
	return services[id].setting;
}
