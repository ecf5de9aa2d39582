/* A date: whatever is taken for one is the same date when written and read again. */
#include <assert.h>
#include <stdint.h>
#include "aws/date.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char text[DATE_RFC3339_SIZE], amz[DATE_AMZ_SIZE], span[DATE_SPAN_SIZE];
	int64_t us, back;

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
