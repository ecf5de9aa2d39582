/* Explicit, then the host's own, then the environment's, then the profile's; no fallback to some default region,
 * because a token for the wrong region is refused with a message that names no cause. */
#include <stdio.h>
#include "aws/aws.h"
#include "aws/endpoint.h"
#include "aws/env.h"
#include "aws/profile_load.h"

static void warn(char warning[256], const char *text, const char *a, const char *b)
{
	if (warning)
		snprintf(warning, 256, text, a, b);
}

static int choose(char out[64], const char *where, const char *region, struct err *e)
{
	if (!endpoint_region_ok(region)) {
		err_set(e, ERR_REGION, "%s has not the form of a region name", where);
		err_hint(e, "A region is written like us-east-1.");
		return -1;
	}
	snprintf(out, ENDPOINT_REGION_SIZE, "%s", region);
	return 0;
}

int aws_region(const char *explicit_region, const char *host, const char *const *env, char out[64],
	       char warning[256], struct err *e)
{
	struct endpoint ep = endpoint_parse(host);
	const char *name = "AWS_REGION", *fallback = env_get(env, name);

	if (warning)
		warning[0] = '\0';
	if (!fallback) {
		name = "AWS_DEFAULT_REGION";
		fallback = env_get(env, name);
	}
	if (explicit_region && *explicit_region) {
		if (ep.region[0] && strcmp(ep.region, explicit_region) != 0)
			warn(warning, "the host name says region %s, signing for %s as asked", ep.region,
			     explicit_region);
		return choose(out, "region", explicit_region, e);
	}
	if (ep.region[0]) {
		if (fallback && strcmp(ep.region, fallback) != 0)
			warn(warning, "signing for region %s of the host name; the environment says %s",
			     ep.region, fallback);
		return choose(out, "the host name's region", ep.region, e);
	}
	if (!fallback && ep.kind == ENDPOINT_AURORA_GLOBAL) {
		err_set(e, ERR_REGION, "a global database's endpoint does not tell the region");
		err_hint(e, "Set region= to the region of the primary cluster.");
		return 1;
	}
	if (!fallback) {
		err_set(e, ERR_REGION, "no AWS region: the host name has none, and AWS_REGION is not set");
		return 1;
	}
	return choose(out, name, fallback, e);
}

int aws_region_find(const struct aws_region_from *from, char out[64], char warning[256], struct err *e)
{
	bool forbidden = env_is_true(from->env, "AWS_EC2_METADATA_DISABLED");
	struct err why;
	int rc = aws_region(from->named, from->host, from->env, out, warning, e);

	if (rc <= 0)
		return rc;
	rc = profile_load_region(from->env, from->profile, out, &why);
	if (rc < 0 && e)
		*e = why;
	if (rc <= 0)
		return rc;
	if (endpoint_parse(from->host).kind == ENDPOINT_AURORA_GLOBAL)
		return -1; /* e says it all */
	err_set(e, ERR_REGION, "no AWS region: the host name has none, AWS_REGION is not set, and %s%s", why.msg,
		forbidden ? "; AWS_EC2_METADATA_DISABLED forbids to ask the instance" : "");
	return forbidden ? -1 : 1;
}
