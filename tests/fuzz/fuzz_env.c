/* An environment, variables parted by a byte of value 1: what the environment provider makes of it, and what
 * is then said and signed. No control character may get from it into a token or a message. */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include "aws/env.h"
#include "aws/provider.h"
#include "aws/source_explain.h"
#include "aws/token.h"
#include "base/mem.h"

#define VARS_MAX 32

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_printable(struct slice s)
{
	for (size_t i = 0; i < s.n; i++)
		assert(s.p[i] >= ' ' && s.p[i] <= '~');
}

static void use(struct credentials *creds, const char *host, enum aws_token kind)
{
	const struct secret_request rq = {host, 5432, "u"};
	struct token_request t = {
		.host = rq.host, .port = rq.port, .user = rq.user, .region = "us-east-1", .creds = creds};
	struct buf token;
	struct err e;

	buf_init_secret(&token, TOKEN_MAX);
	if ((kind == AWS_TOKEN_DSQL ? token_dsql : token_rds)(&t, &token, &e) == 0)
		check_printable(buf_slice(&token));
	buf_free(&token);
	err_set(&e, ERR_AUTH_IAM, "refused");
	source_explain_refusal(&rq, kind, "us-east-1", creds, creds->expires_wall_us, &e);
	check_printable(slice_str(e.detail));
	check_printable(slice_str(e.hint));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = mem_strndup((const char *)data, size);
	const char *vars[VARS_MAX + 1] = {NULL};
	size_t n = 0;
	struct credentials *creds;
	const char *const *env;
	struct err e;

	for (char *p = text; p && n < VARS_MAX;) {
		char *end = strchr(p, '\x01'); /* so that values can hold newlines */

		vars[n++] = p;
		if (end)
			*end++ = '\0';
		p = end;
	}
	env = env_copy(vars);
	if (provider_env_read(env, &creds, &e) == 0 && creds) {
		use(creds, "a.b.us-east-1.rds.amazonaws.com", AWS_TOKEN_RDS);
		use(creds, "abcdefghij.dsql.us-east-1.on.aws", AWS_TOKEN_DSQL);
	} else {
		check_printable(slice_str(e.msg));
	}
	credentials_unref(creds);
	env_free(env);
	free(text);
	return 0;
}
