/* Whether trying again can help. Spec: SDK reference guide, "Retry behavior"; botocore retries/standard.py.
 */
#ifndef PGIAM_AWS_CALL_VERDICT_H
#define PGIAM_AWS_CALL_VERDICT_H

#include "aws/provider.h"
#include "http/http_client.h"

enum call_verdict {
	CALL_VERDICT_DONE,
	CALL_VERDICT_TRANSIENT, /* again soon */
	CALL_VERDICT_THROTTLED, /* again later */
	CALL_VERDICT_CLOCK,     /* again, if the clock was wrong and is corrected meanwhile */
	CALL_VERDICT_FINAL,
};

/* code: the service's error code, or "". Pure. */
enum call_verdict call_verdict_of(enum http_fault fault, int status, const char *code);

/* The same for counters. Pure. */
enum provider_cause call_verdict_cause(enum call_verdict v, enum http_fault fault);

/* Retry-After in seconds or as a date, x-amz-retry-after in milliseconds: how long from now_wall_us, 0 if
 * neither says. At most an hour. Pure. */
uint64_t call_verdict_retry_after_us(const struct http_reply *r, int64_t now_wall_us);

#endif
