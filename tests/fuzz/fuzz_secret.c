/* aws/secret_value: any text as what GetSecretValue answers, and as the secret within that answer. What is taken is whole. */
#include <assert.h>
#include <stdint.h>
#include <string.h>
#include "aws/secret_value.h"
#include "base/enc.h"
#include "base/mem.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void judge(struct slice reply)
{
	struct err e = {.code = ERR_NONE};
	struct secret_value *v = secret_value_parse(reply, "AWSCURRENT", NULL, &e);

	assert((v == NULL) == (e.code == ERR_CREDENTIALS));
	if (v) {
		assert(v->version[0] && secret_is_set(&v->password) && v->password.n > 0);
		assert(!memchr(v->password.p, 0, v->password.n));
		assert(!v->user || (v->user[0] && strlen(v->user) <= SECRET_VALUE_NAME_MAX));
	}
	secret_value_unref(v);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice text = slice_of(data, size);
	struct buf reply;

	judge(text);
	buf_init(&reply, 1u << 20);
	buf_add_str(&reply, "{\"VersionId\":\"v-1\",\"SecretString\":\"");
	enc_json(&reply, text, size);
	buf_add_str(&reply, "\"}");
	judge(buf_slice(&reply));
	buf_free(&reply);
	return 0;
}
