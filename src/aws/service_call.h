/* A call of an AWS service by its API: in which region (aws/region_finder.h), where the service is there (aws/service.h), the
 * request (aws/call.h), and what to do about the refusals people meet most. On the control loop. */
#ifndef PGIAM_AWS_SERVICE_CALL_H
#define PGIAM_AWS_SERVICE_CALL_H

#include "aws/call.h"
#include "aws/service.h"

struct service_hint {
	const char *code, *hint; /* the service's error code; what to do */
};

/* Copied by service_call_start, but for literals and hints. */
struct service_request {
	enum service_id service;
	const char *who;          /* literal; begins messages: "sts AssumeRole" */
	const char *region;       /* of the endpoint; NULL: the environment's, then as region_finder.h has it */
	const char *profile;      /* ... for region_finder_get */
	const char *endpoint_url; /* the profile's, or NULL */
	const char *content_type; /* literal */
	const char *header[2];    /* one more: name in lower case, value; literals, or NULL */
	struct slice body;
	struct slice secret; /* call_request.secrets' only one, or n == 0 */
	struct slice known;  /* call_request.known */
	struct credentials *signer; /* NULL: not signed */
	const struct service_hint *hints; /* constant; ended by one whose code is NULL; before those for whoever signs */
};

struct service_call;

/* cb as call_start's; a region or place that cannot be is answered the same way, with PROVIDER_CAUSE_SETTINGS. */
struct service_call *service_call_start(const struct provider_deps *d, const struct service_request *rq, call_cb cb,
					void *arg);
/* One that was to be, but cannot: e is its answer, with PROVIDER_CAUSE_SETTINGS. */
struct service_call *service_call_refuse(const struct provider_deps *d, const struct err *e, call_cb cb, void *arg);
void service_call_cancel(struct service_call *s); /* NULL is fine */

#endif
