/* Facts go into the detail; the hint lists causes in the order of how often each is behind a refusal. */
#include "aws/source_explain.h"

#include <stdio.h>
#include "aws/date.h"
#include "aws/endpoint.h"
#include "aws/token.h"
#include "aws/token_host.h"
#include "base/buf.h"
#include "base/enc.h"

#define TEXT_MAX 512

static void add_detail(const struct secret_request *rq, enum aws_token token, const char *region,
		       const struct credentials *creds, int64_t now_us, struct err *e)
{
	char mask[CREDENTIALS_MASK_SIZE], clock[DATE_RFC3339_SIZE], span[DATE_SPAN_SIZE];
	bool alive = credentials_valid_at(creds, now_us);
	struct buf user;

	credentials_mask(creds, mask);
	date_format_rfc3339(now_us, clock);
	date_format_span(creds->expires_wall_us - now_us, span);
	buf_init(&user, 256);
	enc_printable(&user, slice_str(rq->user), 128);
	if (token == AWS_TOKEN_DSQL)
		err_detail(e, "The token was signed for %s in %s, action %s, with %s key %s.", rq->host,
			   region, token_dsql_action(rq->user), creds->provider, mask);
	else
		err_detail(e, "The token was signed for %s:%u in %s as \"%s\" with %s key %s.", rq->host,
			   rq->port, region, buf_cstr(&user), creds->provider, mask);
	if (creds->expires_wall_us == 0)
		err_detail(e, "The credentials have no known expiry; this machine's clock shows %s.", clock);
	else
		err_detail(e, "The credentials %s %s%s; this machine's clock shows %s.",
			   alive ? "expire in" : "expired", span, alive ? "" : " ago", clock);
	buf_free(&user);
}

/* What can be seen from here to be wrong, or nearly. */
static void add_findings(const struct secret_request *rq, const char *region, const struct credentials *creds,
			 struct err *e)
{
	const struct endpoint host = endpoint_parse(rq->host);
	char text[TEXT_MAX];
	unsigned step = 0;

	if (host.region[0] && strcmp(host.region, region) != 0)
		err_detail(e, "The host name says %s: region= is probably wrong.", host.region);
	if (strncmp(creds->access_key, "ASIA", 4) == 0 && !secret_is_set(&creds->session_token))
		err_detail(e, "An ASIA key is temporary and needs its session token, which is not set.");
	while (token_host_warning(rq->host, &step, text, sizeof(text)))
		err_detail(e, "Note: %s.", text);
}

static void add_likely(struct buf *b, const struct secret_request *rq, const char *region,
		       const struct credentials *creds)
{
	const char *policy = endpoint_kind_policy(endpoint_parse(rq->host).kind);

	buf_add_str(b, "Likely causes, in order: this machine's clock is off; the credentials expired or "
		       "were revoked; "
		       "host, port, region or user are not the database's own; the role lacks rds_iam; no "
		       "IAM policy "
		       "allows rds-db:connect on ");
	buf_printf(b, "arn:%s:rds-db:%s:%s:dbuser:RESOURCE-ID/", endpoint_partition(region), region,
		   creds->account_id ? creds->account_id : "ACCOUNT");
	enc_printable(b, slice_str(rq->user), 64);
	if (policy)
		buf_printf(b, " (RESOURCE-ID: %s)", policy);
	buf_add_char(b, '.');
}

static void add_likely_dsql(struct buf *b, const struct secret_request *rq, const char *region,
			    const struct credentials *creds)
{
	const char *action = token_dsql_action(rq->user);

	buf_add_str(b, "Likely causes, in order: this machine's clock is off; the credentials expired or "
		       "were revoked; ");
	buf_printf(b, "no IAM policy allows dsql:%s on arn:%s:dsql:%s:%s:cluster/%.*s", action,
		   endpoint_partition(region), region, creds->account_id ? creds->account_id : "ACCOUNT",
		   (int)strcspn(rq->host, "."), rq->host);
	if (strcmp(rq->user, "admin") != 0) {
		buf_add_str(b, "; the database has no such role, or it was not granted: AWS IAM GRANT ");
		enc_printable(b, slice_str(rq->user), 64);
		buf_add_str(b, " TO the IAM role's ARN");
	}
	buf_add_char(b, '.');
}

void source_explain_refusal(const struct secret_request *rq, enum aws_token token, const char *region,
			    const struct credentials *creds, int64_t now_wall_us, struct err *e)
{
	struct buf hint;

	add_detail(rq, token, region, creds, now_wall_us, e);
	add_findings(rq, region, creds, e);
	buf_init(&hint, TEXT_MAX);
	if (token == AWS_TOKEN_DSQL)
		add_likely_dsql(&hint, rq, region, creds);
	else
		add_likely(&hint, rq, region, creds);
	err_hint(e, "%s", buf_cstr(&hint));
	buf_free(&hint);
}
