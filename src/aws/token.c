/* The text of a token keeps the host as it was given, the signature covers it in lower case, and without the
 * port where that is the port of https, 443: botocore does it, so what AWS verifies agrees with it. */
#include "aws/token.h"

#include <ctype.h>
#include <stdio.h>
#include "aws/endpoint.h"
#include "aws/sigv4.h"

#define HOST_MAX       255
#define HOST_PORT_SIZE (HOST_MAX + 2 + 1 + 5 + 1) /* brackets, colon, port, NUL */

/* Only what can stand in a host name or an address literal: a '/', '?' or '@' would make another URL of it.
 */
static int check(const struct token_request *rq, struct err *e)
{
	size_t n = strlen(rq->host);

	if (n == 0 || n > HOST_MAX)
		return err_set(e, ERR_CONFIG, "the host to sign for is %s", n ? "too long" : "empty");
	for (size_t i = 0; i < n; i++) {
		if (!isalnum((unsigned char)rq->host[i]) && !strchr("-._:[]", rq->host[i]))
			return err_set(e, ERR_CONFIG,
				       "the host to sign for has a character no host name has");
	}
	if (!endpoint_region_ok(rq->region))
		return err_set(e, ERR_REGION, "what is given as region has not the form of a region name");
	return 0;
}

/* Appends host[:port], an IPv6 address in brackets. */
static void host_text(char out[HOST_PORT_SIZE], const char *host, unsigned port)
{
	bool bare6 = strchr(host, ':') && host[0] != '[';
	int n = snprintf(out, HOST_PORT_SIZE, "%s%s%s", bare6 ? "[" : "", host, bare6 ? "]" : "");

	if (port)
		snprintf(out + n, HOST_PORT_SIZE - (size_t)n, ":%u", port);
}

/* What a service wants signed. */
struct service {
	const char *name;
	unsigned port; /* 0: none */
	const struct sigv4_pair *pairs;
	size_t pair_count;
};

static int mint(const struct token_request *rq, const struct service *service, struct buf *out, struct err *e)
{
	struct sigv4_signer signer = {rq->creds, rq->region, service->name, rq->wall_us};
	char text[HOST_PORT_SIZE], canonical[HOST_PORT_SIZE];
	struct sigv4_presign presign = {
		.host = canonical,
		.expires_sec = rq->expires_sec ? rq->expires_sec : TOKEN_LIFE_SEC,
		.pairs = service->pairs,
		.pair_count = service->pair_count,
	};

	if (check(rq, e) != 0)
		return -1;
	host_text(text, rq->host, service->port);
	host_text(canonical, rq->host, service->port == 443 ? 0 : service->port);
	for (char *p = canonical; *p; p++)
		*p = (char)tolower((unsigned char)*p);
	buf_add_str(out, text);
	buf_add_str(out, "/?");
	return sigv4_presign(&signer, &presign, out, e);
}

int token_rds(const struct token_request *rq, struct buf *out, struct err *e)
{
	const struct sigv4_pair pairs[] = {
		{slice_str("Action"), slice_str("connect")},
		{slice_str("DBUser"), slice_str(rq->user) },
	};
	const struct service rds = {"rds-db", rq->port, pairs, sizeof(pairs) / sizeof(pairs[0])};

	return mint(rq, &rds, out, e);
}

const char *token_dsql_action(const char *user)
{
	return strcmp(user, "admin") == 0 ? "DbConnectAdmin" : "DbConnect";
}

int token_dsql(const struct token_request *rq, struct buf *out, struct err *e)
{
	const struct sigv4_pair pairs[] = {
		{slice_str("Action"), slice_str(token_dsql_action(rq->user))}
        };
	const struct service dsql = {"dsql", 0, pairs, sizeof(pairs) / sizeof(pairs[0])};

	return mint(rq, &dsql, out, e);
}
