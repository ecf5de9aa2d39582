/* Every answer of AWS that is read: JSON and XML, credentials and errors. What is taken for credentials is
 * clean. */
#include <assert.h>
#include <stdint.h>
#include "aws/call_verdict.h"
#include "aws/json.h"
#include "aws/reply.h"
#include "aws/sts_reply.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void judge(struct credentials *c)
{
	if (!c)
		return;
	assert(c->access_key[0] && secret_is_set(&c->secret_key));
	for (const char *p = c->access_key; *p; p++)
		assert(*p > ' ' && *p <= '~');
	assert(c->expires_wall_us >= 0);
	credentials_unref(c);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice text = slice_of(data, size);
	struct sts_identity id;
	struct reply_error said;
	struct err e;
	struct json *j = json_parse(text);

	for (enum reply_form f = 0; f < REPLY_FORM_COUNT; f++)
		judge(reply_credentials(j, f, "fuzz", &e));
	json_free(j);
	judge(sts_reply_credentials(STS_ASSUME_ROLE, text, "fuzz", &e));
	judge(sts_reply_credentials(STS_WEB_IDENTITY, text, "fuzz", &e));
	sts_reply_identity(text, NULL, &id, &e);
	reply_error_read(text, slice_of(data, size < 40 ? size : 40), NULL, &said);
	call_verdict_of(HTTP_FAULT_NONE, 400, said.code);
	return 0;
}
