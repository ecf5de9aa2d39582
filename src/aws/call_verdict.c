#include "aws/call_verdict.h"

#include <string.h>
#include "aws/date.h"
#include "base/rd.h"

#define RETRY_AFTER_MAX_US (UINT64_C(3600) * 1000000)

static const struct {
	const char *code;
	enum call_verdict verdict;
} codes[] = {
	{"RequestTimeout",                         CALL_VERDICT_TRANSIENT},
	{"RequestTimeoutException",                CALL_VERDICT_TRANSIENT},
	{"InternalError",			  CALL_VERDICT_TRANSIENT},
	{"InternalFailure",                        CALL_VERDICT_TRANSIENT},
	{"InternalServiceError",                   CALL_VERDICT_TRANSIENT},
	{"ServiceUnavailable",                     CALL_VERDICT_TRANSIENT},
	{"IDPCommunicationError",                  CALL_VERDICT_TRANSIENT},
	{"InvalidIdentityToken",                   CALL_VERDICT_TRANSIENT}, /* while the identity provider's keys rotate */
	{"Throttling",			     CALL_VERDICT_THROTTLED},
	{"ThrottlingException",                    CALL_VERDICT_THROTTLED},
	{"ThrottledException",                     CALL_VERDICT_THROTTLED},
	{"RequestThrottled",                       CALL_VERDICT_THROTTLED},
	{"RequestThrottledException",              CALL_VERDICT_THROTTLED},
	{"TooManyRequestsException",               CALL_VERDICT_THROTTLED},
	{"ProvisionedThroughputExceededException", CALL_VERDICT_THROTTLED},
	{"RequestLimitExceeded",                   CALL_VERDICT_THROTTLED},
	{"BandwidthLimitExceeded",                 CALL_VERDICT_THROTTLED},
	{"LimitExceededException",                 CALL_VERDICT_THROTTLED},
	{"SlowDown",			       CALL_VERDICT_THROTTLED},
	{"PriorRequestNotComplete",                CALL_VERDICT_THROTTLED},
	{"TransactionInProgressException",         CALL_VERDICT_THROTTLED},
	{"EC2ThrottledException",                  CALL_VERDICT_THROTTLED},
	{"RequestTimeTooSkewed",                   CALL_VERDICT_CLOCK    },
	{"RequestExpired",                         CALL_VERDICT_CLOCK    },
	{"RequestInTheFuture",                     CALL_VERDICT_CLOCK    },
	{"InvalidSignatureException",              CALL_VERDICT_CLOCK    },
	{"SignatureDoesNotMatch",                  CALL_VERDICT_CLOCK    },
	{"AuthFailure",			    CALL_VERDICT_CLOCK    },
};

static enum call_verdict of_fault(enum http_fault fault)
{
	switch (fault) {
	case HTTP_FAULT_NONE: return CALL_VERDICT_DONE;
	case HTTP_FAULT_RESOLVE:
	case HTTP_FAULT_CONNECT:
	case HTTP_FAULT_CONNECT_TIMEOUT:
	case HTTP_FAULT_PROXY:
	case HTTP_FAULT_TLS:
	case HTTP_FAULT_TIMEOUT:
	case HTTP_FAULT_CLOSED: return CALL_VERDICT_TRANSIENT;
	case HTTP_FAULT_REQUEST:
	case HTTP_FAULT_FORBIDDEN:
	case HTTP_FAULT_TLS_VERIFY:
	case HTTP_FAULT_TOO_LARGE:
	case HTTP_FAULT_PROTOCOL: return CALL_VERDICT_FINAL;
	}
	return CALL_VERDICT_FINAL;
}

enum call_verdict call_verdict_of(enum http_fault fault, int status, const char *code)
{
	if (fault != HTTP_FAULT_NONE)
		return of_fault(fault);
	if (status >= 200 && status <= 299)
		return CALL_VERDICT_DONE;
	for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
		if (strcmp(codes[i].code, code) == 0)
			return codes[i].verdict;
	}
	if (status == 429)
		return CALL_VERDICT_THROTTLED;
	return status == 500 || status == 502 || status == 503 || status == 504 ? CALL_VERDICT_TRANSIENT
										: CALL_VERDICT_FINAL;
}

enum provider_cause call_verdict_cause(enum call_verdict v, enum http_fault fault)
{
	/* An unknown certificate is a bundle to set (AWS_CA_BUNDLE), or somebody in between: neither passes. */
	if (fault == HTTP_FAULT_REQUEST || fault == HTTP_FAULT_FORBIDDEN || fault == HTTP_FAULT_TLS_VERIFY)
		return PROVIDER_CAUSE_SETTINGS;
	if (fault == HTTP_FAULT_TOO_LARGE || fault == HTTP_FAULT_PROTOCOL)
		return PROVIDER_CAUSE_ANSWER;
	if (fault != HTTP_FAULT_NONE)
		return PROVIDER_CAUSE_UNREACHABLE;
	switch (v) {
	case CALL_VERDICT_TRANSIENT: return PROVIDER_CAUSE_SERVER;
	case CALL_VERDICT_THROTTLED: return PROVIDER_CAUSE_THROTTLED;
	case CALL_VERDICT_DONE: /* what came with it could not be read */ return PROVIDER_CAUSE_ANSWER;
	case CALL_VERDICT_CLOCK:
	case CALL_VERDICT_FINAL: return PROVIDER_CAUSE_REFUSED;
	}
	return PROVIDER_CAUSE_REFUSED;
}

/* Digits only. */
static bool number(struct slice s, uint64_t *out)
{
	uint64_t v = 0;

	if (s.n == 0 || s.n > 9)
		return false;
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] < '0' || s.p[i] > '9')
			return false;
		v = v * 10 + (uint64_t)(s.p[i] - '0');
	}
	*out = v;
	return true;
}

uint64_t call_verdict_retry_after_us(const struct http_reply *r, int64_t now_wall_us)
{
	struct slice after = r->header[HTTP_REPLY_RETRY_AFTER];
	uint64_t n, us = 0;
	int64_t wall_us;

	if (number(r->header[HTTP_REPLY_AMZ_RETRY_AFTER], &n))
		us = n * 1000;
	else if (number(after, &n))
		us = n * 1000000;
	else if (date_parse_http(after, &wall_us) == 0 && wall_us > now_wall_us)
		us = (uint64_t)(wall_us - now_wall_us);
	return us < RETRY_AFTER_MAX_US ? us : RETRY_AFTER_MAX_US;
}
