/* aws/redshift_reply: any text as what each of the calls answers. What is taken is whole: a user, a password and an end. */
#include <assert.h>
#include <stdint.h>
#include <string.h>
#include "aws/redshift.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	for (int call = REDSHIFT_USER; call <= REDSHIFT_SERVERLESS; call++) {
		struct err e = {.code = ERR_NONE};
		struct secret_value *v = redshift_answer((enum redshift_call)call, slice_of(data, size), NULL, &e);

		assert((v == NULL) == (e.code == ERR_CREDENTIALS));
		if (v) {
			assert(v->password.n > 0 && !memchr(v->password.p, 0, v->password.n));
			assert(v->user && v->user[0] && strlen(v->user) <= SECRET_VALUE_NAME_MAX);
			assert(v->expires_wall_us > 0);
		}
		secret_value_unref(v);
	}
	return 0;
}
