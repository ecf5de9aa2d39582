/* Facts go into the detail; the hint lists causes in the order of how often each is behind a refusal. */
#include "aws/source_explain.h"

#include <string.h>
#include "aws/date.h"
#include "aws/endpoint.h"
#include "aws/token_host.h"
#include "aws/token_kind.h"
#include "base/buf.h"

#define TEXT_MAX 512

static void add_detail(const struct token_kind *kind, const struct token_request *rq, struct err *e)
{
	char mask[CREDENTIALS_MASK_SIZE], clock[DATE_RFC3339_SIZE], span[DATE_SPAN_SIZE];
	const struct credentials *creds = rq->creds;
	bool alive = credentials_valid_at(creds, rq->wall_us);
	struct buf text;

	credentials_mask(creds, mask);
	date_format_rfc3339(rq->wall_us, clock);
	date_format_span(creds->expires_wall_us - rq->wall_us, span);
	buf_init(&text, TEXT_MAX);
	kind->add_signed(rq, &text);
	err_detail(e, "The token was signed for %s with %s key %s.", buf_cstr(&text), creds->provider, mask);
	buf_free(&text);
	if (creds->expires_wall_us == 0)
		err_detail(e, "The credentials have no known expiry; this machine's clock shows %s.", clock);
	else
		err_detail(e, "The credentials %s %s%s; this machine's clock shows %s.",
			   alive ? "expire in" : "expired", span, alive ? "" : " ago", clock);
}

/* What can be seen from here to be wrong, or nearly. */
static void add_findings(const struct token_request *rq, struct err *e)
{
	const struct endpoint host = endpoint_parse(rq->host);
	char text[TEXT_MAX];
	unsigned step = 0;

	if (host.region[0] && strcmp(host.region, rq->region) != 0)
		err_detail(e, "The host name says %s: region= is probably wrong.", host.region);
	if (strncmp(rq->creds->access_key, "ASIA", 4) == 0 && !secret_is_set(&rq->creds->session_token))
		err_detail(e, "An ASIA key is temporary and needs its session token, which is not set.");
	while (token_host_warning(rq->host, &step, text, sizeof(text)))
		err_detail(e, "Note: %s.", text);
}

void source_explain_refusal(const struct secret_request *rq, enum aws_token token, const char *region,
			    const struct credentials *creds, int64_t now_wall_us, struct err *e)
{
	const struct token_kind *kind = token_kind_get(token);
	const struct token_request was = {.host = rq->host,
					  .port = rq->port,
					  .user = rq->user,
					  .region = region,
					  .creds = creds,
					  .wall_us = now_wall_us};
	struct buf hint;

	add_detail(kind, &was, e);
	add_findings(&was, e);
	buf_init(&hint, TEXT_MAX);
	buf_add_str(&hint, "Likely causes, in order: this machine's clock is off; the credentials expired or were revoked; ");
	kind->add_causes(&was, &hint);
	buf_add_char(&hint, '.');
	err_hint(e, "%s", buf_cstr(&hint));
	buf_free(&hint);
}
