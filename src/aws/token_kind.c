#include "aws/token_kind.h"

#include <string.h>
#include "base/enc.h"

static const char *account(const struct token_request *rq)
{
	return rq->creds->account_id ? rq->creds->account_id : "ACCOUNT";
}

/* ---- RDS: instances, Aurora, RDS Proxy ---- */

static void rds_signed(const struct token_request *rq, struct buf *out)
{
	buf_printf(out, "%s:%u in %s as \"", rq->host, rq->port, rq->region);
	enc_printable(out, slice_str(rq->user), 128);
	buf_add_str(out, "\"");
}

static void rds_causes(const struct token_request *rq, struct buf *out)
{
	const char *policy = endpoint_kind_policy(endpoint_parse(rq->host).kind);

	buf_printf(out,
		   "host, port, region or user are not the database's own; the role lacks rds_iam; no IAM policy "
		   "allows rds-db:connect on arn:%s:rds-db:%s:%s:dbuser:RESOURCE-ID/",
		   endpoint_partition(rq->region), rq->region, account(rq));
	enc_printable(out, slice_str(rq->user), 64);
	if (policy)
		buf_printf(out, " (RESOURCE-ID: %s)", policy);
}

/* ---- Aurora DSQL ---- */

static bool is_dsql(enum endpoint_kind kind)
{
	return kind == ENDPOINT_DSQL;
}

static void dsql_signed(const struct token_request *rq, struct buf *out)
{
	buf_printf(out, "%s in %s, action %s,", rq->host, rq->region, token_dsql_action(rq->user));
}

static void dsql_causes(const struct token_request *rq, struct buf *out)
{
	buf_printf(out, "no IAM policy allows dsql:%s on arn:%s:dsql:%s:%s:cluster/%.*s", token_dsql_action(rq->user),
		   endpoint_partition(rq->region), rq->region, account(rq), (int)strcspn(rq->host, "."), rq->host);
	if (strcmp(rq->user, "admin") == 0)
		return;
	buf_add_str(out, "; the database has no such role, or it was not granted: AWS IAM GRANT ");
	enc_printable(out, slice_str(rq->user), 64);
	buf_add_str(out, " TO the IAM role's ARN");
}

/* ---- the table ---- */

static const struct token_kind kinds[] = {
	[AWS_TOKEN_RDS] = {.auth = "iam",
			   .server = "RDS",
			   .example = "mydb.abc123.us-east-1.rds.amazonaws.com",
			   .is_taken_by = endpoint_is_rds,
			   .mint = token_rds,
			   .add_signed = rds_signed,
			   .add_causes = rds_causes},
	[AWS_TOKEN_DSQL] = {.auth = "dsql",
			    .server = "Aurora DSQL",
			    .example = "abcdefghij.dsql.us-east-1.on.aws",
			    .is_taken_by = is_dsql,
			    .mint = token_dsql,
			    .add_signed = dsql_signed,
			    .add_causes = dsql_causes},
};

const struct token_kind *token_kind_get(enum aws_token token)
{
	return &kinds[token];
}

bool token_kind_of_host(const char *host, enum aws_token *out)
{
	enum endpoint_kind kind = endpoint_parse(host).kind;

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		if (kinds[i].is_taken_by(kind)) {
			*out = (enum aws_token)i;
			return true;
		}
	}
	return false;
}
