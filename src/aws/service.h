/* Where the services of AWS are: host names by region, partition, FIPS and dual-stack, and the settings that
 * put another URL in their place. Spec: botocore's endpoint rule sets; SDK reference guide,
 * "Service-specific endpoints". Pure. */
#ifndef PGIAM_AWS_SERVICE_H
#define PGIAM_AWS_SERVICE_H

#include <stdbool.h>
#include "base/err.h"

enum service_id {
	SERVICE_STS,
	SERVICE_SECRETS_MANAGER,
	SERVICE_REDSHIFT,
	SERVICE_REDSHIFT_SERVERLESS,
	SERVICE_SSO,
	SERVICE_SSO_OIDC,
	SERVICE_SIGNIN,
	SERVICE_COUNT
};

#define SERVICE_URL_SIZE 512

struct service_place {
	char url[SERVICE_URL_SIZE]; /* "https://sts.eu-west-1.amazonaws.com/": ends in a slash, a path may
				       follow */
	char region[64];            /* to sign for: the asked one, but for STS's global endpoint */
	const char *service;        /* to sign for; literal */
	bool cleartext;             /* http://, which only an override on loopback may be */
};

/* The URL of a service in a region. configured is the profile's endpoint_url for this service, or NULL: what
 * the environment says goes before it, what the profile AWS_PROFILE says (settings.h) behind. ERR_CREDENTIALS. */
int service_find(const char *const *env, enum service_id id, const char *region, const char *configured,
		 struct service_place *out, struct err *e);

/* Where a profile names a service, and the name under which its endpoint_url stands in an environment (settings.h). */
struct service_setting {
	const char *service;  /* "sso_oidc" */
	const char *variable; /* "endpoint_url of sso_oidc": no environment has it */
};
struct service_setting service_setting(enum service_id id);

/* Stands in the same way for the section that `services` names and that is not there: where nothing else says where a service
 * is, it cannot be found. botocore does the same. */
#define SERVICE_SECTION_LOST "lost services"

/* The region of the environment, AWS_REGION before AWS_DEFAULT_REGION, or NULL. ERR_REGION if it has not the
 * form of one. */
int service_region(const char *const *env, const char **region, struct err *e);

/* For who has a region of its own (or NULL): that, where the environment names none; else NULL, which has sts_start take
 * the environment's, and tell what is wrong with it. */
const char *service_region_else(const char *const *env, const char *own);

#endif
