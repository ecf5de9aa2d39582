/* A date: whatever is taken for one is the same date when written and read again. The same text as Retry-After: nobody is
 * told to wait for longer than an hour. */
#include <assert.h>
#include <stdint.h>
#include "aws/call_verdict.h"
#include "aws/date.h"

#define NOW_US  INT64_C(1768480496000000)
#define HOUR_US (UINT64_C(3600) * 1000000)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void retry_after(struct slice text)
{
	struct http_reply r = {.header = {[HTTP_REPLY_RETRY_AFTER] = text}};
	uint64_t us = call_verdict_retry_after_us(&r, NOW_US);

	assert(us <= HOUR_US);
	r.header[HTTP_REPLY_AMZ_RETRY_AFTER] = text; /* milliseconds, and goes before; it is no date */
	assert(call_verdict_retry_after_us(&r, NOW_US) <= us);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char text[DATE_RFC3339_SIZE], amz[DATE_AMZ_SIZE], span[DATE_SPAN_SIZE];
	int64_t us, back;

	retry_after(slice_of(data, size));
	if (date_parse_http(slice_of(data, size), &us) == 0)
		assert(us >= 0 && size == 29);
	if (date_parse_rfc3339(slice_of(data, size), &us) != 0)
		return 0;
	assert(us >= 0);
	date_format_rfc3339(us, text);
	assert(date_parse_rfc3339(slice_str(text), &back) == 0);
	assert(back == us - us % 1000000);
	date_format_amz(us, amz);
	date_format_span(-us, span);
	return 0;
}
