/* A host name: what endpoint, host rules and tokens make of it. A name taken for an endpoint must end as
 * AWS's do. */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <strings.h>
#include "aws/aws.h"
#include "aws/credentials.h"
#include "aws/endpoint.h"
#include "aws/token.h"
#include "aws/token_host.h"
#include "base/mem.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool ends_with(const char *s, size_t n, const char *tail)
{
	size_t t = strlen(tail);

	return n >= t && strncasecmp(s + n - t, tail, t) == 0;
}

static void check_suffix(const char *host)
{
	static const char *const tails[] = {
		".amazonaws.com", ".amazonaws.com.cn", ".amazonaws.eu",   ".amazonaws.au",   ".amazonaws.uk",
		".c2s.ic.gov",    ".sc2s.sgov.gov",    ".cloud.adc-e.uk", ".csp.hci.ic.gov", ".on.aws"};
	size_t n = strlen(host);
	bool any = false;

	if (n > 0 && host[n - 1] == '.')
		n--;
	for (size_t i = 0; i < sizeof(tails) / sizeof(tails[0]); i++)
		any = any || ends_with(host, n, tails[i]);
	assert(any);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const env[] = {"AWS_REGION=us-east-1", NULL};
	const struct credentials_parts parts = {
		.provider = "fuzz", .access_key = slice_str("a"), .secret_key = slice_str("b")};
	struct credentials *creds = credentials_new(&parts, NULL);
	char *host = mem_strndup((const char *)data, size);
	struct token_request rq = {.host = host, .port = 5432, .user = host, .region = NULL, .creds = creds};
	struct endpoint ep = endpoint_parse(host);
	char region[64], warning[256], text[100], normal[TOKEN_HOST_SIZE];
	unsigned step = 0;
	struct buf token;
	struct err e;

	if (ep.kind != ENDPOINT_OTHER)
		check_suffix(host);
	if (ep.region[0])
		assert(endpoint_region_ok(ep.region));
	while (token_host_warning(host, &step, text, sizeof(text)))
		;
	token_host_normalize(host, normal, &e);
	buf_init_secret(&token, TOKEN_MAX);
	if (aws_region(NULL, host, env, region, warning, &e) == 0) {
		rq.region = region;
		token_rds(&rq, &token, &e);
	}
	buf_free(&token);
	free(host);
	credentials_unref(creds);
	return 0;
}
