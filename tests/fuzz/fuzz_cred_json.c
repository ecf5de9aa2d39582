/* aws/provider_process and aws/sso_cache: any text as the output of a credential_process, and as the file of
 * `aws sso login`. What is taken is whole, and a renewed file reads as what was put in. */
#include <stdint.h>
#include <stdlib.h>
#include "aws/provider_profile.h"
#include "aws/sso_cache.h"

#define LATER INT64_C(1768480496000000)

static void must(bool ok)
{
	if (!ok)
		abort();
}

static void process(struct slice text)
{
	struct err e;
	struct credentials *c = provider_process_read(text, &e);

	if (!c)
		must(e.code == ERR_CREDENTIALS && e.msg[0]);
	else
		must(c->access_key[0] && secret_slice(&c->secret_key).n > 0);
	credentials_unref(c);
}

static void sso(struct slice text)
{
	struct sso_token t, again;
	struct buf out;
	struct err e;

	buf_init_secret(&out, 8 * SSO_CACHE_MAX);
	if (sso_cache_parse(text, &t, &e) == 0) {
		must(t.access.n > 0);
		sso_cache_renew(&t, slice_str("new"), slice_str(""), LATER);
		json_print(t.json, &out);
		must(!out.full && sso_cache_parse(buf_slice(&out), &again, &e) == 0);
		must(slice_eq_str(again.access, "new") && slice_eq(again.refresh, t.refresh));
		must(again.expires_wall_us == LATER);
		sso_cache_free(&again);
	}
	sso_cache_free(&t);
	buf_free(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size > SSO_CACHE_MAX)
		return 0;
	process(slice_of(data, size));
	sso(slice_of(data, size));
	return 0;
}
