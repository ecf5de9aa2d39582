/* XML from outside: no path finds more than the document holds, and what is found is found again. */
#include <assert.h>
#include <stdint.h>
#include "aws/xml.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const paths[] = {"a", "a/b", "a/b/c", "ErrorResponse/Error/Code",
					    "AssumeRoleResponse/AssumeRoleResult/Credentials/AccessKeyId"};

	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		struct buf out, again;
		int rc;

		buf_init(&out, 65536);
		buf_init(&again, 65536);
		rc = xml_text(slice_of(data, size), paths[i], &out);
		assert(rc >= -1 && rc <= 1);
		/* an entity is never shorter than its character */
		assert(out.n <= size);
		assert(xml_text(slice_of(data, size), paths[i], &again) == rc);
		assert(slice_eq(buf_slice(&out), buf_slice(&again)));
		buf_free(&out);
		buf_free(&again);
	}
	return 0;
}
