/* aws/secret_value and secrets_manager_id: any text as what GetSecretValue answers, as the secret within that answer, and as
 * the name of a secret. What is taken is whole, and a name can stand in JSON as it is. */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "aws/secrets_manager.h"
#include "base/enc.h"
#include "base/mem.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void judge(struct slice reply)
{
	struct err e = {.code = ERR_NONE};
	struct secret_value *v = secret_value_parse(reply, "AWSCURRENT", &e);

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
	char *name = slice_dup(text), region[64];
	struct buf reply;

	judge(text);
	buf_init(&reply, 1u << 20);
	buf_add_str(&reply, "{\"VersionId\":\"v-1\",\"SecretString\":\"");
	enc_json(&reply, text, size);
	buf_add_str(&reply, "\"}");
	judge(buf_slice(&reply));
	buf_free(&reply);
	if (secrets_manager_id(name, region, NULL) == 0)
		assert(!strpbrk(name, "\"\\ \n") && strlen(region) < sizeof(region));
	free(name);
	return 0;
}
