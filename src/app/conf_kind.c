#include "app/conf_kind.h"

#include "aws/endpoint.h"

enum profile_kind conf_kind_of_host(const char *host)
{
	switch (endpoint_parse(host).kind) {
	case ENDPOINT_OTHER: break;
	case ENDPOINT_RDS_INSTANCE:
	case ENDPOINT_AURORA_WRITER:
	case ENDPOINT_AURORA_READER:
	case ENDPOINT_AURORA_CUSTOM:
	case ENDPOINT_AURORA_LIMITLESS:
	case ENDPOINT_AURORA_GLOBAL: return PROFILE_RDS;
	case ENDPOINT_RDS_PROXY: return PROFILE_RDS_PROXY;
	case ENDPOINT_DSQL: return PROFILE_DSQL;
	case ENDPOINT_REDSHIFT:
	case ENDPOINT_REDSHIFT_SERVERLESS: return PROFILE_REDSHIFT;
	}
	return PROFILE_POSTGRES;
}
