/* Explicit, then the host's own, then the environment's; no fallback to some default region, because a token
 * for the wrong region is refused with a message that names no cause. */
#include <stdio.h>
#include "aws/aws.h"
#include "aws/endpoint.h"
#include "aws/env.h"

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
		return -1;
	}
	if (!fallback)
		return err_set(e, ERR_REGION,
			       "no AWS region: the host name has none, and AWS_REGION is not set");
	return choose(out, name, fallback, e);
}
